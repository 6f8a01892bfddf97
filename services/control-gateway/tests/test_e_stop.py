"""Emergency stops: in force is what somebody pressed and two people did not end, whatever came in which order from where."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from time_rig import NOW, SECOND, TICK

from headworks.control_gateway.e_stop import (
    CLOCKS_APART,
    CONFIRM_WITHIN,
    KEPT_AT_MOST,
    ClearRequest,
    EStops,
    Press,
    Scope,
)

SYSTEM, SITE, UNIT = Scope(), Scope(site="abay"), Scope(site="abay", resource="OXPH")
OTHER = Scope(site="other")


def id_of(number: int) -> str:
    return f"{number:032x}"


def press(number: int, scope: Scope = SITE, after_s: float = 0.0, by: str = "ann") -> Press:
    return Press(press_id=id_of(number), scope=scope, by=by, at=NOW + timedelta(seconds=after_s))


def request(
    *numbers: int, scope: Scope = SITE, after: timedelta = timedelta(0), by: str = "bob", reason: str = ""
) -> ClearRequest:
    return ClearRequest(scope=scope, presses=tuple(map(id_of, numbers)), by=by, reason=reason, at=NOW + after)


# ---------------------------------------------------------------- what a stop covers


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [
        (SYSTEM, [(site, resource) for site in ("abay", "other") for resource in (None, "OXPH", "X")]),
        (SITE, [("abay", None), ("abay", "OXPH"), ("abay", "X")]),
        (UNIT, [("abay", "OXPH")]),
    ],
)
def test_a_stop_covers_its_level_and_what_is_below(scope: Scope, stopped: list[tuple[str, str | None]]) -> None:
    stops = EStops().with_press(press(1, scope))
    places = [(site, resource) for site in ("abay", "other") for resource in (None, "OXPH", "X")]
    assert [place for place in places if stops.stopped(*place)] == stopped
    assert [place for place in places if scope.covers(*place)] == stopped


def test_a_scope_and_who_pressed_are_told_as_people_read_them() -> None:
    assert [str(scope) for scope in (SYSTEM, SITE, UNIT)] == ["system", "abay", "abay/OXPH"]
    assert press(1).told == "ann"
    assert press(1).model_copy(update={"reason": "smoke"}).told == "ann: smoke"


def test_each_press_has_an_id_of_its_own() -> None:
    one, other = (Press(scope=SITE, by="ann", at=NOW) for _ in range(2))
    assert one.press_id != other.press_id
    for wrong in ("", "x" * 32, "0" * 31, "A" * 32):
        with pytest.raises(ValidationError):
            Press(press_id=wrong, scope=SITE, by="ann", at=NOW)


def test_the_oldest_press_that_covers_a_place_stops_it() -> None:
    stops = EStops(presses=(press(3, SYSTEM, 2), press(2, UNIT, 1), press(1, OTHER, 0), press(4, UNIT, 1)))
    assert [p.press_id for p in stops.active()] == list(map(id_of, (1, 2, 4, 3)))
    assert stops.stopped("abay", "OXPH") == press(2, UNIT, 1)
    assert stops.stopped("abay") == press(3, SYSTEM, 2)
    assert stops.stopped("other") == press(1, OTHER, 0)
    assert EStops(presses=stops.presses, ended=tuple(map(id_of, (1, 2, 3)))).active() == (press(4, UNIT, 1),)
    assert EStops().stopped("abay") is None


def test_the_presses_of_just_one_scope_are_asked_for() -> None:
    stops = EStops(presses=(press(1, SYSTEM), press(2, SITE), press(3, UNIT), press(4, SITE)), ended=(id_of(4),))
    for scope, number in ((SYSTEM, 1), (SITE, 2), (UNIT, 3)):
        assert stops.active(scope) == (press(number, scope),)
    assert stops.active(OTHER) == ()


# ---------------------------------------------------------------- two people end one


@pytest.mark.parametrize(
    ("by", "person", "may"),
    [
        ("bob", "carl", True),
        ("bob", "bob", False),
        ("bob", "BOB", False),
        ("Bob", "bob", False),
        (" bob ", "bob", False),
        ("bob", " bob ", False),
        ("straße", "STRASSE", False),
        ("STRASSE", "straße", False),
    ],
)
def test_who_asked_does_not_confirm_however_the_name_is_written(by: str, person: str, may: bool) -> None:
    assert request(1, by=by).may_be_confirmed_by(person) is may


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        (timedelta(0), True),
        (CONFIRM_WITHIN, True),
        (CONFIRM_WITHIN + TICK, False),
        (-CLOCKS_APART, True),
        (-CLOCKS_APART - TICK, False),
    ],
)
def test_a_request_waits_for_its_time_or_less_than_clocks_are_apart(after: timedelta, waits: bool) -> None:
    asked = request(1)
    stops = EStops().with_press(press(1)).with_request(asked)
    assert stops.waiting(SITE, NOW + after) == (asked if waits else None)


def test_a_request_that_does_not_name_every_press_in_force_cannot_be_confirmed() -> None:
    two = EStops(presses=(press(1), press(2)))
    assert two.with_request(request(1)).waiting(SITE, NOW) is None
    assert two.with_request(request(1, 2, 3)).waiting(SITE, NOW) == request(1, 2, 3)
    ended = EStops(presses=two.presses, ended=(id_of(2),))
    assert ended.with_request(request(1)).waiting(SITE, NOW) == request(1), "the other one is over"


def test_without_a_press_in_force_no_request_waits() -> None:
    assert EStops(requests=(request(1),)).waiting(SITE, NOW) is None
    assert EStops(presses=(press(1),), ended=(id_of(1),), requests=(request(1),)).waiting(SITE, NOW) is None
    assert EStops().waiting(SITE, NOW) is None


def test_a_request_waits_for_its_own_scope_and_the_newest_one_does() -> None:
    early, late = request(1), request(1, after=SECOND, by="carl")
    for asked in ((early, late), (late, early)):
        stops = EStops(presses=(press(1), press(2, UNIT)), requests=asked)
        assert stops.waiting(SITE, NOW + SECOND) == late
        assert stops.waiting(UNIT, NOW + SECOND) is None


def test_of_each_person_and_scope_the_newest_request_alone_is_kept() -> None:
    stops = EStops(presses=(press(1), press(2, UNIT)))
    made = [
        request(1),
        request(2, scope=UNIT),
        request(1, by="carl"),
        request(1, 2, after=-SECOND, reason="again"),
    ]
    for asked in made:
        stops = stops.with_request(asked)
    assert stops.requests == (made[1], made[2], made[3]), "the newest is the one that was made last"
    assert stops.presses == (press(1), press(2, UNIT))


def test_ending_ends_what_is_named_and_its_scopes_requests_are_done_with() -> None:
    presses = (press(1), press(2), press(3, UNIT))
    stops = EStops(presses=presses, ended=(id_of(9), id_of(2)), requests=(request(1), request(3, scope=UNIT)))
    after = stops.without([id_of(2), id_of(1)], SITE)
    assert after.ended == (id_of(9), id_of(2), id_of(1)), "each once"
    assert after.requests == (request(3, scope=UNIT),)
    assert after.presses == presses
    assert after.active() == (press(3, UNIT),)


# ---------------------------------------------------------------- what gateways hear of each other


def test_in_force_is_what_somebody_pressed_and_nobody_ended() -> None:
    here = EStops(presses=(press(2, after_s=1), press(1)), ended=(id_of(7), id_of(1)))
    there = EStops(presses=(press(3, UNIT, 1), press(1)), ended=(id_of(1), id_of(5)))
    for one, other in ((here, there), (there, here)):
        merged = one.merged(other)
        assert merged.presses == (press(1), press(2, after_s=1), press(3, UNIT, 1)), "oldest first"
        assert merged.ended == tuple(map(id_of, (1, 5, 7)))
        assert merged.active() == (press(2, after_s=1), press(3, UNIT, 1))


def test_of_requests_those_are_kept_that_name_a_press_in_force_and_of_each_person_the_newest() -> None:
    presses = (press(1), press(2), press(3, UNIT))
    old, new = request(1), request(2, after=SECOND)
    of_both, done = request(1, 2, by="carl"), request(2, by="dora")
    unit = request(3, scope=UNIT, after=-SECOND)
    here, there = (
        EStops(presses=presses, requests=(new, done)),
        EStops(requests=(old, of_both, unit), ended=(id_of(2),)),
    )
    for one, other in ((here, there), (there, here)):
        assert one.merged(other).requests == (unit, old, of_both), (
            "what names only an ended press is over, newer or not"
        )
    here, there = EStops(presses=presses, requests=(new,)), EStops(requests=(old,))
    assert here.merged(there).requests == there.merged(here).requests == (new,)


def test_requests_stand_in_the_same_order_wherever_they_were_heard_first() -> None:
    presses = (press(1, SYSTEM), press(2, SITE), press(3, UNIT), press(4, OTHER))
    made = (
        request(4, by="a", after=SECOND),
        request(4, scope=SITE, by="b"),
        request(3, scope=UNIT, by="b"),
        request(2, scope=OTHER, by="b"),
        request(1, scope=SYSTEM, by="b"),
        request(1, scope=SITE, by="c"),
    )
    in_order = (made[1], made[2], made[3], made[4], made[5], made[0])
    for asked in permutations(made):
        assert EStops(presses=presses, requests=asked[:3]).merged(EStops(requests=asked[3:])).requests == in_order
    same = request(1, by="d"), request(2, by="d")
    for one, other in (same, same[::-1]):
        merged = EStops(presses=presses, requests=(one,)).merged(EStops(requests=(other,)))
        assert merged.requests == (same[1],), "of one person's at one instant always the same is kept"


def ended(number: int) -> EStops:
    """So many presses of which all but the second are over."""
    presses = tuple(press(n, after_s=n) for n in range(number + 1))
    return EStops(presses=presses, ended=tuple(p.press_id for n, p in enumerate(presses) if n != 1))


def test_old_presses_are_forgotten_once_they_are_over_and_never_before() -> None:
    most = ended(KEPT_AT_MOST)
    assert most.pruned() is most
    asked = request(1)
    more = ended(KEPT_AT_MOST + 2).with_request(asked)
    kept = more.pruned()
    assert kept.presses == (press(1, after_s=1), *more.presses[3:]), "the one in force stays, and the newest"
    assert kept.ended == more.ended[2:]
    assert len(kept.ended) == KEPT_AT_MOST
    assert kept.requests == (asked,)
    assert more.merged(EStops()).presses == kept.presses
    assert more.without([id_of(1)], SITE).presses == more.presses[3:]


orders = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["press", "end", "hear"]), st.integers(0, 2)), max_size=25
)


@given(orders)
def test_gateways_that_heard_each_other_know_the_same_and_no_stop_is_lost(orders: list[tuple[int, str, int]]) -> None:
    known, pressed, over = [EStops()] * 3, set[str](), set[str]()
    for number, (at, what, other) in enumerate(orders):
        scope = (SYSTEM, SITE, UNIT)[other]
        if what == "press":
            known[at] = known[at].with_press(press(number, scope))
            pressed.add(id_of(number))
        elif what == "hear":
            known[at] = known[at].merged(known[other])
        else:
            ending = {p.press_id for p in known[at].active(scope)}
            known[at] = known[at].without(ending, scope)
            over |= ending
    together = [known[a].merged(known[b]).merged(known[c]) for a, b, c in permutations(range(3))]
    assert all(each == together[0] for each in together)
    assert {p.press_id for p in together[0].active()} == pressed - over
