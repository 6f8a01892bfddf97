"""The plant against volumes worked out by hand, and its spillway, ramp, head limit and record."""

import ast
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pint
import pytest
import yaml

import headworks.simulators.plant as plant_module
from headworks.simulators.hydrology import BASE_CFS, Hydrology
from headworks.simulators.plant import Awards, Constants, Plant, constants_of

START, HOUR = datetime(2026, 2, 17, 8, tzinfo=UTC), timedelta(hours=1)
CUBIC_FEET_PER_ACRE_FOOT = 43560


@dataclass
class Steady(Hydrology):
    """Streams that never change [cfs]."""

    flows: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BASE_CFS, 0.0))

    def flow_cfs(self, gauge: str, at: datetime) -> float:
        return self.flows[gauge]


@dataclass
class Flat(Awards):
    """The same award every hour [MW]."""

    power_mw: float = 0.0

    def at(self, instant: datetime) -> float:
        return self.power_mw


def steady(constants: Constants, award_mw: float = 0.0, **flows: float) -> Plant:
    """A plant at 1170 ft and 2 MW, whose unit's offset from the award is none."""
    plant = Plant(constants, Steady({**dict.fromkeys(BASE_CFS, 0.0), **flows}), Flat(award_mw), START, 7)
    plant.elevation_ft, plant.power_mw, plant.setpoint_mw = 1170.0, 2.0, 2.0
    plant._rng = _NoNoise()  # type: ignore[assignment]
    plant._mfra_hour = -1
    return plant


class _NoNoise:
    def normal(self, _mean: float, _deviation: float) -> float:
        return 0.0


def storage_acre_ft(elevation_ft: float) -> float:
    return 0.6311303 * elevation_ft**2 - 1403.8 * elevation_ft + 780566


def test_the_plant_takes_nothing_from_headworks_own_physics() -> None:
    folder = Path(plant_module.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("headworks.") or name.startswith("headworks.simulators"), (file, name)


def test_an_hour_of_known_flows_changes_the_storage_by_the_volume(constants: Constants) -> None:
    # MFRA 0: the share's water is 18.54 cfs; OXPH 2 MW takes 163.73·2 + 83 = 410.46 cfs.
    # River 300 + 40 - 20 - 10 + R4 50 = 360; diverted R4 - R5L = 30; max(min(886, 18.54 + 30), 30) = 48.54.
    plant = steady(constants, R30=300, R4=50, R20=40, R5L=20, R26=10)
    before = storage_acre_ft(plant.elevation_ft)
    plant.advance(START + HOUR)
    assert plant.net_inflow_cfs == pytest.approx(360 + 48.54 - 410.46)
    acre_ft = (360 + 48.54 - 410.46) * 3600 / CUBIC_FEET_PER_ACRE_FOOT
    assert storage_acre_ft(plant.elevation_ft) - before == pytest.approx(acre_ft, abs=1e-6)


def test_the_upstream_share_is_cut_by_what_is_diverted_and_capped(constants: Constants) -> None:
    # R4 - R5L = 200: the cut is 20 MW; m = 0.59·(100 - 20) = 47.2; MF = 0.00943·47.2² + 5.6653·47.2 + 18.54.
    plant = steady(constants, award_mw=100, R4=220, R5L=20)
    plant.advance(START + timedelta(seconds=20))
    mf = 0.00943 * 47.2**2 + 5.6653 * 47.2 + 18.54
    assert plant.net_inflow_cfs == pytest.approx(220 - 20 + min(886, mf + 200) - 410.46)
    plant = steady(constants, award_mw=200, R4=220, R5L=20)
    plant.advance(START + timedelta(seconds=20))
    assert plant.net_inflow_cfs == pytest.approx(200 + 886 - 410.46)


def test_water_above_float_spills_and_only_there(constants: Constants) -> None:
    plant = steady(constants, R30=1500)
    plant.elevation_ft = 1172.99
    plant.advance(START + timedelta(seconds=20))
    assert plant.spill_cfs == 0.0
    assert plant.elevation_ft < 1173.0
    plant.advance(START + HOUR)
    assert plant.elevation_ft == pytest.approx(1173.0, abs=1e-9)
    assert plant.spill_cfs == pytest.approx(plant.net_inflow_cfs)
    plant._hydrology = Steady()
    plant.advance(START + 2 * HOUR)
    assert plant.spill_cfs == 0.0
    assert plant.elevation_ft < 1173.0


def test_the_volume_is_kept_when_it_spills(constants: Constants) -> None:
    plant = steady(constants, R30=2000)
    plant.elevation_ft = 1172.5
    before, spilt = storage_acre_ft(1172.5), 0.0
    net = 0.0
    for seconds in range(20, 3601, 20):
        plant.advance(START + timedelta(seconds=seconds))
        spilt += plant.spill_cfs * 20 / CUBIC_FEET_PER_ACRE_FOOT
        net += plant.net_inflow_cfs * 20 / CUBIC_FEET_PER_ACRE_FOOT
    assert storage_acre_ft(plant.elevation_ft) - before == pytest.approx(net - spilt, abs=1e-6)
    assert spilt > 0


def test_the_unit_ramps_at_its_rate_both_ways_and_stops_at_the_setpoint(constants: Constants) -> None:
    plant = steady(constants)
    plant.setpoint_mw = 4.0
    plant.advance(START + timedelta(minutes=10))
    assert plant.power_mw == pytest.approx(2.0 + 0.42)
    plant.advance(START + HOUR)
    assert plant.power_mw == pytest.approx(4.0)
    plant.setpoint_mw = 3.0
    plant.advance(START + HOUR + timedelta(minutes=10))
    assert plant.power_mw == pytest.approx(4.0 - 0.42)


def test_the_head_limits_the_unit(constants: Constants) -> None:
    plant = steady(constants, R30=900)
    plant.elevation_ft, plant.power_mw, plant.setpoint_mw = 1168.0, 5.0, 5.8
    plant.advance(START + HOUR)
    assert plant.power_mw == pytest.approx(0.0912 * plant.elevation_ft - 101.42, abs=1e-3)
    assert plant.power_mw < 5.2


def test_an_empty_reservoir_gives_no_more_than_comes_in(constants: Constants) -> None:
    plant = steady(constants, R30=200)
    plant.elevation_ft = 1150.01
    plant.advance(START + HOUR)
    assert plant.elevation_ft == pytest.approx(1150)
    assert plant.power_mw == pytest.approx((200 + 18.54 - 83) / 163.73)
    assert plant.net_inflow_cfs == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("asked", "given"), [(0.0, 0.8), (0.8, 0.8), (9.9, 5.2)])
