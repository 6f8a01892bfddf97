"""Conditions over measured points, as a site file writes them: `tunnel.level < 0.3 m for 30 s and not P1_1.run_feedback = 0`.

    condition  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | lasting
    lasting    = ( "(" condition ")" | comparison ) [ "for" duration ]
    comparison = point ( "<" | "<=" | ">" | ">=" | "=" | "!=" ) ( quantity | point )

A "for" after the last part of several is refused where no parenthesis says what lasts: `A and B for 15 min` may mean both.
They are read once, at the start: units are checked by dimension, and what is wrong is named with its place. A condition is true,
false, or, where a point is not known, neither (None, by Kleene's logic). Pure; nothing is ever evaluated as code.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import assert_never

from headworks.waterway.quantities import in_unit

Truth = bool | None
KEYWORDS = ("and", "or", "not", "for")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "!=": ne}
_TOKEN = re.compile(
    r"(?P<quantity>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
    r"(?:\s*(?!(?:and|or|not|for)\b)[A-Za-z]\w*(?:(?:\*\*|[*/])\w+)*)?)"
    r"|(?P<word>[A-Za-z][\w\-]*(?:\.[\w\-]+)*)|(?P<sign><=|>=|!=|[<>=()])|(?P<unknown>\S)"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A point against a number in the point's unit, or against another point, `factor` of whose unit make the first's."""

    point: str
    sign: str
    limit: float | str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Not:
    """True where the inner one is false."""

    inner: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """True where all are."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where one is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Lasting:
    """True where the inner one has been for so long. `place` tells it from the others of its text."""

    inner: "Condition"
    for_s: float
    place: int


Condition = Comparison | Not | And | Or | Lasting


@dataclass(frozen=True, slots=True)
class Since:
    """Since when a lasting condition has been true all the time, and since when it has at least never been false."""

    true: datetime | None = None
    possible: datetime | None = None


Memory = Mapping[int, Since]
"""What is remembered of a text's lasting conditions, by place."""


def points_of(condition: Condition) -> frozenset[str]:
    """The points that a condition asks."""
    match condition:
        case Comparison(point=point, limit=limit):
            return frozenset({point, limit} if isinstance(limit, str) else {point})
        case Not(inner=inner) | Lasting(inner=inner):
            return points_of(inner)
        case And(parts=parts) | Or(parts=parts):
            return frozenset().union(*map(points_of, parts))
        case _:
            assert_never(condition)


def evaluate(
    condition: Condition, values: Mapping[str, float | None], before: Memory, now: datetime
) -> tuple[Truth, Memory]:
    """Whether it is true at `now`, and what must be remembered. A point that is missing or None is not known."""
    after: dict[int, Since] = {}
    return _truth(condition, values, before, after, now), after


def _truth(
    condition: Condition, values: Mapping[str, float | None], before: Memory, after: dict[int, Since], now: datetime
) -> Truth:
    match condition:
        case Comparison():
            return _compared(condition, values)
        case Not(inner=inner):
            truth = _truth(inner, values, before, after, now)
            return None if truth is None else not truth
        case And(parts=parts):
            return _all([_truth(part, values, before, after, now) for part in parts])
        case Or(parts=parts):
            negated = _all([_negated(_truth(part, values, before, after, now)) for part in parts])
            return _negated(negated)
        case Lasting(inner=inner, for_s=for_s, place=place):
            since = _since(_truth(inner, values, before, after, now), before.get(place, Since()), now)
            after[place] = since
            return _lasted(since, for_s, now)
        case _:
            assert_never(condition)


def _compared(comparison: Comparison, values: Mapping[str, float | None]) -> Truth:
    value, limit = values.get(comparison.point), comparison.limit
    other = values.get(limit) if isinstance(limit, str) else limit
    if value is None or other is None:
        return None
    return COMPARISONS[comparison.sign](value, round(other * comparison.factor, 9))


def _negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _all(truths: Iterable[Truth]) -> Truth:
    known = list(truths)
    if False in known:
        return False
    return None if None in known else True


def _since(truth: Truth, before: Since, now: datetime) -> Since:
    if truth is False:
        return Since()
    return Since((before.true or now) if truth else None, before.possible or now)


