"""The simulation loses no water, spills at float alone, and follows setpoints as far as ramp and head allow."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.waterway.afterbay import head_limit_mw, unit_flow_m3s
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.simulate import Trajectory, simulate

FT, CFS = 0.3048, 0.3048**3
FLOAT_M = 1173 * FT
DAY = st.integers(1, 24)


def run(
    site: AfterbaySite,
    setpoint_mw: list[float],
    inflow_cfs: list[float],
    start_ft: float = 1170,
    power_mw: float | None = None,
) -> Trajectory:
    return simulate(
        site.afterbay.reservoir.stage_storage.curve,
        site.afterbay.unit,
        initial_elevation_m=start_ft * FT,
        initial_power_mw=power_mw,
        setpoint_mw=setpoint_mw,
        inflow_m3s=[flow * CFS for flow in inflow_cfs],
        float_elevation_m=FLOAT_M,
        step_s=3600,
    )


def test_a_steady_state_stays(site: AfterbaySite) -> None:
    steady = run(site, [3.0] * 24, [163.73 * 3 + 83] * 24)
    assert steady.elevation_m == pytest.approx([1170 * FT] * 24)
    assert steady.spill_m3s == (0.0,) * 24


def test_a_hundredth_of_a_foot_is_about_nine_cfs_hours(site: AfterbaySite) -> None:
    risen = run(site, [3.0], [163.73 * 3 + 83 + 9])
    assert (risen.elevation_m[0] / FT - 1170) == pytest.approx(0.01, rel=0.06)


hours = st.lists(st.tuples(st.floats(0.8, 5.8), st.floats(0, 3000)), min_size=1, max_size=48)


@settings(max_examples=60, deadline=None)
@given(hours=hours, start_ft=st.floats(1165, 1174), power_mw=st.floats(0.8, 5.0))
def test_the_rules_hold_for_any_schedule(
    site: AfterbaySite, hours: list[tuple[float, float]], start_ft: float, power_mw: float
) -> None:
    curve, unit = site.afterbay.reservoir.stage_storage.curve, site.afterbay.unit
    try:
        path = run(site, [p for p, _ in hours], [q for _, q in hours], start_ft, power_mw)
    except OutOfRange:
        return
    full_m3, before_m3 = curve.storage_at(FLOAT_M), curve.storage_at(start_ft * FT)
    for t, storage_m3 in enumerate(path.storage_m3):
        assert path.outflow_m3s[t] == unit_flow_m3s(unit, path.power_mw[t])
        kept_m3 = (path.inflow_m3s[t] - path.outflow_m3s[t] - path.spill_m3s[t]) * 3600
        assert storage_m3 - before_m3 == pytest.approx(kept_m3, abs=1e-3)
        assert storage_m3 <= full_m3
        assert path.spill_m3s[t] == 0 or storage_m3 == full_m3
        lowest_m = curve.elevation_at(min(before_m3, storage_m3, full_m3))
        assert path.power_mw[t] <= max(head_limit_mw(unit, lowest_m), unit.min_power) + 1e-9
        assert path.power_mw[t] <= max(hours[t][0], path.power_mw[t - 1] - 2.52 if t else power_mw - 2.52) + 1e-9
        before_m3 = storage_m3
    for before, after in pairwise((power_mw, *path.power_mw)):
        assert after - before <= 2.52 + 1e-9


def test_the_ramp_holds_the_generation_back(site: AfterbaySite) -> None:
    path = run(site, [5.0, 5.0, 0.8, 0.8], [700] * 4, power_mw=1.0)
    assert path.power_mw == pytest.approx([3.52, 5.0, 2.48, 0.8])


def test_a_reported_power_outside_the_unit_is_brought_into_its_range(site: AfterbaySite) -> None:
    assert run(site, [5.0], [700], power_mw=0.0).power_mw == pytest.approx([0.8 + 2.52])


def test_the_head_holds_the_generation_back(site: AfterbaySite) -> None:
    path = run(site, [5.8] * 3, [163.73 * 5.1 + 83] * 3, start_ft=1168)
    assert path.power_mw[0] == pytest.approx(5.10, abs=0.005)


def test_a_start_above_float_spills_at_once(site: AfterbaySite) -> None:
    path = run(site, [3.0], [163.73 * 3 + 83], start_ft=1173.5)
    curve = site.afterbay.reservoir.stage_storage.curve
    assert path.elevation_m[0] == pytest.approx(FLOAT_M)
    carried_m3 = curve.storage_at(1173.5 * FT) - curve.storage_at(FLOAT_M)
    assert path.spill_m3s[0] * 3600 == pytest.approx(carried_m3)


def test_a_reservoir_that_runs_dry_is_an_error(site: AfterbaySite) -> None:
    with pytest.raises(OutOfRange, match="outside the curve"):
        run(site, [4.0] * 100, [0.0] * 100, start_ft=1151)


def test_unequal_lengths_are_refused(site: AfterbaySite) -> None:
    with pytest.raises(ValueError, match="2 steps and inflow_m3s 1"):
        run(site, [1.0, 1.0], [500])
