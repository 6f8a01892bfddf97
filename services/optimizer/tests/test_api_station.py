"""The API for a pumping station: its result, its strategies, its edited frequencies."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import httpx
import pytest

from headworks.common.auth import Role
from headworks.common.messages import RunFinished, RunStatus, SolveJob
from headworks.optimizer.station.case import StationSolution, StationStep
from headworks.optimizer.station.example_cases import dry_day
from headworks.optimizer.store import RunStore
from headworks.optimizer.values import Status

Call = Callable[..., Coroutine[Any, Any, httpx.Response]]
STEP = timedelta(minutes=15)
STEPS = 12
RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")
INPUTS = dry_day()


@pytest.fixture
def job(job: SolveJob) -> SolveJob:
    return job.model_copy(update={"run_id": "blominmaki-1", "site": "blominmaki"})


def solved() -> StationSolution:
    """A small tunnel's evening: one pump all along."""
    steps = tuple(
        StationStep(
            start=INPUTS.start + t * STEP,
            frequency_hz=dict.fromkeys(RESOURCES, 0.0) | {"P1_4": 49.5},
            flow_m3s=dict.fromkeys(RESOURCES, 0.0) | {"P1_4": 0.9},
            pump_power_mw=dict.fromkeys(RESOURCES, 0.0) | {"P1_4": 0.39},
            level_m=2.6, volume_m3=12_450.0, outflow_m3s=0.9, inflow_m3s=0.9, inflow_low_m3s=0.8, inflow_high_m3s=1.0,
            power_mw=0.39, price_eur_per_mwh=50.0, price_known=True, cost_eur=4.9,
        )
        for t in range(STEPS)
    )  # fmt: skip
    return StationSolution(status=Status.SOLVED, steps=steps, energy_cost_eur=58.5)


async def ended_run(store: RunStore, job: SolveJob, solution: StationSolution | None) -> None:
    """A run as a worker leaves it."""
    await store.queue(job)
    run = await store.begin(job.run_id)
    assert run is not None
    await store.keep_case(job.run_id, run.attempt, INPUTS if solution else None, [], [], "")
    status = RunStatus(solution.status.value) if solution else RunStatus.FAILED
    finished = RunFinished(
        run_id=job.run_id, site=job.site, at=job.requested_at, status=status,
        reason="" if solution else "tunnel_level_m is not known", submission_id=f"run-{job.run_id}" if solution else None,
    )  # fmt: skip
    assert await store.finish(finished, solution, None, run.attempt)


def fields(answer: httpx.Response) -> dict[str, tuple[object, str]]:
    """The wrong fields of an answer: their values and what would be right."""
    assert answer.status_code == 422, answer.text
    return {error["field"]: (error["value"], error["expected"]) for error in answer.json()["errors"]}


# ---------------------------------------------------------------- runs


async def test_a_stations_result_is_its_own_kind(call: Call, store: RunStore, job: SolveJob) -> None:
    solution = solved()
    await ended_run(store, job, solution)
    for path in ("/runs/blominmaki-1/result", "/sites/blominmaki/runs/latest"):
        answer = (await call("GET", path, Role.VIEWER)).json()
        assert (answer["kind"], answer["initial_level_m"]) == ("pumping_station", INPUTS.level_m)
        assert StationSolution.model_validate(answer["solution"]) == solution


async def test_a_run_without_a_schedule_has_nothing_to_edit(call: Call, store: RunStore, job: SolveJob) -> None:
    await ended_run(store, job, None)
    result = (await call("GET", "/runs/blominmaki-1/result", Role.VIEWER)).json()
    assert (result["kind"], result["solution"], result["initial_level_m"]) == ("pumping_station", None, None)
    body = {"run_id": "blominmaki-1", "frequency_hz": {}}
    answer = await call("POST", "/sites/blominmaki/recalculate", json=body)
    assert (answer.status_code, answer.json()["title"]) == (404, "The run has no case")
    later = job.model_copy(update={"run_id": "blominmaki-2"})
    await ended_run(store, later, StationSolution(status=Status.INFEASIBLE, reason="no way"))
    answer = await call("POST", "/sites/blominmaki/recalculate", json=body | {"run_id": "blominmaki-2"})
    assert (answer.status_code, answer.json()["title"]) == (404, "The run has no schedule")


async def test_a_station_takes_no_values_by_hand(call: Call, store: RunStore) -> None:
    override = {"series": "tunnel_inflow_m3s", "valid_at": "2026-02-17T19:00:00Z", "value": 3.0}
    wrong = fields(await call("POST", "/sites/blominmaki/runs", json={"reason": "rain", "overrides": [override]}))
    assert list(wrong) == ["overrides.0.series"]
    accepted = await call("POST", "/sites/blominmaki/runs", json={"reason": "rain"})
    assert accepted.status_code == 202
    assert len(await store.newest("blominmaki", 9)) == 1


async def test_edited_frequencies_are_simulated_and_their_breaches_named(
    call: Call, store: RunStore, job: SolveJob
) -> None:
    await ended_run(store, job, solved())
    edited = {"run_id": "blominmaki-1", "frequency_hz": {"P1_4": [49.5] * 8 + [0.0] * 4, "P2_2": [0.0] * STEPS}}
    answer = await call("POST", "/sites/blominmaki/recalculate", Role.VIEWER, edited)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert [step["frequency_hz"]["P1_4"] for step in content["steps"]] == [49.5] * 8 + [0.0] * 4
    assert {breach["rule"] for breach in content["breaches"]} == {"minimum_pumps_on"}
    assert content["breaches"][0]["at"] == "2026-03-10T00:00:00Z"
    assert content["steps"][-1]["level_m"] > content["steps"][7]["level_m"]
    assert len(await store.newest("blominmaki", 9)) == 1


