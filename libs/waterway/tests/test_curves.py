"""Stage-storage, both ways, against the operators' numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange, StageStorage
from headworks.waterway.quantities import from_si, in_unit

FT = 0.3048


@pytest.fixture(scope="module")
def curve(site: AfterbaySite) -> StageStorage:
    return site.afterbay.reservoir.stage_storage.curve


def test_the_facts_numbers_hold(curve: StageStorage) -> None:
    assert from_si(curve.area_at(1168 * FT), "m**2", "acre_ft/ft") == pytest.approx(70.5, abs=0.05)
    assert from_si(curve.area_at(1173 * FT), "m**2", "acre_ft/ft") == pytest.approx(76.8, abs=0.05)
    held_m3 = curve.storage_at(1172.5 * FT) - curve.storage_at(1168 * FT)
    assert from_si(held_m3, "m**3", "acre_ft") == pytest.approx(330, abs=1)
    assert held_m3 / in_unit("1000 cfs", "m**3/s") / 3600 == pytest.approx(4, abs=0.01)


@given(feet=st.floats(1150, 1180))
def test_there_and_back_is_the_same(site: AfterbaySite, feet: float) -> None:
    curve = site.afterbay.reservoir.stage_storage.curve
    elevation_m = min(max(feet * FT, curve.lowest_m), curve.highest_m)
    assert curve.elevation_at(curve.storage_at(elevation_m)) == pytest.approx(elevation_m, abs=1e-9)


@given(low=st.floats(1150, 1179.99), rise=st.floats(0.001, 30))
def test_storage_rises_with_elevation(site: AfterbaySite, low: float, rise: float) -> None:
    curve = site.afterbay.reservoir.stage_storage.curve
    low_m, high_m = max(curve.lowest_m, low * FT), min(curve.highest_m, (low + rise) * FT)
    if low_m < high_m:
        assert curve.storage_at(low_m) < curve.storage_at(high_m)


def test_nothing_is_extrapolated(curve: StageStorage) -> None:
    for elevation_m in (curve.lowest_m - 1e-6, curve.highest_m + 1e-6, float("nan")):
        with pytest.raises(OutOfRange):
            curve.storage_at(elevation_m)
    for storage_m3 in (curve.storage_at(curve.lowest_m) - 1, curve.storage_at(curve.highest_m) + 1, float("nan")):
        with pytest.raises(OutOfRange, match="outside the curve"):
            curve.elevation_at(storage_m3)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"a": 0.0}, "above zero"), ({"highest_m": 300.0}, "below highest"), ({"lowest_m": 300.0}, "storage falls")],
)
def test_a_curve_that_does_not_rise_is_refused(curve: StageStorage, change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(curve, **change)
