"""Builds the view of an afterbay from the services' answers; pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from headworks.common.messages import Award, ControlState, GenericTargets, Plan
from headworks.dashboard.afterbay import shapes
from headworks.dashboard.afterbay.answers import AfterbayAnswers, LatestRun, Solution
from headworks.dashboard.answers import Answers
from headworks.dashboard.display import HOUR, Display, points, run_inputs, run_of
from headworks.dashboard.parts import Moment, common_part, if_known, not_known
from headworks.dashboard.shapes import Input, LimitSpan
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.rafting import ramp_start, windows

AHEAD = timedelta(days=8)
PARTS = {
    "elevation": "measured elevation",
    "power": "measured power",
    "awards": "market awards",
    "latest_run": "schedule and forecast",
}


def build(site: AfterbaySite, answers: Answers, own: AfterbayAnswers, moment: Moment) -> shapes.AfterbayView:
    """Everything the page shows, in the site's display units."""
    common = common_part(site, answers, not_known(own, PARTS), moment)
    display, latest_run = Display(site), if_known(own.latest_run)
    elevation, power, awards = if_known(own.elevation), if_known(own.power), if_known(own.awards)
    plans, control = if_known(answers.plans), if_known(answers.control)
    return shapes.AfterbayView(
        **dict(common),
        model="afterbay",
        limits=limits(site, display, common.inputs or []),
        elevation=None if elevation is None else points(display, elevation),
        power=None if power is None else points(display, power),
        awards=None if awards is None else list(award_steps(awards, display)),
        schedule=None if latest_run is None else schedule_of(latest_run, display),
        plan=None if plans is None else list(plan_steps(plans, site.display_units.power)),
        releases=list(releases(site, _power_now(control), moment.now)),
    )


def limits(site: AfterbaySite, display: Display, inputs: Sequence[Input]) -> shapes.Limits:
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
        run=run_of(latest.run),
        form=solution.form,
        solver=solution.solver,
        objective=solution.objective,
        objective_by_term=solution.objective_by_term,
        gap=solution.gap,
        run_time_s=None if timing is None else timing.build_s + timing.solve_s + timing.replay_s,
        next_action=solution.next_action,
        mfra_summary=latest.run.mfra_summary,
        bindings=[LimitSpan(limit=b.limit, start=b.start, end=b.end) for b in solution.bindings],
        relaxations=[LimitSpan(limit=r.limit, start=r.start, end=r.end, text=r.text) for r in solution.relaxations],
        inputs=run_inputs(display, latest.run),
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


def award_steps(awards: Sequence[Award], display: Display) -> Iterator[shapes.AwardStep]:
    """The awards' intervals."""
    for award in awards:
        for interval in award.intervals:
            yield shapes.AwardStep(start=interval.start, end=interval.end, power=display.power(interval.power_mw))


def plan_steps(plans: Sequence[Plan], unit: str) -> Iterator[shapes.PlanStep]:
    """Plans by time; one without a power target has no value here."""
    for plan in sorted(plans, key=lambda p: (p.interval_start, p.plan_priority)):
        targets = plan.targets
        yield shapes.PlanStep(
            plan_id=plan.plan_id,
            resource=plan.resource_id,
            start=plan.interval_start,
            end=plan.interval_end,
            target=targets.target_value if isinstance(targets, GenericTargets) else None,
            unit=unit,
            version=plan.plan_version,
            priority=plan.plan_priority,
            status=plan.plan_status,
            publisher=plan.publisher,
            run_id=plan.optimization_run_id,
        )


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
