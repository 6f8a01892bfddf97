"""Builds the view from the services' answers; pure. A part that is away is null and named in `not_known`, with why."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from headworks.common.messages import ControlState
from headworks.dashboard import shapes
from headworks.dashboard.answers import Answers, Away, LatestRun, RunRecord, Solution
from headworks.dashboard.display import (
    HOUR,
    Display,
    control_of,
    input_of,
    label,
    plan_steps,
    points,
    setpoint_of,
)
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.rafting import ramp_start, windows

T = TypeVar("T")
AHEAD = timedelta(days=8)
PARTS = {
    "latest": "newest inputs",
    "elevation": "measured elevation",
    "power": "measured power",
    "awards": "market awards",
    "sources": "health of sources",
    "newest_run": "newest run",
    "latest_run": "schedule and forecast",
    "plans": "active plan",
    "control": "gateway state",
    "journal": "setpoints",
    "alarms": "alarms",
}


def build(
    site: AfterbaySite, answers: Answers, now: datetime, clock_speed: float, stale_after: timedelta
) -> shapes.View:
    """Everything the page shows at `now`, in the site's display units."""
    display, units = Display(site), site.display_units
    inputs = _known(answers.latest)
    elevation, power, plans = _known(answers.elevation), _known(answers.power), _known(answers.plans)
    awards, sources = _known(answers.awards), _known(answers.sources)
    control, journal, alarms = _known(answers.control), _known(answers.journal), _known(answers.alarms)
    newest_run, latest_run = _known(answers.newest_run), _known(answers.latest_run)
    shown_inputs = None
    if inputs is not None:
        shown_inputs = [input_of(display, sample, stale_after, good) for sample, good in inputs]
    return shapes.View(
        site=site.site,
        name=site.name,
        time_zone=site.time_zone,
        now=now,
        clock_speed=clock_speed,
        units=shapes.Units(elevation=units.elevation, flow=units.flow, volume=units.volume, power=units.power),
        not_known=list(_not_known(answers)),
        limits=limits(site, display, shown_inputs or []),
        inputs=shown_inputs,
        sources=None if sources is None else [shapes.Source.model_validate(s.model_dump()) for s in sources],
        elevation=None if elevation is None else points(display, elevation),
        power=None if power is None else points(display, power),
        awards=None
        if awards is None
        else [
            shapes.AwardStep(start=i.start, end=i.end, power=display.power(i.power_mw))
            for award in awards
            for i in award.intervals
        ],
        newest_run=None if newest_run is None else _run(newest_run),
        schedule=None if latest_run is None else schedule_of(latest_run, display),
        plan=None if plans is None else list(plan_steps(plans, units.power)),
        control=None if control is None else control_of(control),
        setpoints=None if journal is None else [setpoint_of(entry) for entry in reversed(journal)],
        alarms=None if alarms is None else [shapes.Alarm.model_validate(a.model_dump()) for a in alarms],
        releases=list(releases(site, _power_now(control), now)),
    )


def _known(part: T | Away) -> T | None:
    return None if isinstance(part, Away) else part


def _not_known(answers: Answers) -> Iterator[shapes.NotKnown]:
    for name, text in PARTS.items():
        part = getattr(answers, name)
        if isinstance(part, Away):
            yield shapes.NotKnown(part=text, service=part.service, reason=part.reason)


def limits(site: AfterbaySite, display: Display, inputs: list[shapes.Input]) -> shapes.Limits:
    """The limits; the float is the operator's tag where it is known, else the site file's, and says which."""
    reservoir, unit = site.afterbay.reservoir, site.afterbay.unit
    tag = next((i for i in inputs if i.series == names.FLOAT_ELEVATION), None)
    measured = None
    if tag is not None:
        measured = tag.value if tag.value is not None else tag.last_good.value if tag.last_good else None
    float_elevation = measured if measured is not None else display.elevation(reservoir.float_elevation)
    return shapes.Limits(
        minimum_elevation=display.elevation(reservoir.minimum_elevation),
        maximum_elevation=round(float_elevation - display.elevation(reservoir.float_buffer), 4),
        float_elevation=float_elevation,
        float_source="pi" if measured is not None else "site file",
        minimum_power=display.power(unit.min_power),
        maximum_power=display.power(unit.max_power),
    )


def schedule_of(latest: LatestRun, display: Display) -> shapes.Schedule:
    """The newest schedule with its reasons."""
    solution = latest.solution or Solution()
    timing = solution.timing
    return shapes.Schedule(
        run=_run(latest.run),
        form=solution.form,
        solver=solution.solver,
        objective=solution.objective,
        objective_by_term=solution.objective_by_term,
        gap=solution.gap,
        run_time_s=None if timing is None else timing.build_s + timing.solve_s + timing.replay_s,
        next_action=solution.next_action,
        mfra_summary=latest.run.mfra_summary,
        bindings=[shapes.LimitSpan(limit=b.limit, start=b.start, end=b.end) for b in solution.bindings],
        relaxations=[
            shapes.LimitSpan(limit=r.limit, start=r.start, end=r.end, text=r.text) for r in solution.relaxations
        ],
        inputs=[
            shapes.RunInput(
                series=use.series,
                label=label(use.series),
                source=use.source,
                valid_at=use.valid_at,
                age_s=use.age_s,
                stale=use.stale,
                substituted=use.substituted,
            )
            for use in latest.run.inputs or []
        ],
        hours=[
            shapes.ScheduleHour(
                start=hour.start,
                end=hour.start + HOUR,
                setpoint=display.power(hour.setpoint_mw),
                power=display.power(hour.power_mw),
                elevation=display.elevation(hour.elevation_m),
                inflow=display.flow(hour.inflow_m3s),
                outflow=display.flow(hour.outflow_m3s),
                spill=display.flow(hour.spill_m3s),
            )
            for hour in solution.hours
        ],
    )


def _run(run: RunRecord) -> shapes.RunState:
    return shapes.RunState.model_validate(run.model_dump(exclude={"mfra_summary", "inputs"}))


def _power_now(control: ControlState | None) -> float | None:
    """Where the unit's setpoint stands [MW]: what is written now, else what the register holds."""
    if control is None or not control.resources:
        return None
    resource = control.resources[0]
    return resource.setpoint if resource.setpoint is not None else resource.read_back


def releases(site: AfterbaySite, setpoint_mw: float | None, now: datetime) -> Iterator[shapes.Release]:
    """The rafting releases of the days ahead; from an unknown setpoint the ramp is as long as it can be."""
    unit = site.afterbay.unit
    from_mw = setpoint_mw if setpoint_mw is not None else unit.min_power
    for window in windows(site.afterbay.rafting, site.zone, now, now + AHEAD):
        yield shapes.Release(start=window.start, end=window.end, ramp_at=ramp_start(unit, window, from_mw))
