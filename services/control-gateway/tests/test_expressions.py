"""Conditions over measured points: what is read, what is refused and where, and when they are true."""

import re
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from time_rig import NOW

from headworks.control_gateway.expressions import (
    And,
    Comparison,
    Lasting,
    Memory,
    Not,
    Or,
    Since,
    Truth,
    evaluate,
    parse,
    points_of,
)

UNITS = {
    "level": "m",
    "pumps-1.level": "m",
    "depth": "cm",
    "P1_1.actual": "Hz",
    "flow": "m**3/hour",
    "door": "",
    "word": "m",
    "format": "m",
}


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def truth(text: str, **values: float | None) -> Truth:
    return evaluate(parse(text, UNITS), {name.replace("__", "."): v for name, v in values.items()}, {}, NOW)[0]


LOW = Comparison("level", "<", 0.3)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("level < 0.3 m", LOW),
        ("  level<30 cm  ", LOW),
        ("level < 3e-1 m", LOW),
        ("level > -0.5 m", Comparison("level", ">", -0.5)),
        ("level <= +1 m", Comparison("level", "<=", 1)),
        ("level >= 1 m", Comparison("level", ">=", 1)),
        ("level = 1 m", Comparison("level", "=", 1)),
        ("level != 1 m", Comparison("level", "!=", 1)),
        ("word < 1 m", Comparison("word", "<", 1)),
        ("format < 1 m", Comparison("format", "<", 1)),
        ("door = 1", Comparison("door", "=", 1)),
        ("pumps-1.level < 0.3 m", Comparison("pumps-1.level", "<", 0.3)),
        ("flow > 2 m**3/s", Comparison("flow", ">", 7200)),
        ("level < depth", Comparison("level", "<", "depth", 0.01)),
        ("depth < level", Comparison("depth", "<", "level", 100)),
        ("not level < 0.3 m", Not(LOW)),
        ("not not level < 0.3 m", Not(Not(LOW))),
        ("(level < 0.3 m)", LOW),
        ("level < 0.3 m for 30 s", Lasting(LOW, 30, 14)),
        ("level < 0.3 m for 0.5 min", Lasting(LOW, 30, 14)),
        ("not level < 0.3 m for 30 s", Not(Lasting(LOW, 30, 18))),
        ("level < 0.3 m and door = 1", And((LOW, Comparison("door", "=", 1)))),
        ("level < 0.3 m or door = 1", Or((LOW, Comparison("door", "=", 1)))),
        ("level < 0.3 m and level < 0.3 m and level < 0.3 m", And((LOW, LOW, LOW))),
        ("level < 0.3 m or level < 0.3 m or level < 0.3 m", Or((LOW, LOW, LOW))),
        ("level < 0.3 m or level < 0.3 m and door = 1", Or((LOW, And((LOW, Comparison("door", "=", 1)))))),
        ("(level < 0.3 m or level < 0.3 m) and door = 1", And((Or((LOW, LOW)), Comparison("door", "=", 1)))),
        ("(level < 0.3 m or door = 1) for 1 min", Lasting(Or((LOW, Comparison("door", "=", 1))), 60, 28)),
    ],
)
def test_what_can_be_written(text: str, read: object) -> None:
    assert parse(text, UNITS) == read


