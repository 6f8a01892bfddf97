"""How long a pump has run or rested, in whole steps: never longer than is known; and which pumps no plan leads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headworks.common.messages import (
    Basis,
    ControlMode,
    ControlState,
    Interlock,
    Quality,
    ResourceState,
    Sample,
    SetpointOverride,
)
from headworks.optimizer.station.case import PumpState
from headworks.optimizer.station.pump_states import led_by_others, pump_state
from headworks.waterway.timegrid import TimeGrid

START = datetime(2026, 3, 10, 11, tzinfo=UTC)
STEP = timedelta(minutes=15)
GRID = TimeGrid(START, STEP, 96)
MINUTE = timedelta(minutes=1)


def instant(minutes_before: float, frequency_hz: float) -> Sample:
    """A frequency so long before the start."""
    at = START - minutes_before * MINUTE
    return Sample(series="p1_1_frequency_hz", valid_at=at, value=frequency_hz, quality=Quality.GOOD)


def mean(steps_before: int, frequency_hz: float) -> Sample:
    """The mean of a quarter hour that ends so many steps before the start."""
    sample = instant(15 * (steps_before + 1), frequency_hz)
    return sample.model_copy(update={"basis": Basis.QUARTER_HOUR_MEAN})


def state(newest: Sample, record: Sequence[Sample]) -> tuple[bool, int]:
    found = pump_state("P1_1", newest, sorted(record, key=lambda s: s.valid_at), GRID)
    assert found == PumpState(resource="P1_1", on=found.on, steps=found.steps, hours_run=found.hours_run)
    return found.on, found.steps


def every_minute(first: int, last: int, frequency_hz: float) -> list[Sample]:
    return [instant(minutes, frequency_hz) for minutes in range(first, last - 1, -1)]


@pytest.mark.parametrize(("began_min", "steps"), [(45, 3), (40, 3), (39, 2), (30, 2), (10, 1), (9, 0)])
def test_a_run_counts_from_the_step_it_began_with(began_min: int, steps: int) -> None:
    record = [*every_minute(60, began_min + 1, 0.0), *every_minute(began_min, 0, 49.0)]
    assert state(instant(0, 49.0), record) == (True, steps)


def test_what_began_after_the_step_has_run_for_none() -> None:
    newest = instant(-2, 49.0)
    assert state(newest, [*every_minute(30, 0, 0.0), instant(-1, 49.0), newest]) == (True, 0)


def test_a_rest_is_counted_like_a_run_and_noise_is_no_run() -> None:
    record = [*every_minute(90, 76, 48.0), *every_minute(75, 0, 0.4)]
    assert state(instant(0, 0.2), record) == (False, 5)


def test_before_the_instants_begin_means_go_on() -> None:
    record = [*[mean(steps, 49.5) for steps in range(4, 12)], mean(12, 20.0), mean(13, 49.5)]
    record += every_minute(60, 0, 50.0)
    assert state(instant(0, 50.0), record) == (True, 12)


def test_a_quarter_hour_of_both_ends_a_rest_too() -> None:
    record = [mean(6, 0.0), mean(5, 3.0), mean(4, 0.0), *every_minute(60, 0, 0.0)]
    assert state(instant(0, 0.0), record) == (False, 5)


@pytest.mark.parametrize(("gap_min", "steps"), [(15, 5), (16, 2)])
def test_beyond_a_gap_nobody_knows(gap_min: int, steps: int) -> None:
    record = [*every_minute(75, 30 + gap_min, 49.0), *every_minute(30, 0, 49.0)]
    assert state(instant(0, 49.0), record) == (True, steps)


def test_a_single_value_says_how_it_stands_and_no_more() -> None:
    assert state(instant(1, 49.0), []) == (True, 0)
    assert state(instant(1, 0.0), []) == (False, 0)


def test_running_hours_are_those_of_the_quarter_hours_it_ran_in() -> None:
    means = [mean(steps, hz) for steps, hz in enumerate([50.0, 49.0, 30.0, 20.0, 0.0, 0.3])]
    assert pump_state("P1_1", instant(0, 0.0), means, GRID).hours_run == 0.75
    assert pump_state("P1_1", instant(0, 0.0), [mean(1, 0.4)], GRID).hours_run == 0.0


def control(mode: ControlMode = ControlMode.AUTO, *, whole: dict[str, Any] | None = None, **first: Any) -> ControlState:
    """What a gateway says of two pumps; `first` of the first one, `whole` of the site."""
    plain = ResourceState.model_validate(
        dict.fromkeys(("plan_id", "requested", "setpoint", "read_back", "actual", "plan_age_s"))
        | {"resource": "P1_2", "unit": "Hz", "link_up": True, "fail_safe": False, "mode": mode}
    )
    pumps = (plain.model_copy(update=first | {"resource": "P1_1"}), plain)
    said: dict[str, Any] = {"site": "blominmaki", "at": START, "mode": mode, "e_stop": False, "resources": pumps}
    return ControlState(**said | (whole or {}))


def override(value: float) -> SetpointOverride:
    return SetpointOverride(value=value, by="ann", reason="seal leaks", given_at=START, until=START + 40 * STEP)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (control(e_stop_by="ann"), "stopped by ann"),
        (control(override=override(0.0)), "held off by ann until 10 Mar 21:00Z: seal leaks"),
        (control(leader="interlock", leads_because="no flow"), "held by an interlock: no flow"),
    ],
    ids=["stopped", "held off", "interlocked"],
)
def test_a_pump_that_no_plan_leads_is_named_with_who_does(said: ControlState, why: str) -> None:
    assert led_by_others(said) == {"P1_1": why}


@pytest.mark.parametrize("mode", [ControlMode.MANUAL, ControlMode.OFF, ControlMode.MAINTENANCE])
def test_a_pump_in_another_mode_than_the_site_is_led_by_people(mode: ControlMode) -> None:
    one = control().resources[0].model_copy(update={"mode": mode})
    said = control(whole={"resources": (one, control().resources[1])})
    assert led_by_others(said) == {"P1_1": f"in mode {mode.value}"}


@pytest.mark.parametrize(
    "said",
    [
        control(),
        control(mode=ControlMode.MANUAL),
        control(mode=ControlMode.MAINTENANCE, whole={"mode": ControlMode.AUTO}),
        control(override=override(48.0)),
        control(leader="interlock", whole={"interlock": Interlock.HIGH_HIGH}),
        control(e_stop_by="ann", whole={"e_stop": True}),
    ],
    ids=[
        "auto",
        "the whole site by hand",
        "every pump by hand",
        "kept running",
        "the level's interlock",
        "the whole site stopped",
    ],
)
def test_what_passes_or_holds_for_the_whole_site_is_planned_all_the_same(said: ControlState) -> None:
    assert led_by_others(said) == {}
