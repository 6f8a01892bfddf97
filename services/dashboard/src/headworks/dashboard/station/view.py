"""Builds the view of a pumping station from the services' answers; pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, pairwise

from headworks.common.messages import GenericTargets, Plan, PumpTargets, Sample, TargetType
from headworks.dashboard.answers import Answers
from headworks.dashboard.display import Display, points, run_inputs, run_of
from headworks.dashboard.parts import Moment, common_part, if_known, not_known
from headworks.dashboard.station import shapes
from headworks.dashboard.station.answers import LatestRun, Solution, StationAnswers, Step, Tuning
from headworks.waterway.series import SI_UNITS
from headworks.waterway.station_site import StationSite

QUARTER_HOUR = timedelta(minutes=15)
SPEED_DIGITS = 2
"""What a register holds of a speed: hundredths of a hertz; finer differences are no change."""
PARTS = {
    "level": "measured level",
    "outflow": "measured outflow",
    "inflow": "measured inflow",
    "prices": "prices",
    "latest_run": "schedule and forecast",
}


def build(site: StationSite, answers: Answers, own: StationAnswers, moment: Moment) -> shapes.StationView:
    """Everything the page shows, in the site's display units."""
    common = common_part(site, answers, not_known(own, PARTS), moment)
    display, latest_run, plans = Display(site), if_known(own.latest_run), if_known(answers.plans)
    level, outflow, inflow = if_known(own.level), if_known(own.outflow), if_known(own.inflow)
    prices, pumps = if_known(own.prices), site.pumping_station.pumps
    units = shapes.StationUnits(**dict(common.units), frequency=SI_UNITS["hz"], price=SI_UNITS["eur_per_mwh"])
    return shapes.StationView(
        **dict(common) | {"units": units},
        model="pumping_station",
        limits=limits(site, display),
        pumps=[shapes.Pump(resource=pump.resource, name=pump.name, make=pump.make) for pump in pumps],
        level=None if level is None else points(display, level),
        outflow=None if outflow is None else points(display, outflow),
        inflow=None if inflow is None else points(display, inflow),
        prices=None if prices is None else [price_step(sample) for sample in prices],
        schedule=None if latest_run is None else schedule_of(latest_run, display),
        plan=None if plans is None else [span for pump in pumps for span in spans(plans, pump.resource)],
    )


def limits(site: StationSite, display: Display) -> shapes.StationLimits:
    """The site file's rules."""
    rules = site.pumping_station.rules
    return shapes.StationLimits(
        minimum_level=display.elevation(rules.minimum_level),
        emptied_level=display.elevation(rules.emptied_level),
        alarm_level=display.elevation(rules.alarm_level),
        maximum_level=display.elevation(rules.maximum_level),
        maximum_outflow=display.flow(rules.maximum_outflow),
        minimum_frequency=rules.minimum_frequency,
        maximum_frequency=rules.maximum_frequency,
    )


def price_step(sample: Sample) -> shapes.PriceStep:
    """A price and how long it holds."""
    return shapes.PriceStep(start=sample.valid_at, end=sample.valid_at + sample.basis.span, price=sample.value)


def spans(plans: Sequence[Plan], resource: str) -> Iterator[shapes.PumpSpan]:
    """The plan in force of a pump over time, equal neighbours as one: the highest priority leads, then the newest."""
    own = [plan for plan in plans if plan.resource_id == resource]
    edges = sorted({edge for plan in own for edge in (plan.interval_start, plan.interval_end)})
    pieces = []
    for start, end in pairwise(edges):
        holding = [plan for plan in own if plan.interval_start <= start and end <= plan.interval_end]
        leading = max(holding, key=lambda plan: (plan.plan_priority, plan.plan_id), default=None)
        pieces.append((start, end, None if leading is None else (speed_hz(leading), leading.publisher)))
    for what, together in groupby(pieces, key=lambda piece: piece[2]):
        first, *_ = same = list(together)
        if what is not None:
            frequency, publisher = what
            yield shapes.PumpSpan(
                resource=resource, start=first[0], end=same[-1][1], frequency=frequency, publisher=publisher
            )


def speed_hz(plan: Plan) -> float | None:
    """The speed that a plan asks for (0: off), or None where it asks for something else."""
    match plan.targets:
        case PumpTargets(suggested_speed_hz=speed) if speed is not None:
            return round(speed, SPEED_DIGITS)
        case GenericTargets(target_type=TargetType.SPEED, target_value=speed):
            return round(speed, SPEED_DIGITS)
        case _:
            return None


def schedule_of(latest: LatestRun, display: Display) -> shapes.StationSchedule:
    """The newest schedule with its reasons."""
    solution = latest.solution or Solution()
    timing, tuning = solution.timing, solution.tuning
    return shapes.StationSchedule(
        run=run_of(latest.run),
        next_action=solution.next_action,
        energy_cost_eur=solution.energy_cost_eur,
        energy_mwh=solution.energy_mwh,
        objective=solution.objective,
        objective_by_term=solution.objective_by_term,
        gap=solution.gap,
        rounds=solution.rounds,
        starts=solution.starts,
        run_time_s=None if timing is None else timing.total_s,
        first_plan_s=None if timing is None else timing.first_plan_s,
        inflow_source=solution.inflow_source,
        prices_known_until=solution.prices_known_until,
        emptied_at=solution.emptied_at,
        tuning=None if tuning is None else _tuning(tuning, display),
        relaxations=[shapes.GivenWay(rule=r.rule, at=r.at, text=r.text) for r in solution.relaxations],
        inputs=run_inputs(display, latest.run),
        steps=list(_steps(solution.steps, display)),
    )


def _tuning(tuning: Tuning, display: Display) -> shapes.Tuning:
    levels = {
        "maximum_level": display.elevation(tuning.maximum_level_m),
        "minimum_level": display.elevation(tuning.minimum_level_m),
    }
    return shapes.Tuning(**tuning.model_dump(exclude={"maximum_level_m", "minimum_level_m"}), **levels)


def _steps(steps: Sequence[Step], display: Display) -> Iterator[shapes.StationStep]:
    """Each step up to where the next begins; the last is as long as the first."""
    first_length = steps[1].start - steps[0].start if len(steps) > 1 else QUARTER_HOUR
    ends = [step.start for step in steps[1:]] + [step.start + first_length for step in steps[-1:]]
    for step, end in zip(steps, ends, strict=True):
        yield shapes.StationStep(
            start=step.start,
            end=end,
            level=display.elevation(step.level_m),
            outflow=display.flow(step.outflow_m3s),
            inflow=display.flow(step.inflow_m3s),
            inflow_low=display.flow(step.inflow_low_m3s),
            inflow_high=display.flow(step.inflow_high_m3s),
            power=display.power(step.power_mw),
            price=step.price_eur_per_mwh,
            price_known=step.price_known,
            cost_eur=step.cost_eur,
            frequency=step.frequency_hz,
        )
