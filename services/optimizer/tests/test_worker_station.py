"""A station's jobs off the queue, as an afterbay's: the plan of every pump, an end for every run, what is missing named."""

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
import yaml
from optimizer_rig import delivery, end_of, heard, pid_in, stuck, working
from pydantic import TypeAdapter

from headworks.common.bus import Bus
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.messages import (
    Basis,
    ControlMode,
    ControlState,
    Forecast,
    ForecastStep,
    PumpTargets,
    Quality,
    ResourceState,
    RunStatus,
    Sample,
    SolveJob,
)
from headworks.common.subjects import CONTROL_STATE, PLAN_SUBMISSION, RUN_FINISHED, RUN_PROGRESS
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.optimizer.control_states import ControlStates
from headworks.optimizer.station.case import StationInputs, StationSolution, Strategy, StrategyPeriod
from headworks.optimizer.station.kind import StationKind
from headworks.optimizer.store import Run, RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.worker import Worker
from headworks.waterway import series as names
from headworks.waterway.station_site import StationSite

NOW = datetime(2026, 3, 10, 11, 1, 30, tzinfo=UTC)
START = NOW.replace(minute=0, second=0)
STEP = timedelta(minutes=15)
STEPS = 16
RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")
_samples = TypeAdapter(list[Sample])


class Ingest:
    """The neighbour, as its document says it answers: what it knows can be taken away or spoilt."""

    def __init__(self) -> None:
        self.latest = {names.TUNNEL_LEVEL: 2.4} | {names.pump_series(r, "frequency"): 0.0 for r in RESOURCES}
        self.latest[names.pump_series("P1_4", "frequency")] = 49.0
        self.latest_at = NOW - timedelta(seconds=30)
        self.means = {names.TUNNEL_INFLOW: 1.2, names.PRICE: 60.0}
        self.prices_until = START + 8 * STEP
        self.forecast: Forecast | None = None
        self.garbage: str | None = None
        self.status = 200
        self.asked = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request's answer."""
        self.asked += 1
        if self.status != 200:
            return httpx.Response(self.status, text="not now")
        _, _sites, _site, kind, series, *rest = request.url.path.split("/")
        if series == self.garbage:
            return httpx.Response(200, text='{"value": "who knows"}')
        match kind, rest:
            case "series", ["latest"] if series in self.latest:
                sample = self._sample(series, self.latest_at, self.latest[series])
                return httpx.Response(200, text=sample.model_dump_json())
            case "series", ["values"]:
                return httpx.Response(200, content=_samples.dump_json(self._values(series, request.url.params)))
            case "forecasts", [] if self.forecast is not None and self.forecast.series == series:
                return httpx.Response(200, text=self.forecast.model_dump_json())
        return httpx.Response(404)

    def _values(self, series: str, asked: httpx.QueryParams) -> list[Sample]:
        """Means by the quarter hour; nothing else is known by time."""
        if series not in self.means or asked["basis"] != Basis.QUARTER_HOUR_MEAN.value:
            return []
        first, end = datetime.fromisoformat(asked["start"]), datetime.fromisoformat(asked["end"])
        until = min(end, self.prices_until) if series == names.PRICE else end
        count = max(0, math.ceil((until - first) / STEP))
        value = self.means[series]
        return [self._sample(series, first + t * STEP, value, Basis.QUARTER_HOUR_MEAN) for t in range(count)]

    def _sample(self, series: str, at: datetime, value: float, basis: Basis = Basis.INSTANT) -> Sample:
        source = "entsoe" if series == names.PRICE else "pi"
        return Sample(series=series, valid_at=at, value=value, quality=Quality.GOOD, basis=basis, source=source)


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


@pytest.fixture
def clock() -> Clock:
    """Plant time stands still."""
    return Clock(NOW, wall_epoch_s=0.0, speed=1e-18)


@pytest.fixture
def job(job: SolveJob) -> SolveJob:
    return job.model_copy(update={"run_id": "blominmaki-1", "site": "blominmaki", "requested_at": NOW})


@pytest.fixture(scope="session")
def short_text(station_text: str) -> str:
    """The site with a horizon of four hours, for speed."""
    return station_text.replace("horizon: 24 h", f"horizon: {STEPS * 15} min")


