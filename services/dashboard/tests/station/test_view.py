"""The view of a station: display units, what is not known is null and named, spans of the plan, prices, the tuning."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headworks.common.messages import (
    Basis,
    GenericTargets,
    Plan,
    PlanStatus,
    PumpTargets,
    Quality,
    ResourceType,
    Sample,
    Targets,
    TargetType,
)
from headworks.dashboard.answers import Away
from headworks.dashboard.parts import PARTS, Moment
from headworks.dashboard.station.answers import LatestRun, StationAnswers, Tuning
from headworks.dashboard.station.shapes import StationView
from headworks.dashboard.station.view import PARTS as OWN_PARTS
from headworks.dashboard.station.view import build, price_step, spans
from headworks.waterway.station_site import StationSite

STALE_AFTER = timedelta(minutes=30)
START = datetime(2026, 2, 18, 23, 30, tzinfo=UTC)
QUARTER_HOUR = timedelta(minutes=15)


@pytest.fixture
def site(sites: Any) -> StationSite:
    found: StationSite = sites["blominmaki"]
    return found


@pytest.fixture
def told(recorded: Any) -> Any:
    """What every service answers."""
    at = "/sites/blominmaki"
    own = StationAnswers(
        level=recorded.read(list[Sample], f"{at}/series/tunnel_level_m/values"),
        outflow=recorded.read(list[Sample], f"{at}/series/station_outflow_m3s/values"),
        inflow=recorded.read(list[Sample], f"{at}/series/tunnel_inflow_m3s/values"),
        prices=recorded.read(list[Sample], f"{at}/series/day_ahead_price_eur_per_mwh/values"),
        latest_run=recorded.read(LatestRun, f"{at}/runs/latest"),
    )
    return recorded.told("blominmaki", own)


def made(site: StationSite, told: Any, now: datetime) -> StationView:
    return build(site, told.common, told.own, Moment(now, 1.0, STALE_AFTER))


def test_values_are_in_display_units(site: StationSite, told: Any, recorded: Any) -> None:
    view = made(site, told, recorded.now)
    assert view.units.model_dump() == {
        "elevation": "m",
        "flow": "m**3/hour",
        "volume": "m**3",
        "power": "kW",
        "frequency": "Hz",
        "price": "EUR/MWh",
    }
    assert view.limits.model_dump() == {
        "minimum_level": 0.0,
        "emptied_level": 0.5,
        "alarm_level": 7.2,
        "maximum_level": 8.0,
        "maximum_outflow": 10478.0,
        "minimum_frequency": 47.8,
        "maximum_frequency": 50.0,
    }
    inside = recorded.answers["/sites/blominmaki/runs/latest"]["solution"]["steps"][0]
    assert view.schedule is not None
    shown = view.schedule.steps[0]
    assert shown.level == pytest.approx(inside["level_m"], abs=1e-4)
    assert shown.price == inside["price_eur_per_mwh"]
    assert shown.outflow == pytest.approx(inside["outflow_m3s"] * 3600, abs=1e-3)
    assert shown.inflow_low < shown.inflow < shown.inflow_high
    assert shown.power == pytest.approx(inside["power_mw"] * 1000)
    assert shown.frequency == inside["frequency_hz"]


def test_steps_follow_one_another_and_the_last_is_as_long_as_the_first(
    site: StationSite, told: Any, recorded: Any
) -> None:
    schedule = made(site, told, recorded.now).schedule
    assert schedule is not None
    assert [step.end for step in schedule.steps[:-1]] == [step.start for step in schedule.steps[1:]]
    assert {step.end - step.start for step in schedule.steps} == {QUARTER_HOUR}


def test_the_tuning_of_the_run_and_its_reasons_are_shown(site: StationSite, told: Any, recorded: Any) -> None:
    latest = told.own.latest_run
    assert isinstance(latest, LatestRun)
    assert latest.solution is not None
    tuning = Tuning(
        quality="poor",
        inflow_error=0.31,
        risk="critical",
        emergency=True,
        strategy="keep_buffer",
        maximum_level_m=6.5,
        minimum_level_m=0.3,
        cost_factor=0.3,
        safety_factor=2.0,
        smooth_eur_per_dam3=0.8,
        reasons=["the level rises 0.9 m/h"],
    )
    solution = latest.solution.model_copy(update={"tuning": tuning})
    tuned = told.with_part("latest_run", latest.model_copy(update={"solution": solution}))
    schedule = made(site, tuned, recorded.now).schedule
    assert schedule is not None
    assert schedule.tuning is not None
    assert schedule.tuning.model_dump() == {
        "quality": "poor",
        "inflow_error": 0.31,
        "risk": "critical",
        "emergency": True,
        "strategy": "keep_buffer",
        "maximum_level": 6.5,
        "minimum_level": 0.3,
        "cost_factor": 0.3,
        "safety_factor": 2.0,
        "smooth_eur_per_dam3": 0.8,
        "reasons": ["the level rises 0.9 m/h"],
    }


def test_a_run_without_an_answer_has_an_empty_schedule(site: StationSite, told: Any, recorded: Any) -> None:
    assert isinstance(told.own.latest_run, LatestRun)
    empty = told.own.latest_run.model_copy(update={"solution": None})
    schedule = made(site, told.with_part("latest_run", empty), recorded.now).schedule
    assert schedule is not None
    assert (schedule.steps, schedule.tuning, schedule.energy_cost_eur, schedule.run_time_s) == ([], None, None, None)


@pytest.mark.parametrize("part", sorted(PARTS | OWN_PARTS))
def test_a_part_that_is_away_is_null_and_named_and_the_rest_stands(
    site: StationSite, told: Any, recorded: Any, part: str
) -> None:
    whole = made(site, told, recorded.now).model_dump()
    assert [name for name, value in whole.items() if value is None] == []
    view = made(site, told.with_part(part, Away("ingest", "ingest does not answer (ConnectError)")), recorded.now)
    [missing] = view.not_known
    assert (missing.part, missing.reason) == ((PARTS | OWN_PARTS)[part], "ingest does not answer (ConnectError)")
    dumped = view.model_dump()
    field = {"latest": "inputs", "latest_run": "schedule", "plans": "plan", "journal": "setpoints"}.get(part, part)
    assert dumped[field] is None
    untouched = dumped.keys() - {field, "not_known"}
    assert {name: dumped[name] for name in untouched} == {name: whole[name] for name in untouched}


def test_a_price_that_is_known_ahead_is_no_input_of_now(site: StationSite, told: Any, recorded: Any) -> None:
    inputs = made(site, told, recorded.now).inputs
    assert inputs is not None
    assert len(inputs) == 4 + 3 * 8
    assert "day_ahead_price_eur_per_mwh" not in {shown.series for shown in inputs}


@pytest.mark.parametrize(("basis", "minutes"), [(Basis.HOUR_MEAN, 60), (Basis.QUARTER_HOUR_MEAN, 15)])
def test_a_price_holds_for_its_hour_or_quarter_hour(basis: Basis, minutes: int) -> None:
    sample = Sample(series="day_ahead_price_eur_per_mwh", valid_at=START, value=-3.0, quality=Quality.GOOD, basis=basis)
    step = price_step(sample)
    assert (step.start, step.end, step.price) == (START, START + timedelta(minutes=minutes), -3.0)


# ---------------------------------------------------------------- the plan of a pump


def plan(plan_id: int, first: int, last: int, targets: Targets | float, **changes: Any) -> Plan:
    """From quarter hour `first` up to quarter hour `last`."""
    given = {
        "plan_id": plan_id,
        "station_id": "blominmaki",
        "resource_id": "P1_1",
        "resource_type": ResourceType.PUMP,
        "interval_start": START + first * QUARTER_HOUR,
        "interval_end": START + last * QUARTER_HOUR,
        "targets": PumpTargets(suggested_speed_hz=targets) if isinstance(targets, float) else targets,
        "plan_version": 1,
        "plan_priority": 1,
        "plan_status": PlanStatus.ACTIVE,
        "publisher": "optimizer",
        "submission_id": "s1",
        "optimization_run_id": None,
        "superseded_by": None,
        "plan_created_at": START,
        "plan_updated_at": START,
    }
    return Plan.model_validate(given | changes)


def quarters(plans: list[Plan]) -> list[tuple[float, float, float | None, str]]:
    """The spans of P1_1, in quarter hours from START."""
    return [
        ((s.start - START) / QUARTER_HOUR, (s.end - START) / QUARTER_HOUR, s.frequency, s.publisher)
        for s in spans(plans, "P1_1")
    ]


def test_equal_neighbours_are_one_span_and_a_hole_stays_a_hole() -> None:
    plans = [plan(1, 0, 1, 49.0), plan(2, 1, 2, 49.0), plan(3, 2, 3, 0.0), plan(4, 5, 6, 0.0)]
    assert quarters(plans) == [(0, 2, 49.0, "optimizer"), (2, 3, 0.0, "optimizer"), (5, 6, 0.0, "optimizer")]


def test_speeds_that_a_register_cannot_tell_apart_are_one_span() -> None:
    plans = [plan(1, 0, 1, 49.99999580383299), plan(2, 1, 2, 50.0), plan(3, 2, 3, 49.99)]
    assert quarters(plans) == [(0, 2, 50.0, "optimizer"), (2, 3, 49.99, "optimizer")]


def test_the_highest_priority_leads_then_the_newest() -> None:
    vendor = plan(2, 1, 2, 50.0, plan_priority=50, publisher="vendor")
    plans = [plan(1, 0, 4, 48.0), vendor, plan(3, 3, 4, 0.0)]
    assert quarters(plans) == [
        (0, 1, 48.0, "optimizer"),
        (1, 2, 50.0, "vendor"),
        (2, 3, 48.0, "optimizer"),
        (3, 4, 0.0, "optimizer"),
    ]


def test_only_the_pumps_own_plans_count() -> None:
    assert quarters([plan(1, 0, 1, 49.0, resource_id="P1_2")]) == []


@pytest.mark.parametrize(
    ("targets", "speed_hz"),
    [
        (PumpTargets(suggested_speed_hz=0.0), 0.0),
        (PumpTargets(target_flow_m3h=2000.0), None),
        (GenericTargets(target_type=TargetType.SPEED, target_value=48.5), 48.5),
        (GenericTargets(target_type=TargetType.FLOW, target_value=2000.0), None),
    ],
)
def test_a_plan_without_a_speed_is_not_known_never_off(targets: Targets, speed_hz: float | None) -> None:
    assert quarters([plan(1, 0, 1, targets)]) == [(0, 1, speed_hz, "optimizer")]
