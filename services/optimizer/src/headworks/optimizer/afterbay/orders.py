"""What is wrong with what a person asks: each override and each edited setpoint, by field, value and what would be right."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from headworks.common.messages import Override
from headworks.common.problems import FieldProblem
from headworks.optimizer.afterbay.case import Case
from headworks.optimizer.afterbay.inputs import OVERRIDABLE
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import in_unit
from headworks.waterway.timegrid import TimeGrid, hourly_grid


def override_faults(site: AfterbaySite, overrides: Sequence[Override], now: datetime) -> list[FieldProblem]:
    """The faults of a person's values: a series of the site, an hour of the horizon, a value that can be."""
    grid = hourly_grid(now, round(in_unit(site.section("schedule")["horizon"], "hour")))
    return [
        FieldProblem(field=f"overrides.{i}.{field}", value=value, expected=expected)
        for i, override in enumerate(overrides)
        for field, value, expected in _override_faults(site, override, grid)
    ]


def _override_faults(site: AfterbaySite, override: Override, grid: TimeGrid) -> Iterator[tuple[str, str | float, str]]:
    at, value = override.valid_at, override.value
    if override.series not in OVERRIDABLE:
        yield "series", override.series, f"one of {sorted(OVERRIDABLE)}"
    if not grid.start <= at < grid.end or (at - grid.start) % timedelta(hours=1):
        yield "valid_at", at.isoformat(), f"a whole hour from {grid.start.isoformat()} to before {grid.end.isoformat()}"
    most_mw = site.afterbay.upstream.max_power
    if override.series == names.MFRA_POWER and not 0 <= value <= most_mw:
        yield "value", value, f"0 to {most_mw:g} MW"
    elif value < 0:
        yield "value", value, "0 m³/s or more"


def setpoint_faults(site: AfterbaySite, case: Case, setpoint_mw: Sequence[float] | None) -> list[FieldProblem]:
    """The faults of an edited schedule: one setpoint for each hour of the run, each within the unit's range."""
    hours, unit = case.grid.count, site.afterbay.unit
    if setpoint_mw is None or len(setpoint_mw) != hours:
        given = None if setpoint_mw is None else len(setpoint_mw)
        return [FieldProblem(field="setpoint_mw", value=given, expected=f"{hours} values, one an hour")]
    return [
        FieldProblem(
            field=f"setpoint_mw.{t}",
            value=setpoint,
            expected=f"{unit.min_power:g} to {unit.max_power:g} MW in the hour from {start:%Y-%m-%d %H:%M}Z",
        )
        for t, (start, setpoint) in enumerate(zip(case.grid.starts, setpoint_mw, strict=True))
        if not unit.min_power <= setpoint <= unit.max_power
    ]