@pytest.fixture
def control() -> ControlStates:
    return ControlStates()


@pytest.fixture
async def worker(
    ingest: Ingest,
    control: ControlStates,
    short_text: str,
    store: RunStore,
    strategies: StrategyStore,
    bus: Bus,
    clock: Clock,
    database: Database,
) -> AsyncIterator[Worker]:
    """A worker with its outbox relayed."""
    kind = StationKind(StationSite.model_validate(yaml.safe_load(short_text)), strategies, control)
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(ingest.answer), base_url="http://ingest") as client,
        in_background(store.outbox.relay(database, bus)),
    ):
        yield Worker({"blominmaki": kind}, {"blominmaki": short_text}, store, IngestClient(client), bus, clock)


# ---------------------------------------------------------------- a run


async def test_a_job_becomes_a_run_and_a_plan_of_every_pump(worker: Worker, store: RunStore, job: SolveJob) -> None:
    await store.queue(job)
    async with working(worker):
        run = await end_of(store, job.run_id)
    assert (run.status, run.attempt) == (RunStatus.SOLVED, 1), run.status_reason
    solution = await store.solution(job.run_id, StationSolution)
    assert solution is not None
    assert solution.publishable
    assert (len(solution.steps), solution.steps[0].start, solution.tuning is not None) == (STEPS, START, True)
    [plan] = await heard(worker, PLAN_SUBMISSION)
    assert (plan.submission_id, plan.publisher, len(plan.intervals)) == ("run-blominmaki-1", "optimizer", 8 * STEPS)
    assert {interval.resource for interval in plan.intervals} == set(RESOURCES)
    assert all(isinstance(interval.targets, PumpTargets) for interval in plan.intervals)
    [finished] = await heard(worker, RUN_FINISHED)
    assert (finished.status, finished.submission_id) == (RunStatus.SOLVED, "run-blominmaki-1")
    assert [progress.stage for progress in await heard(worker, RUN_PROGRESS)][:2] == ["gathering", "solving"]


async def test_a_pump_in_maintenance_is_not_planned(
    worker: Worker, control: ControlStates, store: RunStore, bus: Bus, job: SolveJob
) -> None:
    """The gateway says so on the bus; it is in the run's record, and the plan has the pump stand."""
    mode = dict.fromkeys(RESOURCES, ControlMode.AUTO) | {"P1_4": ControlMode.MAINTENANCE}
    resources = tuple(
        ResourceState(
            resource=resource, unit="Hz", plan_id=None, requested=None, setpoint=None, read_back=None, actual=None,
            plan_age_s=None, link_up=True, fail_safe=False, mode=mode[resource],
        )
        for resource in RESOURCES
    )  # fmt: skip
    state = ControlState(site="blominmaki", at=NOW, mode=ControlMode.AUTO, e_stop=False, resources=resources)
    await bus.publish(CONTROL_STATE, state, site="blominmaki")
    async with in_background(control.hear(bus)):
        await eventually(lambda: control.newest("blominmaki") == state)
        await store.queue(job)
        async with working(worker):
            run = await end_of(store, job.run_id)
    # It alone ran, and of the others nobody knows how long they have rested: a plan may have to do without a pump at first.
    assert run.status in {RunStatus.SOLVED, RunStatus.RELAXED}, run.status_reason
    [use] = [use for use in run.inputs or () if use.series == "control_state"]
    assert (use.valid_at, use.substituted) == (NOW, "P1_4 is not planned: in mode maintenance")
    [plan] = await heard(worker, PLAN_SUBMISSION)
    targets = [i.targets for i in plan.intervals if i.resource == "P1_4"]
    assert {t.suggested_speed_hz for t in targets if isinstance(t, PumpTargets)} == {0.0}


