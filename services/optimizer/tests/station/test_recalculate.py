"""Edited frequencies on the run's inflow: simulated with the true curves, every broken rule named with its time."""

from datetime import timedelta

import pytest

from headworks.optimizer.station.case import StationInputs, StationStep
from headworks.optimizer.station.example_cases import dry_day
from headworks.optimizer.station.recalculate import RecalculatedSchedule, recalculated
from headworks.waterway.station_site import StationSite

STEP = timedelta(minutes=15)
RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")
STEPS = 12
INPUTS = dry_day()


def planned(steps: int = STEPS, level_m: float = 2.0) -> tuple[StationStep, ...]:
    """A run's steps: P1_4 at full speed all along, and an inflow that it can just lift."""
    return tuple(
        StationStep(
            start=INPUTS.start + t * STEP,
            frequency_hz=dict.fromkeys(RESOURCES, 0.0) | {"P1_4": 50.0},
            flow_m3s={},
            level_m=level_m,
            volume_m3=0.0,
            outflow_m3s=0.0,
            inflow_m3s=0.9,
            inflow_low_m3s=0.8,
            inflow_high_m3s=1.0,
            power_mw=0.0,
            price_eur_per_mwh=40.0 + t,
            price_known=t < 4,
            cost_eur=0.0,
        )
        for t in range(steps)
    )


def edit(
    site: StationSite, edited_hz: dict[str, list[float]], inputs: StationInputs = INPUTS, **changes: float
) -> RecalculatedSchedule:
    steps = tuple(step.model_copy(update=changes) for step in planned())
    return recalculated(site, inputs, steps, edited_hz)


def test_pumps_that_are_not_edited_run_as_planned(station_site: StationSite) -> None:
    found = edit(station_site, {})
    assert [step.frequency_hz["P1_4"] for step in found.steps] == [50.0] * STEPS
    assert (found.starts, found.breaches) == (0, ())
    assert found.steps[0].pump_power_mw["P1_4"] == pytest.approx(0.4, rel=0.05)
    assert found.steps[0].flow_m3s["P1_4"] == pytest.approx(3300 / 3600, rel=0.05)


def test_water_energy_and_money_add_up(station_site: StationSite) -> None:
    found = edit(station_site, {"P2_2": [49.0] * STEPS})
    tunnel = station_site.pumping_station.station.tunnel
    balance_m3 = sum((step.inflow_m3s - step.outflow_m3s) * 900 for step in found.steps)
    assert found.steps[-1].volume_m3 - tunnel.volume_at(INPUTS.level_m) == pytest.approx(balance_m3)
    assert found.energy_mwh == pytest.approx(sum(step.power_mw for step in found.steps) / 4)
    assert found.energy_cost_eur == pytest.approx(
        sum(step.power_mw / 4 * step.price_eur_per_mwh for step in found.steps)
    )
    assert all(step.power_mw == pytest.approx(sum(step.pump_power_mw.values())) for step in found.steps)
    assert (found.steps[3].price_known, found.steps[4].price_known) == (True, False)
    assert found.starts == 1


def test_all_pumps_off_is_a_breach_of_each_step(station_site: StationSite) -> None:
    found = edit(station_site, {"P1_4": [50.0] * 8 + [0.0] * 4})
    assert [(b.rule, b.at) for b in found.breaches] == [
        ("minimum_pumps_on", INPUTS.start + t * STEP) for t in range(8, 12)
    ]


def test_short_runs_speeds_out_of_range_and_too_much_outflow_are_named(station_site: StationSite) -> None:
    found = edit(station_site, {"P2_2": [0.0, 50.0, 50.0, *[0.0] * 9], "P1_1": [47.7] * STEPS})
    assert {b.rule for b in found.breaches} == {"minimum_run", "frequency"}
    many = edit(station_site, {name: [50.0] * STEPS for name in RESOURCES[:6]})
    assert "maximum_outflow" in {b.rule for b in many.breaches}


def test_a_run_under_way_counts(station_site: StationSite) -> None:
    pumps = tuple(p.model_copy(update={"steps": 3}) if p.resource == "P1_4" else p for p in INPUTS.pumps)
    begun = INPUTS.model_copy(update={"pumps": pumps})
    edited = {"P1_4": [50.0] * 4 + [0.0] * 8, "P2_2": [50.0] * STEPS}
    assert [(b.rule, b.at) for b in edit(station_site, edited, begun).breaches] == [("minimum_run", INPUTS.start)]
    assert edit(station_site, {**edited, "P1_4": [50.0] * 5 + [0.0] * 7}, begun).breaches == ()


def test_a_flood_is_named(station_site: StationSite) -> None:
    found = edit(station_site, {}, INPUTS.model_copy(update={"level_m": 7.9}), inflow_m3s=4.0)
    assert "maximum_level" in {b.rule for b in found.breaches}


@pytest.mark.parametrize(("level_m", "broken"), [(7.2, set()), (7.35, {"maximum_level"})])
def test_a_level_at_which_the_gateway_takes_over_is_named_as_in_a_plan(
    station_site: StationSite, level_m: float, broken: set[str]
) -> None:
    found = edit(station_site, {}, INPUTS.model_copy(update={"level_m": level_m}))
    assert {b.rule for b in found.breaches} == broken


def test_a_day_that_the_run_empties_must_be_emptied_still(station_site: StationSite) -> None:
    emptying = tuple(step.model_copy(update={"level_m": 0.5 if t == 6 else 2.0}) for t, step in enumerate(planned()))
    found = recalculated(station_site, INPUTS, emptying, {})
    assert [(b.rule, b.at) for b in found.breaches] == [("emptying", INPUTS.start)]
    assert recalculated(station_site, INPUTS, planned(level_m=0.51), {}).breaches == ()
