"""Quantities are read with their units, and wrong ones are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.waterway.quantities import check_unit, from_si, in_unit


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1168 ft", "m", 356.0064),
        ("1 cfs", "m**3/s", 0.028316846592),
        ("1 acre_ft", "m**3", 1233.48183754752),
        ("0.042 MW/min", "MW/min", 0.042),
        ("163.73 cfs/MW", "m**3/s/MW", 4.636317292508),
        ("24 h", "s", 86400.0),
    ],
)
def test_a_quantity_becomes_si(text: str, unit: str, value: float) -> None:
    assert in_unit(text, unit) == pytest.approx(value, rel=1e-9)


def test_an_acre_foot_in_an_hour_is_twelve_cfs() -> None:
    assert in_unit("1 acre_ft", "cfs*h") == pytest.approx(12.1)


@pytest.mark.parametrize("value", [1168, 1168.0, None, True, ["1168 ft"]])
def test_a_bare_number_is_refused_where_a_unit_is_due(value: object) -> None:
    with pytest.raises(ValueError, match="has no unit"):
        in_unit(value, "m")


@pytest.mark.parametrize(
    "text", ["1168", "1168 cfs", "1168 furlongs per", "", "ft", "nan ft", "inf ft", "__import__('os')", "1 ft; 2 ft"]
)
def test_what_is_no_length_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="must convert to m"):
        in_unit(text, "m")


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_display_and_back_is_the_same(value: float) -> None:
    assert in_unit(f"{from_si(value, 'm', 'ft')!r} ft", "m") == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_a_unit_is_checked_for_what_it_measures() -> None:
    assert check_unit("acre_ft", "m**3") == "acre_ft"
    with pytest.raises(ValueError, match="does not convert"):
        check_unit("ft", "m**3")
    with pytest.raises(ValueError, match="no known unit"):
        check_unit("cubits_of_noah", "m")