ALL_POINTS = ", ".join(sorted(UNITS))


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 1, "expected a point, not or (, got the end"),
        ("level", 6, "expected one of < <= > >= = !=, got the end"),
        ("level 0.3 m", 7, "expected one of < <= > >= = !=, got 0.3 m"),
        ("level <", 8, "expected a quantity that converts to m, or a point, got the end"),
        ("door = (", 8, "expected a quantity that converts to a number, or a point, got ("),
        ("level < 0.3 s", 9, "'0.3 s' is a [time]; it must convert to m"),
        ("level < 0.3", 9, "'0.3' is a number without unit; it must convert to m"),
        ("level < 0.3 wells", 9, "'0.3 wells' cannot be read as a quantity"),
        ("level < P1_1.actual", 9, "'1 Hz' is a 1 / [time]; it must convert to m"),
        ("lvl < 0.3 m", 1, f"lvl is no point; it must be one of {ALL_POINTS}"),
        ("level < lvl", 9, f"lvl is no point; it must be one of {ALL_POINTS}"),
        ("level < 0.3 m for", 18, "expected a duration such as 30 s, got the end"),
        ("level < 0.3 m for 30 m", 19, "'30 m' is a [length]; it must convert to s"),
        ("level < 0.3 m for 0 s", 19, "0 s must be above zero"),
        ("level < 0.3 m for -1 s", 19, "-1 s must be above zero"),
        ("level < 0.3 m level < 1 m", 15, "expected and, or, for or the end, got level"),
        ("(level < 0.3 m", 15, "expected ')', got the end"),
        ("level < 0.3 m)", 14, "expected and, or, for or the end, got )"),
        ("level < 0.3 m and", 18, "expected a point, not or (, got the end"),
        ("level < 0.3 m or or level < 1 m", 18, "expected a point, not or (, got or"),
        ("level ~ 0.3 m", 7, "'~' is not understood"),
        ("level <  ?", 10, "'?' is not understood"),
        ("__import__('os')", 1, "'_' is not understood"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_would_be_right(text: str, position: int, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{text!r} at position {position}: {what}')}"):
        parse(text, UNITS)


def test_the_points_that_a_condition_asks_are_known() -> None:
    text = "not (level < depth or door = 1) for 3 s and flow > 1 m**3/hour"
    assert points_of(parse(text, UNITS)) == {"level", "depth", "door", "flow"}
    assert points_of(parse("level < 1 m", UNITS)) == {"level"}


@pytest.mark.parametrize(
    ("sign", "below", "same", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
        ("=", False, True, False),
        ("!=", True, False, True),
    ],
)
def test_a_comparison_at_its_edge(sign: str, below: bool, same: bool, above: bool) -> None:
    assert [truth(f"level {sign} 1 m", level=level) for level in (0.999, 1.0, 1.001)] == [below, same, above]
    assert [truth(f"level {sign} depth", level=level, depth=100) for level in (0.999, 1, 1.001)] == [below, same, above]
    assert truth(f"level {sign} 1 m", level=None) is None
    assert truth(f"level {sign} 1 m") is None
    assert truth(f"level {sign} depth", level=1) is None
    assert truth(f"level {sign} depth", depth=1) is None


def test_what_floating_point_adds_makes_no_difference() -> None:
    assert truth("depth = level", level=0.07, depth=7.0) is True
    assert truth("depth = level", level=0.285, depth=28.5) is True
    assert truth("depth = level", level=0.285, depth=28.0) is False


@pytest.mark.parametrize(("level", "same"), [(0.070000000004, True), (0.07000000002, False)])
def test_what_is_nearer_than_a_billionth_is_the_same(level: float, same: bool) -> None:
    assert truth("depth = level", level=level, depth=7.0) is same


A, B = "level < 1 m", "depth < 1 cm"
KNOWN: Mapping[Truth, float | None] = {True: 0.0, False: 2.0, None: None}


@pytest.mark.parametrize(("a", "b"), list(product((True, False, None), repeat=2)))
def test_and_or_and_not_know_three_truths(a: Truth, b: Truth) -> None:
    values = {"level": KNOWN[a], "depth": KNOWN[b]}
    both = False if False in (a, b) else None if None in (a, b) else True
    either = True if True in (a, b) else None if None in (a, b) else False
    assert truth(f"{A} and {B}", **values) is both
    assert truth(f"{A} or {B}", **values) is either
    assert truth(f"not {A}", **values) is (None if a is None else not a)


def lasted(*steps: tuple[float, float | None], for_s: float = 30) -> list[Truth]:
    """The truths of `level < 1 m for ...` over (seconds, level)."""
    condition, truths = parse(f"level < 1 m for {for_s} s", UNITS), []
    memory: Memory = {}
    for seconds, level in steps:
        found, memory = evaluate(condition, {"level": level}, memory, at(seconds))
        truths.append(found)
    return truths


def test_what_must_last_is_true_once_it_has_been_for_so_long() -> None:
    assert lasted((0, 0.5), (29.999, 0.5), (30, 0.5), (31, 0.5)) == [False, False, True, True]
    assert lasted((0, 0.5), (10, 1.5), (30, 0.5), (59.9, 0.5), (60, 0.5)) == [False, False, False, False, True]


def test_what_is_not_known_for_a_moment_does_not_last() -> None:
    assert lasted((0, 0.5), (10, None), (20, 0.5), (30, 0.5), (49, 0.5), (50, 0.5)) == [
        False,
        False,
        False,
        None,
        None,
        True,
    ]
    assert lasted((0, None), (29, None), (30, None), (31, 1.5), (32, None)) == [False, False, None, False, False]


@pytest.mark.parametrize(
    ("text", "position", "both", "alone"),
    [
        ("door = 1 and level < 1 m for 15 min", 26, "(… and …) for 15 min", "… and (… for 15 min)"),
        ("door = 1 or level < 1 m for 30 s", 25, "(… or …) for 30 s", "… or (… for 30 s)"),
        ("door = 1 and not level < 1 m for 30 s", 30, "(… and …) for 30 s", "… and (… for 30 s)"),
        ("door = 1 or door = 0 and level < 1 m for 1 h", 38, "(… and …) for 1 h", "… and (… for 1 h)"),
        ("level < 1 m for 30 s and level < 2 m for 1 h and door = 1", 38, "(… and …) for 1 h", "… and (… for 1 h)"),
    ],
)
def test_a_for_that_may_mean_all_parts_or_the_last_alone_is_refused(
    text: str, position: int, both: str, alone: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"position {position}: which part lasts so long?")) as error:
        parse(text, UNITS)
    assert str(error.value).endswith(f"write {both}, or {alone}")


@pytest.mark.parametrize(
    "text",
    [
        "(door = 1 and level < 1 m) for 15 min",
        "door = 1 and (level < 1 m for 15 min)",
        "door = 1 and (level < 1 m) for 15 min",
        "level < 1 m for 15 min and door = 1",
        "not level < 1 m for 15 min",
    ],
)
def test_a_for_whose_part_is_plain_to_see_is_read(text: str) -> None:
    assert parse(text, UNITS)


def test_each_lasting_condition_of_a_text_has_a_memory_of_its_own() -> None:
    condition = parse("level < 1 m for 10 s or (depth < 1 cm for 20 s)", UNITS)
    _, memory = evaluate(condition, {"level": 0, "depth": 2}, {}, NOW)
    assert memory == {12: Since(NOW, NOW), 38: Since()}
    found, memory = evaluate(condition, {"level": 2, "depth": 0}, memory, at(10))
    assert (found, memory) == (False, {12: Since(), 38: Since(at(10), at(10))})
    assert evaluate(condition, {"level": 2, "depth": 0}, memory, at(30))[0] is True


@pytest.mark.parametrize(
    "text",
    [
        "not level < 1 m for 10 s",
        "not (level < 1 m for 10 s and door = 1)",
        "not (level < 1 m for 10 s or door = 0)",
        "(not level < 1 m for 10 s) for 1 s",
    ],
)
def test_what_must_last_lasts_within_other_conditions(text: str) -> None:
    condition = parse(text, UNITS)
    memory: Memory = {}
    found = []
    for seconds, level in ((0, 0.5), (9, 0.5), (10, 0.5), (19, 1.5), (20, 1.5)):
        truth_then, memory = evaluate(condition, {"level": level, "door": 1}, memory, at(seconds))
        found.append(truth_then)
    first = "for 1 s" not in text  # what has to last cannot be true at once
    assert found == [first, True, False, first, True]


def test_half_a_second_may_be_asked() -> None:
    assert lasted((0, 0.5), (0.4, 0.5), (0.5, 0.5), for_s=0.5) == [False, False, True]


def test_nothing_can_be_changed_afterwards() -> None:
    for fact in (LOW, Not(LOW), And((LOW,)), Or((LOW,)), Lasting(LOW, 1, 1), Since()):
        assert not hasattr(fact, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(fact, next(iter(fact.__slots__)), None)


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["level", "<", "0.3 m", "for", "30 s", "and", "or", "not", "(", ")", "=", "depth"]), max_size=12
    ).map(" ".join)
)
def test_whatever_is_written_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        condition = parse(text, UNITS)
    except ValueError as error:
        wrong = str(error)
    else:
        values: Mapping[str, float | None] = dict.fromkeys(points_of(condition))
        wrong = f" at position 0: {evaluate(condition, values, {}, NOW)[0]}"
    assert re.search(r" at position \d+: ", wrong)
    assert not wrong.endswith("True")
