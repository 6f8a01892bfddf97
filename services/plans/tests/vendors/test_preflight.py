"""What is simulated before a plan from outside is accepted: by hand on the true curves, and with a real ingest beside."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ingest_rig import Ingest
from vendor_rig import FT, HOUR, NOW, Plans, balanced_m3s, unit_plan

from headworks.common.messages import (
    Basis,
    PlanInterval,
    PlanSubmission,
    PumpTargets,
    ResourceType,
)
from headworks.plans.preflight.afterbay import AfterbayState, fly_afterbay
from headworks.plans.preflight.check import Preflight, publishers_section
from headworks.plans.preflight.flight import Flown, Piece, off_the_grid
from headworks.plans.preflight.station import StationState, fly_station
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite
from headworks.waterway.station import simulate_station
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid

QUARTER = timedelta(minutes=15)
PUMPS = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")


def unit_state(*, elevation_ft: float, inflow_m3s: float, hours: int = 12, power_mw: float = 2.0) -> AfterbayState:
    return AfterbayState(TimeGrid(NOW, HOUR, hours), elevation_ft * FT, power_mw, 1173 * FT, (inflow_m3s,) * hours)


def power(*megawatts: float) -> list[Piece]:
    return [Piece(NOW + i * HOUR, NOW + (i + 1) * HOUR, mw, i) for i, mw in enumerate(megawatts)]


def test_a_plan_that_holds_the_reservoir_is_accepted(abay: AfterbaySite) -> None:
    state = unit_state(elevation_ft=1170, inflow_m3s=balanced_m3s(abay, 2.0))
    assert fly_afterbay(abay, state, power(*[2.0] * 12)) == Flown((), ())


def test_a_plan_that_empties_the_reservoir_is_refused_with_when_and_how_low(abay: AfterbaySite) -> None:
    state = unit_state(elevation_ft=1168.5, inflow_m3s=balanced_m3s(abay, 1.0))
    [refusal] = fly_afterbay(abay, state, power(*[4.0] * 12)).refusals
    assert refusal.field.startswith("intervals.")
    assert refusal.field.endswith(".targets.target_value")
    assert refusal.value == 4.0
    assert f"at or above {1168 * FT:.3f} m; simulated" in refusal.expected


def test_a_limit_that_no_plan_could_keep_is_a_note(abay: AfterbaySite) -> None:
    flood = fly_afterbay(abay, unit_state(elevation_ft=1172.4, inflow_m3s=300.0), power(*[4.0] * 12))
    assert [r for r in flood.refusals if "elevation" in r.expected] == []
    assert any("no plan could keep it" in note for note in flood.notes)


def test_a_step_that_the_ramp_cannot_follow_names_what_it_can(abay: AfterbaySite) -> None:
    """0.042 MW/min over an hour is 2.52 MW: 2.0 → 4.52."""
    state = unit_state(elevation_ft=1170, inflow_m3s=balanced_m3s(abay, 4.5))
    assert fly_afterbay(abay, state, power(4.52, *[4.52] * 11)).refusals == ()
    [refusal] = fly_afterbay(abay, state, power(4.55, *[4.52] * 11)).refusals
    assert (refusal.field, refusal.value) == ("intervals.0.targets.target_value", 4.55)
    assert refusal.expected.startswith("4.52 MW: what ramp and head allow")


def station_state(site: StationSite, *, level_m: float, inflow_m3s: float, steps: int = 16) -> StationState:
    volume = site.pumping_station.station.tunnel.volume_at(level_m)
    running = (0.0, 49.0, *[0.0] * 6)
    before = tuple(Before(hz > 0, 40) for hz in running)
    return StationState(TimeGrid(NOW, QUARTER, steps), volume, running, before, (inflow_m3s,) * steps)


def speeds(resource: str, *hertz: float) -> dict[str, list[Piece]]:
    return {resource: [Piece(NOW + i * QUARTER, NOW + (i + 1) * QUARTER, hz, i) for i, hz in enumerate(hertz)]}


def rules(flown: Flown) -> set[str]:
    return {refusal.expected.removeprefix("a plan that keeps ").split(":")[0] for refusal in flown.refusals}


def test_a_pump_that_starts_and_stops_too_soon_is_refused(station: StationSite) -> None:
    state = station_state(station, level_m=3.0, inflow_m3s=0.8)
    assert fly_station(station, state, speeds("P2_2", *[49.0] * 8, *[0.0] * 8), {}) == Flown((), ())
    short = fly_station(station, state, speeds("P2_2", *[49.0] * 7, *[0.0] * 9), {})
    assert rules(short) == {"minimum_run"}
    assert short.refusals[0].field == "intervals.0.targets.suggested_speed_hz"


def test_stopping_the_last_pump_and_a_speed_out_of_range_are_refused(station: StationSite) -> None:
    state = station_state(station, level_m=3.0, inflow_m3s=0.8)
    assert "minimum_pumps_on" in rules(fly_station(station, state, speeds("P1_2", *[0.0] * 16), {}))
    assert "frequency" in rules(fly_station(station, state, speeds("P2_2", *[45.0] * 16), {}))


def test_what_would_be_broken_without_the_plan_too_is_not_its_fault(station: StationSite) -> None:
    state = station_state(station, level_m=3.0, inflow_m3s=0.8)
    wrong = {"P1_2": [Piece(NOW, NOW + 16 * QUARTER, 45.0)]}
    assert fly_station(station, state, speeds("P2_2", *[49.0] * 16) | wrong, wrong).refusals == ()


def test_a_tunnel_that_fills_is_refused_where_more_pumps_could_keep_it_and_noted_where_not(
    station: StationSite,
) -> None:
    plan = speeds("P1_2", *[49.0] * 32)
    filling = station_state(station, level_m=7.9, inflow_m3s=2.5, steps=32)
    assert rules(fly_station(station, filling, plan, {"P2_2": [Piece(NOW, NOW + 32 * QUARTER, 49.0)]})) == {
        "maximum_level"
    }
    flood = fly_station(station, station_state(station, level_m=7.99, inflow_m3s=40.0, steps=32), plan, {})
    assert rules(flood) <= {"maximum_outflow", "minimum_run", "minimum_rest"}


def beyond_interlocks(flown: Flown) -> list[str]:
    return [note for note in flown.notes if "whatever the plan says" in note]


def to_level(site: StationSite, start_m: float, end_m: float) -> StationState:
    """A state of one quarter hour that ends at a level, with the pump that runs in it."""
    still = station_state(site, level_m=start_m, inflow_m3s=0.0, steps=1)
    tunnel = site.pumping_station.station.tunnel
    pumped = simulate_station(
        site.pumping_station.station,
        initial_volume_m3=still.volume_m3,
        frequency_hz=[still.frequency_hz],
        inflow_m3=[0.0],
        step_s=900,
    )
    flow_m3s = pumped.outflow_m3s[0] + (tunnel.water_at(end_m) - still.volume_m3) / 900
    return replace(still, inflow_m3s=(flow_m3s,))


@pytest.mark.parametrize(("end_m", "noted"), [(7.399, False), (7.401, True), (7.8, True)])
def test_above_the_level_at_which_the_gateway_starts_pumps_the_plan_is_taken_with_a_note(
    station: StationSite, end_m: float, noted: bool
) -> None:
    flown = fly_station(station, to_level(station, 7.35, end_m), speeds("P1_2", 49.0), {})
    assert flown.refusals == ()
    assert beyond_interlocks(flown) == (
        [
            f"{end_m:.3f} m at 2026-02-17T08:15:00Z is above 7.4 m (control.pumps.high_high), where the gateway starts pumps "
            "whatever the plan says; from there the station does not do as simulated"
        ]
        if noted
        else []
    )


@pytest.mark.parametrize(("end_m", "noted"), [(0.051, False), (0.049, True)])
def test_below_the_level_at_which_the_gateway_stops_all_pumps_the_plan_is_taken_with_a_note(
    station: StationSite, end_m: float, noted: bool
) -> None:
    flown = fly_station(station, to_level(station, 0.5, end_m), speeds("P1_2", 49.0), {})
    assert flown.refusals == ()
    told = beyond_interlocks(flown)
    assert [note.partition(" (")[0] for note in told] == (
        ["0.049 m at 2026-02-17T08:15:00Z is below 0.05 m"] if noted else []
    )


def test_of_each_interlock_the_first_instant_is_noted_and_the_start_counts(station: StationSite) -> None:
    plan = speeds("P1_2", *[49.0] * 16)
    [rises] = beyond_interlocks(fly_station(station, station_state(station, level_m=7.3, inflow_m3s=5.0), plan, {}))
    assert "at 2026-02-17T08:" in rises
    [begins] = beyond_interlocks(fly_station(station, station_state(station, level_m=7.5, inflow_m3s=0.0), plan, {}))
    assert begins.startswith("7.500 m at 2026-02-17T08:00:00Z is above 7.4 m")


def test_a_site_without_interlocks_has_no_such_note(station: StationSite) -> None:
    control = {name: part for name, part in station.section("control").items() if name != "pumps"}
    without = station.model_copy(update={"control": control})
    assert beyond_interlocks(fly_station(without, to_level(without, 7.35, 7.8), speeds("P1_2", 49.0), {})) == []


def test_a_pump_s_interval_begins_and_ends_with_a_quarter_hour() -> None:
    late = {"P1_2": [Piece(NOW, NOW + timedelta(minutes=20), 49.0, 3)]}
    refusal = off_the_grid(late, 900)
    assert refusal is not None
    assert refusal.field == "intervals.3.interval_end"
    assert "15 minutes" in refusal.expected


def test_a_site_says_what_becomes_of_what_cannot_be_simulated(abay: AfterbaySite) -> None:
    assert publishers_section(abay).when_not_simulated == "refuse"
    wrong = abay.model_copy(update={"publishers": {"when_not_simulated": "guess"}})
    with pytest.raises(ValueError, match="site abay: publishers: when_not_simulated"):
        publishers_section(wrong)


# ---------------------------------------------------------------- with ingest


@pytest.fixture
def ingest(ingest: Ingest, plans: Plans, sites: dict[str, AnySite]) -> Ingest:
    """Plans ask it from now on."""
    plans.vendors.preflight = Preflight(sites, plans.store, ingest.client)
    return ingest


async def tell_abay(ingest: Ingest, elevation_ft: float = 1168.4) -> None:
    """A day of measurements: 10 m³/s come in by the gauges."""
    hours = [NOW - k * HOUR for k in range(1, 26)]
    await ingest.measured("abay", names.ELEVATION, {NOW: elevation_ft * FT})
    await ingest.measured("abay", names.FLOAT_ELEVATION, {NOW - HOUR: 1173 * FT})
    flows = {names.R30_FLOW: 5.0, names.R4_FLOW: 0.0, names.R20_FLOW: 5.0, names.R5L_FLOW: 0.0, names.R26_FLOW: 0.0}
    for name, value in {**flows, names.MFRA_POWER: 0.0, names.OXPH_POWER: 2.0}.items():
        await ingest.measured("abay", name, dict.fromkeys(hours, value), Basis.HOUR_MEAN)


async def test_a_vendor_s_plan_is_simulated_from_what_ingest_knows(plans: Plans, ingest: Ingest) -> None:
    await plans.add("acme", preflight=True, max_priority=3)
    unknown = await plans.desk.take(unit_plan("s1", 2.0))
    assert [refusal.field for refusal in unknown.refusals] == ["preflight"]
    assert "elevation_m is not known" in unknown.refusals[0].expected
    await tell_abay(ingest)
    empties = await plans.desk.take(unit_plan("s2", *[4.5] * 12))
    assert any("at or above" in refusal.expected for refusal in empties.refusals), empties
    accepted = await plans.desk.take(unit_plan("s3", 0.9))
    assert accepted.accepted, accepted
    assert any("no forecast for this time" in note for note in accepted.notes)
    assert any(note.startswith("from elevation") for note in accepted.notes)
    assert await plans.desk.take(unit_plan("s3", 0.9)) == accepted


async def test_with_ingest_away_a_plan_is_refused_or_noted_as_the_site_says_never_passed_in_silence(
    plans: Plans, sites: dict[str, AnySite]
) -> None:
    await plans.add("acme", preflight=True)
    refused = await plans.desk.take(unit_plan("s1", 2.0))
    assert (refused.accepted, refused.refusals[0].field) == (False, "preflight")
    assert "ingest does not answer" in refused.refusals[0].expected
    lenient: dict[str, Any] = {
        name: site.model_copy(update={"publishers": {"when_not_simulated": "note"}}) for name, site in sites.items()
    }
    plans.vendors.preflight = Preflight(lenient, plans.store, plans.vendors.preflight._ingest)
    noted = await plans.desk.take(unit_plan("s2", 2.0))
    assert noted.accepted
    assert noted.notes[0].startswith("not simulated: ingest does not answer")


async def test_a_station_s_plan_is_simulated_from_what_ingest_knows(plans: Plans, ingest: Ingest) -> None:
    await plans.add("acme", sites=("blominmaki",), preflight=True)
    quarters = [NOW - k * QUARTER for k in range(1, 97)]
    await ingest.measured("blominmaki", names.TUNNEL_LEVEL, {NOW: 3.0})
    await ingest.measured("blominmaki", names.TUNNEL_INFLOW, dict.fromkeys(quarters, 0.8), Basis.QUARTER_HOUR_MEAN)
    for pump in PUMPS:
        series, hz = names.pump_series(pump, "frequency"), 49.0 if pump == "P1_2" else 0.0
        await ingest.measured("blominmaki", series, dict.fromkeys(quarters, hz), Basis.QUARTER_HOUR_MEAN)
        await ingest.measured("blominmaki", series, {NOW: hz})

    async def answered(number: int, *targets: PumpTargets, publisher: str = "acme", resource: str = "P2_2") -> Any:
        intervals = tuple(
            PlanInterval(
                resource=resource,
                resource_type=ResourceType.PUMP,
                interval_start=NOW + i * QUARTER,
                interval_end=NOW + (i + 1) * QUARTER,
                targets=each,
            )
            for i, each in enumerate(targets)
        )
        return await plans.desk.take(
            PlanSubmission(
                submission_id=f"s{number}", publisher=publisher, site="blominmaki", created_at=NOW, intervals=intervals
            )
        )

    runs, stands = (PumpTargets(suggested_speed_hz=hz) for hz in (49.0, 0.0))
    flows = PumpTargets(target_flow_m3h=1800.0)
    good = await answered(1, *[runs] * 8, *[stands] * 4)
    assert good.accepted, good
    assert any("the same time of the day before" in note for note in good.notes)
    short = await answered(2, *[runs] * 4, *[stands] * 4)
    assert [refusal.field for refusal in short.refusals] == ["intervals.0.targets.suggested_speed_hz"]
    assert "a run of 4 steps; at least 8 are right" in short.refusals[0].expected
    [no_speed] = (await answered(3, runs, flows)).refusals
    assert no_speed.expected.startswith("what it needs: intervals.1.targets names no suggested_speed_hz")
    assert not any("goes on" in note for note in good.notes)
    assert (await answered(4, *[flows] * 4, publisher="optimizer", resource="P2_3")).accepted
    beside = await answered(5, *[runs] * 8)
    assert "P2_3: its plan in force names no suggested_speed_hz; what it did before goes on" in beside.notes
