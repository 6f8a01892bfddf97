"""What stands in for something unknown is said: each such case of the preflight, with a real ingest."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from ingest_rig import Ingest
from vendor_rig import FT, HOUR, NOW

from headworks.common.messages import Basis
from headworks.plans.preflight.afterbay import AfterbayState
from headworks.plans.preflight.conditions import afterbay_state, station_state
from headworks.plans.preflight.station import StationState
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
STANDS = {names.OXPH_POWER: 2.0, names.FLOAT_ELEVATION: 1172 * FT, names.MODE: 0.0}


async def abay_state(
    ingest: Ingest, site: AfterbaySite, stands: Mapping[str, float], age: timedelta = timedelta(0)
) -> AfterbayState:
    """Elevation, gauges and MFRA are known, and of the rest what `stands` says, so old."""
    await ingest.measured("abay", names.ELEVATION, {NOW: 1170 * FT})
    for name in (*names.GAUGES, names.MFRA_POWER):
        await ingest.measured("abay", name, {NOW - HOUR: 5.0}, Basis.HOUR_MEAN)
    for name, value in stands.items():
        await ingest.measured("abay", name, {NOW - age: value})
    state = await afterbay_state(site, ingest.client, NOW, 4)
    assert isinstance(state, AfterbayState), state
    return state


def told(state: AfterbayState | StationState, about: str) -> list[str]:
    return [note for note in state.notes if note.startswith(about)]


async def test_of_what_is_known_nothing_is_said_to_stand_in(ingest: Ingest, abay: AfterbaySite) -> None:
    state = await abay_state(ingest, abay, STANDS)
    assert (state.power_mw, state.float_m) == (2.0, 1172 * FT)
    assert [told(state, name) for name in STANDS] == [[], [], []]
    [ground] = told(state, "from elevation")
    assert "power 2.00 MW, float 357.226 m, mode GEN" in ground
    assert "persistence 4 h" in ground, "what MFRA's power is taken from"


async def test_each_stand_in_at_the_afterbay_is_noted(ingest: Ingest, abay: AfterbaySite) -> None:
    state = await abay_state(ingest, abay, {})
    assert told(state, "oxph_power_mw") == ["oxph_power_mw is not known; the unit's minimum of 0.8 MW stands in for it"]
    assert told(state, "float_elevation_m") == [
        "float_elevation_m is not known; the site file's 357.530 m stands in for it"
    ]
    assert told(state, "mode") == ["mode is not known; GEN stands in for it"]
    assert told(state, "inflow bias") == [
        "inflow bias is not known: no hour of its window is whole; 0 stands in for it"
    ]
    assert told(state, "r30_flow_m3s") == [
        "r30_flow_m3s: no forecast for this time; the last value, of 2026-02-17T07:00:00Z, is held"
    ]


async def test_a_unit_that_stands_still_is_no_unknown_one(ingest: Ingest, abay: AfterbaySite) -> None:
    state = await abay_state(ingest, abay, STANDS | {names.OXPH_POWER: 0.0})
    assert (state.power_mw, told(state, "oxph_power_mw")) == (0.0, [])


@pytest.mark.parametrize(
    ("series", "oldest", "said"),
    [(names.OXPH_POWER, 6 * HOUR, "6:00:00"), (names.FLOAT_ELEVATION, DAY, "1 day, 0:00:00")],
)
async def test_what_is_older_than_the_site_file_allows_is_used_and_noted(
    ingest: Ingest, abay: AfterbaySite, series: str, oldest: timedelta, said: str
) -> None:
    assert told(await abay_state(ingest, abay, STANDS, oldest), series) == []
    aged = await abay_state(ingest, abay, {}, oldest)
    assert told(aged, series) == []
    older = await afterbay_state(abay, ingest.client, NOW + timedelta(seconds=1), 4)
    assert isinstance(older, AfterbayState)
    assert told(older, series) == [f"{series} of {NOW - oldest:%FT%TZ} is older than {said}; it is used all the same"]


@pytest.mark.parametrize("number", [7.0, 0.5])
async def test_a_mode_that_the_site_file_does_not_name_is_noted(
    ingest: Ingest, abay: AfterbaySite, number: float
) -> None:
    state = await abay_state(ingest, abay, STANDS | {names.MODE: number})
    assert told(state, "mode") == [f"mode {number:g} is none of [0, 1]; GEN stands in for it"]


async def test_the_mode_as_last_seen_goes_on_however_long_ago_that_was(ingest: Ingest, abay: AfterbaySite) -> None:
    state = await abay_state(ingest, abay, {names.MODE: 1.0}, 4 * DAY)
    assert "mode SPILL" in told(state, "from elevation")[0]
    assert told(state, "mode") == ["mode of 2026-02-13T08:00:00Z is older than 1 day, 0:00:00; it is used all the same"]


async def pumps_state(
    ingest: Ingest, site: StationSite, *, level_m: float = 3.0, known: Mapping[str, int] | None = None
) -> StationState:
    """All pumps stand, and have stood for a day; of those that `known` names so many quarter hours are known."""
    quarters = [NOW - k * QUARTER for k in range(1, 97)]
    await ingest.measured(site.site, names.TUNNEL_LEVEL, {NOW: level_m})
    await ingest.measured(site.site, names.TUNNEL_INFLOW, dict.fromkeys(quarters, 0.8), Basis.QUARTER_HOUR_MEAN)
    for pump in site.pumping_station.pumps:
        series, steps = names.pump_series(pump.resource, "frequency"), (known or {}).get(pump.resource, 96)
        await ingest.measured(site.site, series, {NOW: 0.0})
        if steps:
            await ingest.measured(site.site, series, dict.fromkeys(quarters[:steps], 0.0), Basis.QUARTER_HOUR_MEAN)
    state = await station_state(site, ingest.client, NOW, 4)
    assert isinstance(state, StationState), state
    return state


async def test_pumps_whose_last_start_or_stop_is_not_known_are_named(ingest: Ingest, station: StationSite) -> None:
    state = await pumps_state(ingest, station, known={"P1_1": 8, "P1_2": 7, "P2_1": 0})
    assert [before.steps for before in state.before[:2]] == [8, 7]
    assert state.before[4] == Before(on=False, steps=0)
    assert told(state, "P") == [
        "P1_2, P2_1: for how long they have run or stood is not known; they count as begun where their record begins"
    ]


async def test_a_tunnel_that_is_nearly_empty_is_not_taken_for_a_full_sump(ingest: Ingest, station: StationSite) -> None:
    state = await pumps_state(ingest, station, level_m=0.04)
    assert station.pumping_station.station.tunnel.level_at(state.volume_m3) == pytest.approx(0.04)
    assert state.volume_m3 == pytest.approx(35.0), "of the sump's 350 m³ at 0.4 m"