def test_a_setpoint_outside_the_units_range_is_kept_in_it(constants: Constants, asked: float, given: float) -> None:
    plant = steady(constants, R30=600)
    plant.setpoint_mw = asked
    plant.advance(START + 3 * HOUR)
    assert plant.power_mw == pytest.approx(given, abs=0.15)


def test_the_record_gives_what_was_at_an_instant_and_the_mean_of_a_window(constants: Constants) -> None:
    plant = steady(constants)
    plant.setpoint_mw = 4.52
    plant.advance(START + HOUR)
    assert plant.value_at("oxph_power", START + HOUR) == pytest.approx(4.52)
    assert plant.value_at("oxph_power", START + timedelta(minutes=10, seconds=30)) == pytest.approx(2.42)
    mean = plant.mean("oxph_power", START + timedelta(minutes=1), START + HOUR)
    assert mean == pytest.approx(2.0 + 0.042 * 30)
    assert plant.value_at("oxph_power", START - 31 * HOUR) is None
    assert plant.mean("oxph_power", START + 2 * HOUR, START + 3 * HOUR) is None


def test_the_record_begins_thirty_hours_back_and_is_cut_at_eight_days(constants: Constants) -> None:
    plant = steady(constants)
    assert plant.history[0].at == START - timedelta(hours=29, minutes=59)
    plant.advance(START + timedelta(days=9))
    assert START <= plant.history[0].at <= START + timedelta(days=1)


def test_a_record_is_the_same_for_the_same_seed(constants: Constants, plant: Plant, hydrology: Hydrology) -> None:
    again = Plant(constants, hydrology, plant._award_mw, plant.at, 7)
    assert again.elevation_ft == plant.elevation_ft
    assert 1168 < plant.elevation_ft < 1173


def test_a_constant_of_the_wrong_dimension_is_refused(sites_folder: Path) -> None:
    site = yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8"))
    site["afterbay"]["unit"]["ramp_rate"] = "0.042 MW"
    with pytest.raises(pint.DimensionalityError, match="Cannot convert from 'megawatt'"):
        constants_of(site)


# ---------------------------------------------------------------- the streams


def test_streams_have_storms_and_calm_spells_and_never_run_dry() -> None:
    calm, storm = (Hydrology(7, scenario, START) for scenario in ("calm", "storm"))
    hours = [START + h * HOUR for h in range(24 * 20)]
    crests = [max(h.flow_cfs("R30", at) for at in hours) for h in (calm, storm)]
    assert crests[1] > 3 * crests[0]
    assert min(storm.flow_cfs(gauge, at) for gauge in BASE_CFS for at in hours) > 0


def test_the_same_seed_gives_the_same_streams_and_an_unknown_scenario_is_refused() -> None:
    assert Hydrology(3, "mixed", START).flow_cfs("R4", START) == Hydrology(3, "mixed", START).flow_cfs("R4", START)
    with pytest.raises(ValueError, match=r"scenario='flood' must be one of \['calm', 'mixed', 'storm'\]"):
        Hydrology(3, "flood", START)
