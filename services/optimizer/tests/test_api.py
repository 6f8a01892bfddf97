"""The API: closed without a caller, a run from its order to its result, what is wrong named by field, value and what is right."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from headworks.common.auth import Role
from headworks.common.bus import Bus
from headworks.common.database import Database
from headworks.common.messages import RunFinished, RunProgress, RunStage, RunStatus, SolveJob
from headworks.common.subjects import RUN_PROGRESS
from headworks.common.tasks import in_background
from headworks.optimizer.afterbay.case import Case, IntegerOptions, Options, Solution
from headworks.optimizer.afterbay.example_cases import calm_winter, spilling_storm
from headworks.optimizer.afterbay.solve import solve_case
from headworks.optimizer.main import documented_api
from headworks.optimizer.store import Run, RunStore
from headworks.waterway.afterbay_site import AfterbaySite

Call = Callable[..., Coroutine[Any, Any, httpx.Response]]


@pytest.fixture
async def relayed(store: RunStore, database: Database, bus: Bus) -> AsyncIterator[None]:
    """The outbox goes out to the bus."""
    async with in_background(store.outbox.relay(database, bus)):
        yield


async def ended_run(
    store: RunStore, site: AfterbaySite, job: SolveJob, case: Case | None, *, submitted: bool = True
) -> Solution | None:
    """A run as a worker leaves it."""
    await store.queue(job)
    run = await store.begin(job.run_id)
    assert run is not None
    await store.keep_case(job.run_id, run.attempt, case, [], [], "award 6 h")
    solution = solve_case(site, case) if case is not None else None
    finished = RunFinished(
        run_id=job.run_id,
        site=job.site,
        at=job.requested_at,
        status=RunStatus(solution.status.value) if solution else RunStatus.FAILED,
        reason="" if solution else "elevation is not known",
        submission_id=f"run-{job.run_id}" if submitted else None,
    )
    assert await store.finish(finished, solution, None, run.attempt)
    return solution


def fields(answer: httpx.Response) -> dict[str, tuple[object, str]]:
    """The wrong fields of an answer: their values and what would be right."""
    assert answer.status_code == 422, answer.text
    return {error["field"]: (error["value"], error["expected"]) for error in answer.json()["errors"]}


# ---------------------------------------------------------------- who may


def routes() -> list[tuple[str, str]]:
    """Every route of the API, of whatever it is made in time to come."""
    found = [route for route in documented_api().routes if isinstance(route, APIRoute)]
    return [
        (method, route.path.format(site="abay", run_id="abay-1"))
        for route in found
        for method in sorted(route.methods or ())
    ]


async def test_every_route_is_closed_without_a_caller(call: Call) -> None:
    assert len(routes()) == 12
    for method, path in routes():
        answer = await call(method, path, role=None)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path


async def test_a_viewer_starts_and_cancels_nothing(call: Call, store: RunStore) -> None:
    for path in ("/sites/abay/runs", "/runs/abay-1/cancel"):
        assert (await call("POST", path, Role.VIEWER, json={"reason": "curious"})).status_code == 403
    assert await store.newest("abay", 9) == []


# ---------------------------------------------------------------- order, watch, cancel


async def test_an_order_is_accepted_with_an_id_and_queued(call: Call, store: RunStore) -> None:
    override = {"series": "r4_flow_m3s", "valid_at": "2026-02-17T19:00:00Z", "value": 30.5}
    answer = await call("POST", "/sites/abay/runs", json={"reason": "a storm comes", "overrides": [override]})
    assert answer.status_code == 202
    run = await store.find(answer.json()["run_id"])
    assert run is not None
    assert (run.requested_by, run.reason, run.stage) == ("ann", "a storm comes", RunStage.QUEUED)
    assert [o.model_dump(mode="json") for o in run.overrides] == [override]
    listed = (await call("GET", "/sites/abay/runs", Role.VIEWER)).json()
    assert [r["run_id"] for r in listed] == [run.run_id]
    waiting = await call("GET", f"/runs/{run.run_id}/result", Role.VIEWER)
    assert (waiting.status_code, waiting.json()["title"]) == (409, "The run has not ended")


IMPOSSIBLE_OVERRIDES: list[tuple[dict[str, object], str, str]] = [
    ({"series": "elevation_m"}, "series", "one of ['mfra_power_mw', 'r20_flow_m3s'"),
    ({"valid_at": "2026-02-17T19:30:00Z"}, "valid_at", "a whole hour from 2026-02-17T18:00:00+00:00 to before"),
    ({"valid_at": "2026-02-17T17:00:00Z"}, "valid_at", "a whole hour from 2026-02-17T18:00:00+00:00"),
    ({"valid_at": "2026-02-24T18:00:00Z"}, "valid_at", "to before 2026-02-24T18:00:00+00:00"),
    ({"value": -0.1}, "value", "0 m³/s or more"),
    ({"series": "mfra_power_mw", "value": 210.5}, "value", "0 to 210 MW"),
    ({"series": "mfra_power_mw", "value": -1}, "value", "0 to 210 MW"),
]


async def test_an_override_that_cannot_be_is_named(call: Call, store: RunStore) -> None:
    good = {"series": "r4_flow_m3s", "valid_at": "2026-02-24T17:00:00Z", "value": 0.0}
    for override, field, expected in IMPOSSIBLE_OVERRIDES:
        order = {"reason": "test", "overrides": [good, good | override]}
        wrong = fields(await call("POST", "/sites/abay/runs", json=order))
        assert list(wrong) == [f"overrides.1.{field}"]
        assert expected in wrong[f"overrides.1.{field}"][1]
    assert await store.newest("abay", 9) == []


WRONG_ORDERS: list[tuple[dict[str, object], str]] = [
        ({}, "body.reason"),
        ({"reason": ""}, "body.reason"),
        ({"reason": "x" * 301}, "body.reason"),
        ({"reason": "x", "hurry": True}, "body.hurry"),
        ({"reason": "x", "overrides": [{"series": "r4_flow_m3s", "valid_at": "2026-02-17T19:00:00", "value": 1}]},
         "body.overrides.0.valid_at"),
]  # fmt: skip


async def test_a_wrong_order_is_named(call: Call) -> None:
    for order, field in WRONG_ORDERS:
        assert list(fields(await call("POST", "/sites/abay/runs", json=order))) == [field]


NOT_THERE = [
    ("POST", "/sites/nowhere/runs", 404),
    ("GET", "/sites/nowhere/runs", 404),
    ("GET", "/sites/abay/runs/latest", 404),
    ("GET", "/sites/abay/runs?limit=0", 422),
    ("GET", "/sites/abay/runs?limit=501", 422),
    ("GET", "/runs/abay-9", 404),
    ("GET", "/runs/abay-9/result", 404),
    ("GET", "/runs/abay-9/progress", 404),
    ("GET", "/runs/abay-9/model.lp", 404),
    ("POST", "/runs/abay-9/cancel", 404),
]


async def test_what_is_not_there_is_a_problem(call: Call) -> None:
    for method, path, status in NOT_THERE:
        answer = await call(method, path, json={"reason": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path


async def test_a_waiting_run_is_cancelled_at_once_and_only_once(call: Call, store: RunStore, job: SolveJob) -> None:
    await store.queue(job)
    answer = await call("POST", "/runs/abay-1/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "CANCELLED")
    assert answer.json()["status_reason"] == "by ann"
    again = await call("POST", "/runs/abay-1/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, "run_id=abay-1 is CANCELLED")
    assert await store.begin("abay-1") is None
    assert "event: finished" in (await call("GET", "/runs/abay-1/progress")).text


async def test_a_run_in_a_workers_hands_is_asked_to_stop(call: Call, store: RunStore, job: SolveJob) -> None:
    await store.queue(job)
    await store.begin("abay-1")
    answer = await call("POST", "/runs/abay-1/cancel")
    assert (answer.json()["cancel_requested"], answer.json()["status"]) == (True, None)


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Server-sent events as name and content."""
    blocks = [block.split("\r\n") for block in text.split("\r\n\r\n") if "event:" in block]
    return [(block[0].removeprefix("event: "), json.loads(block[1].removeprefix("data: "))) for block in blocks]


