"""The strategy document: what an outside planner asks of a station, period by period. A period without one is balanced."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pydantic import Field, TypeAdapter, ValidationError

from headworks.common.messages import Instant
from headworks.common.problems import FieldProblem
from headworks.optimizer.station.case import StrategyPeriod
from headworks.optimizer.values import Value
from headworks.waterway.site import explain
from headworks.waterway.station_site import StationSite

MOST_PERIODS = 200
FROM_SITE_FILE = "site file"
_periods = TypeAdapter(tuple[StrategyPeriod, ...])


class StrategyDocument(Value):
    """The periods in force, who gave them, and when. Version 0 is what the site file says."""

    version: int = Field(ge=0)
    changed_by: str
    changed_at: Instant | None
    periods: tuple[StrategyPeriod, ...]


def default_document(site: StationSite) -> StrategyDocument:
    """The strategies of the site file's `schedule` section; none where it has none. Raises ValueError naming the field."""
    periods = periods_of(site.section("schedule").get("strategies", []), f"site {site.site}: schedule.strategies")
    return StrategyDocument(version=0, changed_by=FROM_SITE_FILE, changed_at=None, periods=periods)


def periods_of(raw: object, where: str) -> tuple[StrategyPeriod, ...]:
    """Periods as they are written in YAML. Raises ValueError naming the field."""
    try:
        periods = _periods.validate_python(raw)
    except ValidationError as error:
        raise ValueError(f"{where}: {explain(error)}") from error
    wrong = [f"{where}.{fault.field}: {fault.expected}" for fault in period_faults(periods)]
    if wrong:
        raise ValueError("; ".join(wrong))
    return periods


def period_faults(periods: Sequence[StrategyPeriod]) -> list[FieldProblem]:
    """The faults of periods together: in order of time, and no instant with two strategies."""
    return list(_period_faults(periods))


def _period_faults(periods: Sequence[StrategyPeriod]) -> Iterator[FieldProblem]:
    for i, (before, after) in enumerate(pairwise(periods), start=1):
        if after.start < before.end:
            expected = f"at or after {before.end.isoformat()}, where the period before it ends"
            yield FieldProblem(field=f"{i}.start", value=after.start.isoformat(), expected=expected)
