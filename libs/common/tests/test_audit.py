"""The chain: any change, gap, swap or foreign entry is found at its place, and what is whole is said to be."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.audit import (
    BEGINNING,
    AuditEvent,
    Broken,
    Category,
    Head,
    Link,
    Result,
    Whole,
    read_links,
    verify,
)

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


def event(number: int) -> AuditEvent:
    return AuditEvent(
        event_id=f"e{number}",
        at=NOW,
        source="gateway-a",
        category=Category.CONTROL_SYSTEM,
        event_type="e_stop_pressed",
        result=Result.SUCCESS,
        actor="ann",
        subject="abay",
        reason="Rauch im Krafthaus, größer als 5 m³",
        details={"level_m": 1e-07, "number": number},
    )


def chain(length: int, name: str = "gateway-a") -> list[Link]:
    head, links = Head(name), []
    for number in range(length):
        link = head.link("audit", event(number).model_dump(mode="json"))
        head = head.after(link)
        links.append(link)
    return links


def lines(links: list[Link]) -> list[str]:
    return [link.line() + "\n" for link in links]


def test_what_was_written_is_whole_after_a_round_trip() -> None:
    links = chain(5)
    assert links[0].previous == BEGINNING
    assert verify(read_links(lines(links))) == Whole(1, 5, links[-1].hash)
    assert AuditEvent.model_validate(links[3].body) == event(3)


def test_a_chain_may_begin_later_but_only_where_it_is_said_to() -> None:
    links = chain(5)
    assert verify(read_links(lines(links[2:]))) == Whole(3, 5, links[-1].hash)
    whole = verify(read_links(lines(links[2:])), begins=Head("gateway-a", 2, links[1].hash))
    assert whole == Whole(3, 5, links[-1].hash)
    cut = verify(read_links(lines(links[2:])), begins=Head("gateway-a"))
    assert isinstance(cut, Broken)
    assert "sequence 1 was expected" in cut.why


def test_nothing_is_whole_and_empty() -> None:
    assert verify([]) == Whole(1, 0, BEGINNING)


@pytest.mark.parametrize(
    ("find", "put", "why"),
    [
        ('"actor":"ann"', '"actor":"bob"', "content was changed"),
        ('"level_m":1e-07', '"level_m":2e-07', "content was changed"),
        ('"level_m":1e-07', '"level_m":0.0000001', "not as it was written"),
        ('"actor":"ann"', '"actor":"bob","actor":"ann"', "not as it was written"),
        ('"kind":"audit"', '"kind":"other"', "content was changed"),
        ('"sequence":3', '"sequence":4', "sequence 3 was expected"),
        ('"chain":"gateway-a"', '"chain":"gateway-b"', "another chain"),
        ("{", "", "not a link"),
    ],
)
def test_a_changed_entry_is_found_where_it_is(find: str, put: str, why: str) -> None:
    written = lines(chain(5))
    assert find in written[2]
    written[2] = written[2].replace(find, put, 1)
    broken = verify(read_links(written))
    assert isinstance(broken, Broken)
    assert broken.where.startswith("line 3")
    assert why in broken.why


def test_an_entry_taken_out_put_in_or_swapped_is_found() -> None:
    links, other = chain(5), chain(5, "gateway-b")
    for spoilt in (links[:2] + links[3:], [links[0], links[0], *links[1:]], [links[0], links[2], links[1], *links[3:]]):
        assert isinstance(verify(read_links(lines(spoilt))), Broken)
    assert isinstance(verify(read_links(lines([*links[:2], other[2]]))), Broken)


def test_a_changed_entry_with_a_new_hash_breaks_at_the_next() -> None:
    links = chain(4)
    forged = Head("gateway-a", 1, links[0].hash).link("audit", event(99).model_dump(mode="json"))
    broken = verify(read_links(lines([links[0], forged, *links[2:]])))
    assert isinstance(broken, Broken)
    assert broken.where.startswith("line 3")
    assert "does not follow" in broken.why


def test_a_first_link_with_something_before_it_is_none() -> None:
    forged = Head("gateway-a", 0, "1" * 64).link("audit", {})
    assert isinstance(verify([("line 1", forged)]), Broken)


def test_what_json_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Head("a").link("audit", {"x": float("nan")})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=5))
def test_any_content_is_whole_after_a_round_trip(bodies: list[dict[str, object]]) -> None:
    head, written = Head("any"), []
    for body in bodies:
        link = head.link("audit", body)
        head = head.after(link)
        written.append(link.line() + "\n")
    assert verify(read_links(written)) == Whole(1, len(bodies), head.hash)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=5))
def test_a_line_made_at_once_is_that_of_its_link(bodies: list[dict[str, object]]) -> None:
    head = at_once = Head("gateway-a")
    for body in bodies:
        link = head.link("audit", body)
        head = head.after(link)
        line, at_once = at_once.line("audit", body)
        assert (line, at_once) == (link.line(), head)


def test_a_line_of_what_json_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Head("gateway-a").line("audit", {"level_m": float("nan")})
