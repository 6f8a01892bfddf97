"""Points of PI, whatever they hold: each gets its value, its time and its quality, or is a flaw by name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.common.messages import Basis, Quality
from headworks.ingest.sections import PiSection
from headworks.ingest.sources.pi import Gathered, StreamSet, _read

NOW = datetime(2026, 2, 17, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"Value": 1171.2, "Good": True}, (Quality.GOOD, 1171.2 * 0.3048)),
        ({"Value": 1150, "Good": True}, (Quality.GOOD, 1150 * 0.3048)),
        ({"Value": 1149.99, "Good": True}, (Quality.SUSPECT, 1149.99 * 0.3048)),
        ({"Value": 1180.01, "Good": True}, (Quality.SUSPECT, 1180.01 * 0.3048)),
        ({"Value": 1171.2, "Good": True, "Questionable": True}, (Quality.SUSPECT, 1171.2 * 0.3048)),
        ({"Value": 1171.2, "Good": False}, (Quality.BAD, None)),
        ({"Value": {"Name": "I/O Timeout", "Value": 246, "IsSystem": True}, "Good": True}, (Quality.BAD, None)),
        ({"Value": {"Name": "I/O Timeout", "Value": 246}, "Good": False}, (Quality.BAD, None)),
        ({"Value": "I/O Timeout", "Good": False}, (Quality.BAD, None)),
        ({"Value": "Bad Input", "Good": True}, (Quality.BAD, None)),
        ({"Value": "Pt Created", "Good": False}, (Quality.MISSING, None)),
        ({"Value": {"Name": "No Data", "Value": 248, "IsSystem": True}, "Good": False}, (Quality.MISSING, None)),
        ({"Value": float("nan"), "Good": True}, (Quality.BAD, None)),
        ({"Value": float("inf"), "Good": True}, (Quality.BAD, None)),
        ({"Value": True, "Good": True}, (Quality.BAD, None)),
        ({"Value": None, "Good": True}, (Quality.BAD, None)),
        ({"Good": True}, (Quality.BAD, None)),
        ({"Value": 10**400, "Good": True}, (Quality.BAD, None)),
        ({"Value": [1], "Good": True}, (Quality.BAD, None)),
    ],
)
def test_each_kind_of_point_gets_its_quality(
    pi_section: PiSection, point: dict[str, Any], expected: tuple[Quality, float | None]
) -> None:
    [sample] = read(pi_section, 0, {"Timestamp": "2026-02-17T21:00:00Z", **point}).samples
    assert sample.quality is expected[0]
    assert sample.value == (None if expected[1] is None else pytest.approx(expected[1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Name": "SPILL", "Value": 1, "IsSystem": False}, (Quality.GOOD, 1.0)),
        ({"Name": "GEN", "Value": 0}, (Quality.GOOD, 0.0)),
        ({"Name": "I/O Timeout", "Value": 246, "IsSystem": True}, (Quality.BAD, None)),
        ({"Name": "Pt Created", "Value": 253, "IsSystem": True}, (Quality.MISSING, None)),
        ({"Name": "GEN"}, (Quality.BAD, None)),
        ("GEN", (Quality.BAD, None)),
        (1, (Quality.GOOD, 1.0)),
    ],
)
def test_an_enumeration_is_its_value_and_a_system_state_is_none(
    pi_section: PiSection, value: object, expected: tuple[Quality, float | None]
) -> None:
    [sample] = read(pi_section, 5, {"Timestamp": "2026-02-17T21:00:00Z", "Value": value, "Good": True}).samples
    assert (sample.quality, sample.value) == expected


def read(pi_section: PiSection, index: int, point: dict[str, Any]) -> Gathered:
    found = Gathered()
    _read(
        {"W": pi_section.series[index]},
        StreamSet.model_validate({"WebId": "W", "Value": point}),
        Basis.INSTANT,
        NOW,
        found,
    )
    return found


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-02-17T21:00:00.1234567Z", datetime(2026, 2, 17, 21, 0, 0, 123456, tzinfo=UTC)),
        ("2026-02-17T13:00:00-08:00", datetime(2026, 2, 17, 21, tzinfo=UTC)),
    ],
)
def test_times_are_read_with_their_zone(pi_section: PiSection, stamp: str, expected: datetime) -> None:
    [sample] = read(pi_section, 0, {"Timestamp": stamp, "Value": 1171.0, "Good": True}).samples
    assert sample.valid_at == expected


@pytest.mark.parametrize("stamp", ["yesterday", "2026-02-17T21:00:00", "", None, 5, "2026-02-18T21:00:00Z"])
def test_a_point_without_a_time_that_can_be_is_a_flaw_by_name(pi_section: PiSection, stamp: object) -> None:
    found = read(pi_section, 0, {"Timestamp": stamp, "Value": 1171.0, "Good": True})
    assert found.samples == []
    assert "elevation: PI gave a point" in found.flaws[0]


def test_a_value_that_a_person_put_in_says_so(pi_section: PiSection) -> None:
    point = {"Timestamp": "2026-02-17T21:00:00Z", "Value": 1171.0, "Good": True, "Substituted": True}
    [sample] = read(pi_section, 0, point).samples
    assert sample.substituted == "a person or a program put it into PI"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Value", "Good", "Type"]), inner),
    max_leaves=6,
)


@settings(max_examples=40)
@given(JSON, JSON, JSON)
def test_no_point_whatever_becomes_a_number_without_a_time_or_raises(value: Any, good: Any, stamp: Any) -> None:
    section = PiSection.model_validate(
        {
            "kind": "pi_web_api",
            "poll_every": "5 min",
            "history": "1 h",
            "data_server": "S",
            "database": "D",
            "series": [{"series": "elevation", "path": "a", "unit": "ft", "kind": "instant"}],
        }
    )
    for item in ({"Timestamp": stamp, "Value": value, "Good": good}, {"Type": "Average", "Value": value}):
        found = Gathered()
        stream = StreamSet.model_validate({"WebId": "W", "Items": [item]})
        _read({"W": section.series[0]}, stream, Basis.INSTANT, NOW, found)
        assert len(found.samples) + len(found.flaws) == 1
        assert all((s.value is None) == (s.quality in {Quality.BAD, Quality.MISSING}) for s in found.samples)