async def test_every_input_is_in_the_record_with_its_source(worker: Worker, store: RunStore, job: SolveJob) -> None:
    await store.queue(job)
    await worker.on_job(job, delivery(1))
    run = await end_of(store, job.run_id)
    uses = {use.series: use for use in run.inputs or ()}
    measured = (names.TUNNEL_LEVEL, names.TUNNEL_INFLOW, names.pump_series("P1_4", "frequency"))
    assert {uses[series].source for series in measured} == {"pi"}
    assert uses[names.PRICE].source == "entsoe"
    assert "expected_level_m" not in uses, "nothing is planned from it"
    assert uses[names.PRICE].substituted == "known until 2026-03-10 13:00Z; then expected"
    inputs = await store.case(job.run_id, StationInputs)
    assert inputs is not None
    assert (inputs.start, inputs.level_m, len(inputs.past_inflow_m3s)) == (START, 2.4, 14 * 96)
    assert [pump.resource for pump in inputs.pumps if pump.on] == ["P1_4"]


def utility(issued_at: datetime) -> Forecast:
    """An hourly forecast for the whole schedule: a lower quantile that the site does not ask, an upper one for two hours."""
    steps = tuple(
        ForecastStep(
            valid_at=START + timedelta(hours=h),
            value=1.3,
            quantiles={"0.05": 1.2} | ({"0.9": 1.7} if h < 2 else {}),
        )
        for h in range(STEPS // 4)
    )
    return Forecast(
        site="blominmaki", series=names.TUNNEL_INFLOW, source="utility", issued_at=issued_at, known_at=issued_at,
        step_s=3600, steps=steps,
    )  # fmt: skip


async def ended(worker: Worker, store: RunStore, job: SolveJob) -> tuple[Run, StationSolution | None]:
    """The run of a job, and its schedule."""
    await store.queue(job)
    await worker.on_job(job, delivery(1))
    return await end_of(store, job.run_id), await store.solution(job.run_id, StationSolution)


async def test_an_outside_forecast_reaches_the_runs_record_with_its_own_band(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob
) -> None:
    ingest.forecast = utility(NOW - timedelta(hours=2))
    run, solution = await ended(worker, store, job)
    [use] = [use for use in run.inputs or () if use.series == "outside_inflow_m3s"]
    assert (use.source, use.age_s, use.stale) == ("utility", 7200, False)
    assert use.substituted == (
        "quantiles 0.05 and 0.9 are the nearest to 0.1 and 0.9 that it gives; "
        "it gives quantiles for 8 of its 16 steps: beyond, the band is by our own errors"
    )
    inputs = await store.case(job.run_id, StationInputs)
    assert inputs is not None
    assert inputs.outside_inflow is not None
    assert (inputs.outside_inflow.low_m3s, inputs.outside_inflow.high_m3s) == ((1.2,) * 8, (1.7,) * 8)
    assert solution is not None
    assert solution.inflow_source.startswith("utility, quantiles 0.05 and 0.9; from its end ")
    assert [(s.inflow_m3s, s.inflow_low_m3s, s.inflow_high_m3s) for s in solution.steps[:8]] == [(1.3, 1.2, 1.7)] * 8
    assert all(step.inflow_high_m3s < 1.7 for step in solution.steps[8:]), "the record of 1.2 m³/s was never wrong"


async def test_an_outside_forecast_of_last_week_is_not_planned_with_and_the_run_says_so(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob
) -> None:
    ingest.forecast = utility(NOW - timedelta(days=7))
    run, solution = await ended(worker, store, job)
    [use] = [use for use in run.inputs or () if use.series == "outside_inflow_m3s"]
    assert (use.source, use.stale) == ("none", True)
    assert use.substituted == "the forecast of 2026-03-03 11:01Z is too old: 168.0 h, at most 24.0 h"
    assert solution is not None
    assert solution.inflow_source == "storm_aware"


async def test_the_next_run_knows_what_the_last_one_planned_and_forecast(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob, strategies: StrategyStore
) -> None:
    await store.queue(job)
    await worker.on_job(job, delivery(1))
    asked = StrategyPeriod(start=NOW, end=NOW + timedelta(hours=9), strategy=Strategy.KEEP_BUFFER, reason="rain comes")
    _, next_job = await strategies.change("blominmaki", [asked], "ann", NOW)
    later = NOW + 10 * STEP
    ingest.latest_at, ingest.prices_until = later, later + 8 * STEP
    await replace(worker, clock=Clock(later, wall_epoch_s=0.0, speed=1e-18)).on_job(next_job, delivery(1))
    first = await store.solution(job.run_id, StationSolution)
    inputs = await store.case(next_job.run_id, StationInputs)
    assert first is not None
    assert inputs is not None
    assert inputs.last_plan is not None
    assert inputs.last_plan.start == START
    assert inputs.past_inflow_error == pytest.approx([0.0], abs=0.05)
    assert inputs.strategies == (asked,)
    second = await store.solution(next_job.run_id, StationSolution)
    assert second is not None
    assert second.tuning is not None
    assert second.tuning.strategy is Strategy.KEEP_BUFFER


# ---------------------------------------------------------------- what is missing, stale or spoilt


async def failed(worker: Worker, store: RunStore, job: SolveJob) -> str:
    """Why the run failed."""
    await store.queue(job)
    async with working(worker):
        run = await end_of(store, job.run_id)
    assert run.status is RunStatus.FAILED
    return run.status_reason


async def test_a_stale_level_is_refused_by_its_time(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob
) -> None:
    ingest.latest_at = NOW - timedelta(minutes=21)
    reason = await failed(worker, store, job)
    assert reason.startswith(
        "tunnel_level_m of 2026-03-10 10:40Z is too old to plan from; p1_1_frequency_hz is not known"
    )
    assert await heard(worker, PLAN_SUBMISSION) == []


async def test_without_prices_the_run_says_so(worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob) -> None:
    del ingest.means[names.PRICE]
    reason = await failed(worker, store, job)
    assert reason == "day_ahead_price_eur_per_mwh is not known, neither of 2026-03-10 11:00Z nor of the days before"


async def test_prices_that_end_before_now_are_expected_and_marked(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob
) -> None:
    ingest.prices_until = START - STEP
    await store.queue(job)
    await worker.on_job(job, delivery(1))
    solution = await store.solution(job.run_id, StationSolution)
    assert solution is not None
    assert solution.publishable
    assert not any(step.price_known for step in solution.steps)
    assert solution.steps[0].price_eur_per_mwh == pytest.approx(60.0)


@pytest.mark.parametrize("series", [names.TUNNEL_LEVEL, names.PRICE, names.pump_series("P2_2", "frequency")])
async def test_an_answer_that_nobody_can_read_is_named(
    worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob, series: str
) -> None:
    ingest.garbage = series
    assert "ingest answered in an unknown form" in await failed(worker, store, job)


async def test_without_ingest_the_run_says_so(worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob) -> None:
    ingest.status = 503
    assert "ingest answered 503" in await failed(worker, store, job)


async def test_a_level_that_comes_late_is_used(worker: Worker, store: RunStore, ingest: Ingest, job: SolveJob) -> None:
    level = ingest.latest.pop(names.TUNNEL_LEVEL)
    await store.queue(job)
    async with working(worker):
        await eventually(lambda: ingest.asked > 60)
        ingest.latest[names.TUNNEL_LEVEL] = level
        run = await end_of(store, job.run_id)
    assert run.status is RunStatus.SOLVED


# ---------------------------------------------------------------- what dies or is stopped


async def test_a_job_of_a_worker_that_died_is_solved_by_the_next(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    await store.queue(job)
    async with working(replace(worker, command=stuck(pid_file))):
        await eventually(lambda: pid_in(pid_file) > 0, timeout_s=30)
    assert not psutil.pid_exists(pid_in(pid_file))
    async with working(worker):
        run = await end_of(store, job.run_id)
    assert (run.status, run.attempt) == (RunStatus.SOLVED, 2)
    assert len(await heard(worker, PLAN_SUBMISSION)) == 1


async def test_cancel_ends_the_solve_and_publishes_nothing(
    worker: Worker, store: RunStore, job: SolveJob, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    await store.queue(job)
    async with working(replace(worker, command=stuck(pid_file))):
        await eventually(lambda: pid_in(pid_file) > 0, timeout_s=30)
        await store.request_cancel(job.run_id)
        run = await end_of(store, job.run_id)
    assert run.status is RunStatus.CANCELLED
    assert not psutil.pid_exists(pid_in(pid_file))
    assert await heard(worker, PLAN_SUBMISSION) == []
    solution = await store.solution(job.run_id, StationSolution)
    assert solution == StationSolution.model_validate({"status": "CANCELLED", "reason": "cancelled"})