async def test_a_watcher_sees_the_steps_that_were_and_those_that_come_until_the_end(
    watch: Call, store: RunStore, bus: Bus, job: SolveJob, now: datetime, relayed: None
) -> None:
    await store.queue(job)
    run = await store.begin("abay-1")
    assert run is not None
    for gap in (None, 0.5):
        told = RunProgress(run_id="abay-1", site="abay", at=now, stage=RunStage.SOLVING, gap=gap)
        await bus.publish(RUN_PROGRESS, told, site="abay", run_id="abay-1")
        other = told.model_copy(update={"run_id": "abay-2"})
        await bus.publish(RUN_PROGRESS, other, site="abay", run_id="abay-2")
    watching = asyncio.create_task(watch("GET", "/runs/abay-1/progress", Role.VIEWER))
    finished = RunFinished(run_id="abay-1", site="abay", at=now, status=RunStatus.SOLVED)
    await store.finish(finished, None, None, run.attempt)
    seen = events((await watching).text)
    assert [(name, content.get("gap")) for name, content in seen if name == "progress"] in (
        [("progress", None), ("progress", 0.5)],
        [("progress", None)],
        [],
    )
    assert seen[-1][0] == "finished"
    assert seen[-1][1]["status"] == "SOLVED"


async def test_a_run_that_ended_long_ago_gives_its_end_without_the_bus(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    case = spilling_storm(hours=72)
    solution = await ended_run(store, site, job, case)
    assert solution is not None
    [(name, content)] = events((await call("GET", "/runs/abay-1/progress", Role.VIEWER)).text)
    assert (name, content["status"], content["submission_id"]) == ("finished", "RELAXED", "run-abay-1")
    assert content["relaxed"] == [relaxation.text for relaxation in solution.relaxations]


# ---------------------------------------------------------------- result


async def test_a_result_is_the_record_the_answer_and_where_it_began(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    case = calm_winter(hours=6)
    solution = await ended_run(store, site, job, case)
    answer = (await call("GET", "/runs/abay-1/result", Role.VIEWER)).json()
    assert Run.model_validate(answer["run"]) == await store.find("abay-1")
    assert Solution.model_validate(answer["solution"]) == solution
    assert answer["initial_elevation_m"] == case.initial_elevation_m
    assert (await call("GET", "/runs/abay-1", Role.VIEWER)).json() == answer["run"]


async def test_the_latest_is_the_last_plan_not_a_trial_or_a_failure(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob, now: datetime
) -> None:
    await ended_run(store, site, job, calm_winter(hours=3))
    for minutes, (run_id, case) in enumerate({"abay-2": calm_winter(hours=2), "abay-3": None}.items(), start=1):
        later = job.model_copy(update={"run_id": run_id, "requested_at": now + timedelta(minutes=minutes)})
        await ended_run(store, site, later, case, submitted=False)
    answer = (await call("GET", "/sites/abay/runs/latest", Role.VIEWER)).json()
    assert (answer["run"]["run_id"], len(answer["solution"]["hours"])) == ("abay-1", 3)
    failed = (await call("GET", "/runs/abay-3/result", Role.VIEWER)).json()
    assert (failed["solution"], failed["initial_elevation_m"]) == (None, None)
    assert failed["run"]["status_reason"] == "elevation is not known"


async def test_the_model_is_there_to_download_in_both_forms(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    options = Options(integer_options=IntegerOptions(max_setpoint_changes=2))
    await ended_run(store, site, job, calm_winter(hours=2, options=options))
    answer = await call("GET", "/runs/abay-1/model.lp", Role.VIEWER)
    assert answer.headers["content-disposition"] == 'attachment; filename="abay-1.lp"'
    assert answer.text.startswith("\\* abay_milp *\\")
    assert "water_balance_abay_001: " in answer.text
    assert "change_count: " in answer.text
    soft = await call("GET", "/runs/abay-1/model.lp?form=mpc", Role.VIEWER)
    assert soft.text.startswith("\\* abay_mpc *\\")
    assert (await call("GET", "/runs/abay-1/model.lp?form=minlp", Role.VIEWER)).status_code == 422


async def test_a_run_without_a_case_says_why_it_has_no_model(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    await ended_run(store, site, job, None)
    for answer in (
        await call("GET", "/runs/abay-1/model.lp"),
        await call("POST", "/sites/abay/recalculate", json={"run_id": "abay-1", "setpoint_mw": [1.0]}),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (404, "run_id=abay-1: elevation is not known")


# ---------------------------------------------------------------- recalculate


async def test_an_edited_schedule_is_simulated_without_a_solve(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    solution = await ended_run(store, site, job, calm_winter(hours=4))
    assert solution is not None
    same = [hour.setpoint_mw for hour in solution.hours]
    answer = await call("POST", "/sites/abay/recalculate", Role.VIEWER, {"run_id": "abay-1", "setpoint_mw": same})
    assert [hour["elevation_m"] for hour in answer.json()] == [hour.elevation_m for hour in solution.hours]
    less = await call("POST", "/sites/abay/recalculate", Role.VIEWER, {"run_id": "abay-1", "setpoint_mw": [0.8] * 4})
    assert less.json()[-1]["elevation_m"] > solution.hours[-1].elevation_m
    assert len(await store.newest("abay", 9)) == 1


async def test_every_setpoint_outside_the_unit_is_named_by_its_hour(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    await ended_run(store, site, job, calm_winter(hours=4))
    edited = {"run_id": "abay-1", "setpoint_mw": [0.8, 5.81, 5.8, 0.79]}
    assert fields(await call("POST", "/sites/abay/recalculate", json=edited)) == {
        "setpoint_mw.1": (5.81, "0.8 to 5.8 MW in the hour from 2026-01-20 09:00Z"),
        "setpoint_mw.3": (0.79, "0.8 to 5.8 MW in the hour from 2026-01-20 11:00Z"),
    }


WRONG_EDITS: list[tuple[dict[str, object], str]] = [
    ({"setpoint_mw": [1.0] * 3}, "setpoint_mw"),
    ({"setpoint_mw": [1.0] * 5}, "setpoint_mw"),
    ({"setpoint_mw": []}, "body.setpoint_mw"),
    ({"setpoint_mw": [1.0] * 4, "frequency_hz": {"P1_1": [50.0] * 4}}, "frequency_hz"),
    ({"setpoint_mw": [1.0, "much", 1.0, 1.0]}, "body.setpoint_mw.1"),
    ({"setpoint_mw": [1.0, None, 1.0, 1.0]}, "body.setpoint_mw.1"),
    ({"setpoint_mw": [1.0] * 4, "more": 1}, "body.more"),
]


async def test_a_wrong_edit_is_named(call: Call, store: RunStore, site: AfterbaySite, job: SolveJob) -> None:
    await ended_run(store, site, job, calm_winter(hours=4))
    for edited, field in WRONG_EDITS:
        answer = await call("POST", "/sites/abay/recalculate", json={"run_id": "abay-1"} | edited)
        assert list(fields(answer)) == [field]


async def test_a_run_of_another_site_is_not_simulated_with_this_sites_physics(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    await ended_run(store, site, job, calm_winter(hours=2))
    answer = await call("POST", "/sites/other/recalculate", json={"run_id": "abay-1", "setpoint_mw": [1.0, 1.0]})
    assert fields(answer) == {"run_id": ("abay-1", "a run of other, not of abay")}


async def test_an_edit_that_empties_the_reservoir_says_where_it_ends(
    call: Call, store: RunStore, site: AfterbaySite, job: SolveJob
) -> None:
    case = calm_winter(hours=168)
    dry = tuple(f.model_copy(update={"r30_flow_m3s": 0.0, "mfra_power_mw": 0.0}) for f in case.forcing)
    await ended_run(store, site, job, case.model_copy(update={"forcing": dry}))
    edited = {"run_id": "abay-1", "setpoint_mw": [5.0] * 168}
    answer = await call("POST", "/sites/abay/recalculate", json=edited)
    assert (answer.status_code, answer.json()["title"]) == (422, "The reservoir leaves its surveyed range")
    assert "m" in answer.json()["detail"]
