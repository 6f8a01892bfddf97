"""The station against the table of the tunnel, the pumps' points and volumes worked out by hand; ramps, feedback, limits."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pint
import pytest
import yaml

from headworks.simulators.pump_machine import PumpMachine
from headworks.simulators.registers import pump_registers
from headworks.simulators.station_plant import FLOOD_M3H, StationPlant, pumps_of, tunnel_of
from headworks.simulators.tunnel_store import TunnelStore

START, HOUR = datetime(2026, 2, 17, 14, tzinfo=UTC), timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="session")
def site(sites_folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((sites_folder / "blominmaki.yaml").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def tunnel(site: dict[str, Any]) -> TunnelStore:
    return tunnel_of(site)


@pytest.fixture(scope="session")
def lived(site: dict[str, Any]) -> StationPlant:
    """A station with a past of two weeks, of a steady inflow; for reading."""
    return StationPlant(site, lambda _at: 5000.0, START)


@pytest.fixture
def station(site: dict[str, Any]) -> StationPlant:
    """A station at 3 m whose pumps stand, and into which 4,000 m³/h flow."""
    plant = StationPlant(site, lambda _at: 4000.0, START, past=timedelta(minutes=1))
    _stand(plant)
    _fill(plant, 3.0)
    return plant


def _stand(plant: StationPlant) -> None:
    for name, pump in plant.pumps.items():
        plant.pumps[name] = PumpMachine(pump.curves, pump.setpoint_hz)


def _fill(plant: StationPlant, level_m: float) -> None:
    plant.level_m, plant.volume_m3 = level_m, plant._tunnel.volume_m3(level_m)


# ---------------------------------------------------------------- the tunnel


@pytest.mark.parametrize(
    ("level_m", "volume_m3"),
    [
        (0.0, 0),
        (0.2, 175),
        (0.4, 350),
        (2.0, 2500 * 1.6**2 + 350),
        (5.9, 75975),
        (7.2, 27500 * 1.3 + 75975),
        (8.6, 150225),
        (10.0, 225850 - 2500 * 4.1**2),
        (14.1, 225850),
    ],
)
def test_the_tunnels_volume_is_the_official_table_with_an_even_sump_and_back(
    tunnel: TunnelStore, level_m: float, volume_m3: float
) -> None:
    assert tunnel.volume_m3(level_m) == pytest.approx(volume_m3)
    assert tunnel.level_m(volume_m3) == pytest.approx(level_m, abs=1e-6)


# ---------------------------------------------------------------- the pumps


@pytest.mark.parametrize(
    ("make", "level_m", "hertz", "flow_m3h", "power_kw"),
    [
        ("large", 0.5, 50.0, 2981, 389),
        ("large", 4.0, 50.0, 3548, 402),
        ("large", 8.0, 50.0, 4106, 407),
        ("small", 2.0, 50.0, 1674, 197),
        ("small", 8.0, 50.0, 2126, 208),
        ("large", 0.5, 47.8, 2258, 321),
        ("large", 6.0, 47.8, 3299, 350),
    ],
)
def test_pumps_move_and_draw_what_the_fitted_curves_say(
    site: dict[str, Any], make: str, level_m: float, hertz: float, flow_m3h: float, power_kw: float
) -> None:
    pooled = {"large": (4.07, 1.110), "small": (3.44, 1.042)}[make]
    entry = {"resource": "X", "make": make, "losses": f"{pooled[0]} m", "power_factor": pooled[1]}
    station = {**site["pumping_station"], "pumps": [entry]}
    curves = pumps_of({"pumping_station": station})["X"].curves
    flow = curves.flow_m3h(hertz, 30 - level_m)
    assert flow == pytest.approx(flow_m3h, rel=0.005)
    assert curves.power_kw(hertz, flow) == pytest.approx(power_kw, rel=0.005)


def test_a_pump_too_slow_for_the_lift_moves_nothing_and_still_draws_power(station: StationPlant) -> None:
    curves = station.pumps["P1_2"].curves
    assert curves.flow_m3h(35.0, 27.0) == 0.0
    assert 0 < curves.power_kw(35.0, 0.0) < 100
    assert (curves.flow_m3h(0.0, 27.0), curves.power_kw(0.0, 0.0)) == (0.0, 0.0)


def test_a_pump_ramps_and_its_feedback_comes_some_seconds_later(station: StationPlant) -> None:
    pump = station.pumps["P1_2"]
    pump.commanded, pump.setpoint_hz = True, 49.0
    station.advance(START + 2 * SECOND, SECOND)
    assert (pump.frequency_hz, pump.feedback) == (2.0, False)
    station.advance(START + 3 * SECOND, SECOND)
    assert (pump.feedback, pump.in_state_s) == (True, 0.0)
    station.advance(START + 60 * SECOND)
    assert pump.in_state_s == 57.0
    assert pump.frequency_hz == 49.0
    assert pump.flow_m3h > 2500
    pump.commanded = False
    station.advance(START + 80 * SECOND)
    assert pump.frequency_hz == pytest.approx(29.0)
    assert (pump.flow_m3h, pump.feedback) == (0.0, True)
    station.advance(START + 120 * SECOND)
    assert (pump.frequency_hz, pump.power_kw, pump.feedback) == (0.0, 0.0, False)


# ---------------------------------------------------------------- the volume


def test_an_hour_of_inflow_without_pumps_changes_the_volume_by_it(station: StationPlant) -> None:
    station.advance(START + HOUR)
    assert station.volume_m3 == pytest.approx(2500 * 2.6**2 + 350 + 4000)
    assert station.level_m == pytest.approx(0.4 + ((station.volume_m3 - 350) / 2500) ** 0.5)


def test_what_pumps_move_leaves_the_tunnel(station: StationPlant) -> None:
    pump = station.pumps["P2_3"]
    pump.commanded, pump.frequency_hz = True, 50.0
    before, moved_m3 = station.volume_m3, 0.0
    for minute in range(1, 61):
        station.advance(START + timedelta(minutes=minute))
        moved_m3 += station.outflow_m3h / 60
    assert station.volume_m3 - before == pytest.approx(4000 - moved_m3, abs=5)
    assert moved_m3 > 3000


def test_what_is_not_there_is_not_pumped_and_what_has_no_room_runs_over_and_both_are_counted(
    station: StationPlant,
) -> None:
    for pump in station.pumps.values():
        pump.commanded, pump.frequency_hz = True, 50.0
    _fill(station, 0.6)
    station.advance(START + HOUR)
    assert station.level_m == pytest.approx(0.0)
    assert station.history[-1].values["volume"] == 350
    assert station.short_m3 > 1000
    assert station.overflow_m3 == 0
    _stand(station)
    _fill(station, 14.09)
    station.flooded = True
    before = station.volume_m3
    station.advance(START + 2 * HOUR)
    assert station.level_m == pytest.approx(14.1)
    assert station.overflow_m3 == pytest.approx(4000 + FLOOD_M3H - (225850 - before))


# ---------------------------------------------------------------- the record


def test_the_past_of_a_station_is_two_weeks_without_a_drop_lacking_or_lost(lived: StationPlant) -> None:
    assert lived.history[0].at <= START - timedelta(days=14)
    assert lived.at == lived.history[-1].at == START
    assert (lived.short_m3, lived.overflow_m3) == (0.0, 0.0)
    levels = [reading.values["level"] for reading in lived.history]
    assert min(levels) > 1.0
    assert max(levels) < 7.2
    # What came in and did not leave is what there is more.
    inside = [lived.mean(name, START - 24 * HOUR, START) for name in ("inflow", "outflow")]
    assert inside[0] is not None
    assert inside[1] is not None
    change = lived.volume_m3 - (lived.value_at("volume", START - 24 * HOUR) or 0.0)
    assert change == pytest.approx((inside[0] - inside[1]) * 24, abs=300)


def test_pumps_ran_and_rested_two_hours_at_least_in_the_past(lived: StationPlant) -> None:
    for name in lived.pumps:
        turns = [reading.values[f"{name}_frequency"] > 10 for reading in lived.history]
        changes = [i for i in range(1, len(turns)) if turns[i] != turns[i - 1]]
        lengths = [b - a for a, b in pairwise(changes)]
        assert min(lengths, default=120) >= 118, name


def test_the_past_is_the_same_each_time(site: dict[str, Any], lived: StationPlant) -> None:
    again = StationPlant(site, lambda _at: 5000.0, START)
    assert again.history == lived.history


def test_every_tag_has_a_value(lived: StationPlant) -> None:
    assert len(lived.tags) == 4 + 3 * 8
    for tag in lived.tags.values():
        assert lived.value_at(tag.name, START) is not None
    assert lived.tags["Tunnel|Inflow"].unit == "m3/h"


def test_a_number_of_the_wrong_dimension_is_refused(site: dict[str, Any]) -> None:
    wrong = yaml.safe_load(yaml.safe_dump(site))
    wrong["pumping_station"]["tunnel"]["outlet_level"] = "30 m**2"
    with pytest.raises(pint.DimensionalityError):
        StationPlant(wrong, lambda _at: 5000.0, START)


# ---------------------------------------------------------------- the registers


@pytest.fixture
def machines(station: StationPlant) -> list[PumpMachine]:
    return [station.pumps[name] for name in ("P1_1", "P1_2", "P1_3", "P1_4")]


def test_each_pump_has_its_ten_addresses(machines: list[PumpMachine]) -> None:
    registers = pump_registers(machines, lambda: 2.3456)
    assert sorted(registers.orders) == [100, 102, 110, 112, 120, 122, 130, 132]
    machines[2].frequency_hz, machines[2].flow_m3h, machines[2].power_kw, machines[2].feedback = (
        48.83,
        3012.6,
        401.26,
        True,
    )
    assert [registers.read("input", 120 + i) for i in range(4)] == [4883, 1, 3013, 4013]
    assert registers.read("input", 200) == 2346
    assert registers.read("input", 140) is None
    machines[2].in_state_s = 179.9
    assert registers.read("input", 124) == 2
    machines[2].in_state_s = 1e7
    assert registers.read("input", 124) == 65535
    assert registers.read("holding", 300) is None


@pytest.mark.parametrize(("counts", "taken"), [(1499, False), (1500, True), (5500, True), (5501, False), (0, False)])
def test_a_speed_that_the_drive_cannot_take_is_not_taken_over(
    machines: list[PumpMachine], counts: int, taken: bool
) -> None:
    registers = pump_registers(machines, lambda: 2.0)
    registers.write(110, counts)
    assert [registers.read("holding", at) for at in (110, 111)] == [counts, counts if taken else 5000]
    assert machines[1].setpoint_hz == (counts / 100 if taken else 50.0)


def test_a_run_command_is_one_or_nought_and_a_power_cycle_leaves_the_pumps_as_they_were(
    machines: list[PumpMachine],
) -> None:
    registers = pump_registers(machines, lambda: 2.0)
    registers.write(132, 1)
    registers.write(132, 7)
    assert [registers.read("holding", at) for at in (132, 133)] == [7, 1]
    assert machines[3].commanded
    registers.restart()
    assert [registers.read("holding", at) for at in (130, 131, 132, 133)] == [0, 0, 0, 0]
    assert machines[3].commanded