WRONG_EDITS: list[tuple[dict[str, object], str]] = [
    ({}, "frequency_hz"),
    ({"setpoint_mw": [1.0] * STEPS, "frequency_hz": {"P1_4": [50.0] * STEPS}}, "setpoint_mw"),
    ({"frequency_hz": {"P9_9": [50.0] * STEPS}}, "frequency_hz.P9_9"),
    ({"frequency_hz": {"P1_4": [50.0] * (STEPS - 1)}}, "frequency_hz.P1_4"),
    ({"frequency_hz": {"P1_4": [50.0] * (STEPS + 1)}}, "frequency_hz.P1_4"),
    ({"frequency_hz": {"P1_4": [-0.1] * STEPS}}, "body.frequency_hz.P1_4.0"),
]


async def test_a_wrong_edit_is_named(call: Call, store: RunStore, job: SolveJob) -> None:
    await ended_run(store, job, solved())
    for edited, field in WRONG_EDITS:
        answer = await call("POST", "/sites/blominmaki/recalculate", json={"run_id": "blominmaki-1"} | edited)
        assert next(iter(fields(answer))) == field


async def test_the_model_is_there_to_download(call: Call, store: RunStore, job: SolveJob) -> None:
    await ended_run(store, job, solved())
    answer = await call("GET", "/runs/blominmaki-1/model.lp", Role.VIEWER)
    assert answer.headers["content-disposition"] == 'attachment; filename="blominmaki-1.lp"'
    assert answer.text.startswith("\\* station *\\")
    assert "water_balance_095: " in answer.text


# ---------------------------------------------------------------- strategies


def period(start: str, end: str, strategy: str = "keep_buffer") -> dict[str, str]:
    return {"start": f"2026-02-17T{start}Z", "end": f"2026-02-17T{end}Z", "strategy": strategy, "reason": "rain comes"}


async def test_before_anybody_asks_the_site_files_strategies_are_in_force(call: Call) -> None:
    answer = (await call("GET", "/sites/blominmaki/strategies", Role.VIEWER)).json()
    assert answer == {"version": 0, "changed_by": "site file", "changed_at": None, "periods": []}


async def test_a_planners_strategies_are_kept_and_a_run_follows(call: Call, store: RunStore) -> None:
    asked: list[dict[str, object]] = [
        {**period("19:00:00", "21:00:00"), "flush_window": True},
        {**period("21:00:00", "23:00:00", "minimal"), "flush_window": False},
    ]
    answer = await call("PUT", "/sites/blominmaki/strategies", json=asked)
    assert answer.status_code == 202, answer.text
    document = answer.json()["document"]
    assert (document["version"], document["changed_by"], document["periods"]) == (1, "ann", asked)
    assert (await call("GET", "/sites/blominmaki/strategies", Role.VIEWER)).json() == document
    run = await store.find(answer.json()["run_id"])
    assert run is not None
    assert (run.site, run.requested_by, run.reason) == ("blominmaki", "ann", "strategies, version 1")
    assert (await call("PUT", "/sites/blominmaki/strategies", json=[])).json()["document"]["version"] == 2


WRONG_STRATEGIES: list[tuple[object, str]] = [
    ([period("19:00:00", "21:00:00"), period("20:59:59", "23:00:00")], "1.start"),
    ([period("21:00:00", "23:00:00"), period("19:00:00", "21:00:00")], "1.start"),
    ([period("19:00:00", "19:00:00")], "body.0"),
    ([period("19:00:00", "21:00:00", "reckless")], "body.0.strategy"),
    ([period("19:00:00", "21:00:00") | {"urgent": "yes"}], "body.0.urgent"),
    ([period("19:00:00", "21:00:00") | {"start": "2026-02-17T19:00:00"}], "body.0.start"),
    ([period("19:00:00", "21:00:00") | {"reason": "x" * 301}], "body.0.reason"),
    ([period("19:00:00", "21:00:00")] * 201, "body"),
    ({"periods": []}, "body"),
]


async def test_wrong_strategies_are_named_and_change_nothing(call: Call, store: RunStore) -> None:
    for asked, field in WRONG_STRATEGIES:
        assert list(fields(await call("PUT", "/sites/blominmaki/strategies", json=asked))) == [field]
    assert (await call("GET", "/sites/blominmaki/strategies", Role.VIEWER)).json()["version"] == 0
    assert await store.newest("blominmaki", 9) == []


async def test_a_viewer_changes_no_strategy_and_an_afterbay_has_none(call: Call) -> None:
    assert (await call("PUT", "/sites/blominmaki/strategies", Role.VIEWER, [])).status_code == 403
    for method in ("GET", "PUT"):
        answer = await call(method, "/sites/abay/strategies", json=[] if method == "PUT" else None)
        assert (answer.status_code, answer.json()["title"]) == (404, "The site has no strategies")
        assert (await call(method, "/sites/nowhere/strategies", json=[])).status_code == 404
