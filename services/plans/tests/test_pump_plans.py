"""Plans of eight pumps: off beside a speed, ranges, a day of quarter hours in few statements, and the plan in force."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection
from vendor_rig import no_vendors

from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanInterval,
    PlanStatus,
    PlanSubmission,
    PumpTargets,
    Refusal,
    ResourceType,
    Targets,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.common.sites import read_sites
from headworks.plans.actuators import Actuator, actuators_of
from headworks.plans.desk import SubmissionDesk
from headworks.plans.lifecycle import refusals
from headworks.plans.store import PlanStore

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PLANS = TypeAdapter(list[Plan])
PUMPS = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")


@pytest.fixture(scope="module")
def actuators(sites_folder: Path) -> dict[tuple[str, str], Actuator]:
    return actuators_of(read_sites(sites_folder))


def interval(targets: Targets, resource: str = "P1_1", quarter: int = 0) -> PlanInterval:
    start = NOW + quarter * QUARTER
    return PlanInterval(
        resource=resource,
        resource_type=ResourceType.PUMP,
        interval_start=start,
        interval_end=start + QUARTER,
        targets=targets,
    )


def submission(*intervals: PlanInterval, submission_id: str = "s1") -> PlanSubmission:
    return PlanSubmission(
        submission_id=submission_id, publisher="optimizer", site="blominmaki", created_at=NOW, intervals=intervals
    )


def day(number: int, *, begins: int = 0, resources: tuple[str, ...] = PUMPS) -> PlanSubmission:
    """A day of quarter hours for these pumps: on at 49 Hz in every third, else off."""
    on = PumpTargets(suggested_speed_hz=49.0, target_flow_m3h=3000, target_power_kw=390, target_level_m=2.0)
    off = PumpTargets(suggested_speed_hz=0, target_flow_m3h=0, target_power_kw=0, target_level_m=2.0)
    return submission(
        *(interval(off if q % 3 else on, pump, q) for pump in resources for q in range(begins, begins + 96)),
        submission_id=f"s{number}",
    )


# ---------------------------------------------------------------- what a plan may ask


@pytest.mark.parametrize("speed_hz", [0, 47.8, 47.81, 49, 50])
def test_off_and_every_speed_of_the_range_may_be_asked(
    actuators: dict[tuple[str, str], Actuator], speed_hz: float
) -> None:
    assert refusals(submission(interval(PumpTargets(suggested_speed_hz=speed_hz))), actuators, NOW) == ()
    generic = GenericTargets(target_type=TargetType.SPEED, target_value=speed_hz)
    assert refusals(submission(interval(generic)), actuators, NOW) == ()


@pytest.mark.parametrize(
    ("targets", "field", "value", "expected"),
    [
        (PumpTargets(suggested_speed_hz=0.1), "suggested_speed_hz", 0.1, "0 (off) or 47.8 to 50 Hz"),
        (PumpTargets(suggested_speed_hz=47.79), "suggested_speed_hz", 47.79, "0 (off) or 47.8 to 50 Hz"),
        (PumpTargets(suggested_speed_hz=50.01), "suggested_speed_hz", 50.01, "0 (off) or 47.8 to 50 Hz"),
        (PumpTargets(suggested_speed_hz=-49), "suggested_speed_hz", -49, "0 (off) or 47.8 to 50 Hz"),
        (PumpTargets(target_flow_m3h=-0.1), "target_flow_m3h", -0.1, "0 to 99999999.99 m**3/hour"),
        (PumpTargets(target_power_kw=1e8), "target_power_kw", 1e8, "0 to 99999999.99 kW"),
        (PumpTargets(target_level_m=1000), "target_level_m", 1000, "-999.99 to 999.99 m"),
        (
            GenericTargets(target_type=TargetType.SPEED, target_value=30),
            "target_value",
            30,
            "0 (off) or 47.8 to 50 Hz",
        ),
    ],
)
def test_what_is_out_of_range_is_refused_with_field_value_and_what_is_right(
    actuators: dict[tuple[str, str], Actuator], targets: Targets, field: str, value: float, expected: str
) -> None:
    [refusal] = refusals(submission(interval(targets)), actuators, NOW)
    assert refusal == Refusal(field=f"intervals.0.targets.{field}", value=value, expected=expected)


def test_a_pump_plan_without_any_target_is_refused(actuators: dict[tuple[str, str], Actuator]) -> None:
    [refusal] = refusals(submission(interval(PumpTargets())), actuators, NOW)
    assert (refusal.field, refusal.value) == ("intervals.0.targets", "no target")


def test_a_machine_that_cannot_stop_may_not_be_planned_off(actuators: dict[tuple[str, str], Actuator]) -> None:
    off = interval(GenericTargets(target_type=TargetType.POWER, target_value=0), "OXPH")
    asked = submission(off.model_copy(update={"resource_type": ResourceType.TURBINE})).model_copy(
        update={"site": "abay"}
    )
    [refusal] = refusals(asked, actuators, NOW)
    assert refusal.expected == "0.8 to 5.8 MW"


def test_a_resource_has_plans_of_one_kind_in_a_submission(actuators: dict[tuple[str, str], Actuator]) -> None:
    generic = GenericTargets(target_type=TargetType.SPEED, target_value=49)
    mixed = submission(interval(PumpTargets(suggested_speed_hz=49)), interval(generic, quarter=1))
    [refusal] = refusals(mixed, actuators, NOW)
    assert refusal == Refusal(
        field="intervals.1.targets.kind", value="generic", expected="pump, as of its first interval"
    )


# ---------------------------------------------------------------- how it is kept


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    made = Database(database_url)
    yield made
    await made.close()


@pytest.fixture
async def store(database: Database, actuators: dict[tuple[str, str], Actuator]) -> PlanStore:
    made = PlanStore(database)
    await made.register(actuators.values(), NOW)
    return made


@pytest.fixture
def desk(store: PlanStore, actuators: dict[tuple[str, str], Actuator]) -> SubmissionDesk:
    clock = Clock(NOW, wall_epoch_s=0.0, speed=1e-12)
    return SubmissionDesk(store, actuators, clock, no_vendors(store, clock))


class CountingDatabase(Database):
    """Says how often it was asked."""

    asked = 0

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        self.asked += 1
        return await super().fetch(statement, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        self.asked += 1
        async with super().transaction() as connection:
            yield connection


async def test_a_day_of_quarter_hours_of_eight_pumps_is_stored_in_one_round_trip(
    database: Database, store: PlanStore, database_url: str
) -> None:
    counting = CountingDatabase(database_url)
    await store.accept(day(0), NOW)
    reply = await PlanStore(counting).accept(day(1, begins=1), NOW)
    assert (len(reply.plan_ids), counting.asked) == (8 * 96, 1)
    await counting.close()


async def test_a_plan_every_quarter_hour_leaves_one_gapless_horizon_and_all_history(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    for number in range(4):
        reply = await desk.take(day(number, begins=number))
        assert (reply.accepted, len(reply.plan_ids)) == (True, 8 * 96)
    for pump in PUMPS:
        active = await store.active("blominmaki", NOW, pump)
        assert [plan.submission_id for plan in active] == ["s0", "s1", "s2", *["s3"] * 96]
        assert all(before.interval_end == after.interval_start for before, after in pairwise(active))
    history = {plan.plan_id: plan for plan in await store.history("blominmaki", "P1_1", 1000, None)}
    assert len(history) == 4 * 96
    for plan in history.values():
        if plan.plan_status is PlanStatus.SUPERSEDED:
            assert plan.superseded_by is not None
            successor = history[plan.superseded_by]
            assert (successor.interval_start, successor.plan_version) == (plan.interval_start, plan.plan_version + 1)


async def test_the_part_of_a_long_plan_before_the_new_horizon_goes_on(store: PlanStore, desk: SubmissionDesk) -> None:
    """Resources with and without leftovers in one submission."""
    long = interval(PumpTargets(suggested_speed_hz=48.0)).model_copy(update={"interval_end": NOW + 100 * QUARTER})
    await desk.take(submission(long, submission_id="long"))
    reply = await desk.take(day(1, begins=2, resources=("P1_1", "P1_2")))
    active = await store.active("blominmaki", NOW, "P1_1")
    assert len(reply.plan_ids) == 96 + 2 + 96
    assert [p.submission_id for p in active] == ["long", *["s1"] * 96, "long"]
    assert (active[0].interval_end, active[-1].interval_start) == (NOW + 2 * QUARTER, NOW + 98 * QUARTER)
    assert [p.plan_version for p in active] == [2] * 98
    assert [p.plan_version for p in await store.active("blominmaki", NOW, "P1_2")] == [1] * 96


async def test_the_plan_in_force_is_the_pump_s_of_this_quarter_hour(store: PlanStore, desk: SubmissionDesk) -> None:
    await desk.take(day(1))
    for quarter, speed_hz in ((0, 49.0), (1, 0.0), (3, 49.0)):
        plan = await store.current("blominmaki", "P2_4", NOW + quarter * QUARTER)
        assert plan is not None
        assert isinstance(plan.targets, PumpTargets)
        assert plan.targets.suggested_speed_hz == speed_hz
        of_all = PLANS.validate_json(await store.current_of_all("blominmaki", NOW + quarter * QUARTER))
        assert [each.resource_id for each in of_all] == list(PUMPS)
        assert of_all[-1] == plan
    assert await store.current("blominmaki", "P2_4", NOW + 96 * QUARTER) is None
    assert await store.current_of_all("blominmaki", NOW + 96 * QUARTER) == "[]"


async def test_submissions_at_once_for_the_same_pumps_neither_wait_in_a_ring_nor_overlap(
    store: PlanStore, desk: SubmissionDesk
) -> None:
    orders = [PUMPS, PUMPS[::-1], (*PUMPS[4:], *PUMPS[:4])]
    replies = await asyncio.gather(*(desk.take(day(n, resources=order)) for n, order in enumerate(orders)))
    assert all(reply.accepted for reply in replies)
    for pump in PUMPS:
        assert len(await store.active("blominmaki", NOW, pump)) == 96