def _lasted(since: Since, for_s: float, now: datetime) -> Truth:
    """True once it has been true for so long; not known once it may have been; false before."""
    if since.true is not None and (now - since.true).total_seconds() >= for_s:
        return True
    return None if since.possible is not None and (now - since.possible).total_seconds() >= for_s else False


# ---------------------------------------------------------------- reading


def parse(text: str, units: Mapping[str, str]) -> Condition:
    """Read a condition over points with these units. Raises ValueError naming the text, the place and what would be right."""
    return _Reader(text, units).read()


class _Reader:
    """Reads one text from left to right; each method reads one rule of the grammar."""

    def __init__(self, text: str, units: Mapping[str, str]) -> None:
        self._text, self._units = text, units
        self._tokens = list(self._split())
        self._next = 0

    def _split(self) -> Iterable[tuple[str, str, int]]:
        """Kind, text and place of each token, and an end. Of a sign and a keyword the kind is the text."""
        for found in _TOKEN.finditer(self._text):
            kind, token = str(found.lastgroup), found.group()
            if kind == "unknown":
                raise self._wrong(found.start(), f"{token!r} is not understood")
            yield (token if kind == "sign" or token in KEYWORDS else kind), token, found.start()
        yield "end", "the end", len(self._text)

    def _wrong(self, place: int, what: str) -> ValueError:
        return ValueError(f"{self._text!r} at position {place + 1}: {what}")

    def _take(self, *kinds: str) -> tuple[str, str, int] | None:
        """The next token, if it is of one of the kinds."""
        token = self._tokens[self._next]
        if token[0] not in kinds:
            return None
        self._next += 1
        return token

    def _expect(self, what: str, *kinds: str) -> tuple[str, str, int]:
        taken = self._take(*kinds)
        if taken is None:
            _, token, place = self._tokens[self._next]
            raise self._wrong(place, f"expected {what}, got {token}")
        return taken

    def read(self) -> Condition:
        condition = self._any_of()
        self._expect("and, or, for or the end", "end")
        return condition

    def _any_of(self) -> Condition:
        parts = [self._all_of()]
        while self._take("or"):
            parts.append(self._all_of())
            self._refuse_for_of_the_last("or")
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self) -> Condition:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
            self._refuse_for_of_the_last("and")
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _refuse_for_of_the_last(self, joint: str) -> None:
        """`A and B for 15 min` reads as if both had to last; it would be B alone, and A at the end of it."""
        (before, _, _), (lasts, _, place), (_, duration, _) = self._tokens[self._next - 3 : self._next]
        if lasts == "for" and before != ")":
            both = f"(… {joint} …) for {duration}"
            raise self._wrong(place, f"which part lasts so long? write {both}, or … {joint} (… for {duration})")

    def _negation(self) -> Condition:
        return Not(self._negation()) if self._take("not") else self._lasting()

    def _lasting(self) -> Condition:
        if self._take("("):
            inner = self._any_of()
            self._expect("')'", ")")
        else:
            inner = self._comparison()
        lasting = self._take("for")
        if lasting is None:
            return inner
        _, duration, place = self._expect("a duration such as 30 s", "quantity")
        for_s = self._in_unit(duration, "s", place)
        if for_s <= 0:
            raise self._wrong(place, f"{duration} must be above zero")
        return Lasting(inner, for_s, lasting[2])

    def _comparison(self) -> Condition:
        point = self._point(self._expect("a point, not or (", "word"))
        _, sign, _ = self._expect(f"one of {' '.join(COMPARISONS)}", *COMPARISONS)
        kind, token, place = self._expect(
            f"a quantity that converts to {self._units[point] or 'a number'}, or a point", "quantity", "word"
        )
        if kind == "word":
            other = self._point((kind, token, place))
            return Comparison(point, sign, other, self._in_unit(f"1 {self._units[other]}", self._units[point], place))
        return Comparison(point, sign, self._in_unit(token, self._units[point], place))

    def _point(self, token: tuple[str, str, int]) -> str:
        _, name, place = token
        if name not in self._units:
            raise self._wrong(place, f"{name} is no point; it must be one of {', '.join(sorted(self._units))}")
        return name

    def _in_unit(self, quantity: str, unit: str, place: int) -> float:
        try:
            return in_unit(quantity, unit)
        except ValueError as error:
            raise self._wrong(place, str(error)) from error
