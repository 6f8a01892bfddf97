"""From how a station stands and what is known to its schedule: forecast, tune, solve, simulate. Pure: no input or output.

The same code plans for the running service, for `headworks solve` and in every step of a back-test.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from headworks.optimizer.models.pumping_data import StationCase, StationWeights
from headworks.optimizer.station.case import (
    StationInputs,
    StationSolution,
    Tuning,
)
from headworks.optimizer.station.dry_days import dry_days, dry_steps, unknown_today
from headworks.optimizer.station.flush import (
    Ahead,
    flush_asked,
    last_steps,
)
from headworks.optimizer.station.forecasting import (
    InflowForecast,
    forecast_inflow,
    forecast_prices,
    held_on,
    record_of,
    with_band,
)
from headworks.optimizer.station.planned import Planned
from headworks.optimizer.station.schedule import StationOptions, solve_station
from headworks.optimizer.station.settings import TAIL_STEP_S, PlanningSection, horizon_steps, planned_rules, planning_of
from headworks.optimizer.station.solution import solution_of
from headworks.optimizer.station.tuning import tune, urgency
from headworks.optimizer.station.wall_clock import WallClock
from headworks.optimizer.values import Status
from headworks.waterway.pumps import operate
from headworks.waterway.quantities import in_unit
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

LONG_STOOD = Before(on=False, steps=10_000)
"""How a pump that is not planned counts: whatever it does, no plan has a say in it."""
Progress = Callable[[float | None], bool]
"""Called with the present gap; returns True to cancel."""
LATER_PRICE_SHARE = 0.3
"""Water left at the end is pumped in the cheapest part of the time after: so much of the horizon says how cheap that is."""


def solve_inputs(site: StationSite, inputs: StationInputs, on_progress: Progress | None = None) -> StationSolution:
    """The schedule for how things stand. What cannot be is a status with its reason. Raises ValueError for a wrong site file."""
    problem = plan_problem(site, inputs)
    if isinstance(problem, str):
        return StationSolution(status=Status.FAILED, reason=problem)
    schedule = solve_station(
        problem.station,
        problem.rules,
        problem.case,
        problem.weights,
        problem.options,
        problem.last_hz,
        on_progress,
        last_steps(inputs, problem.flush),
    )
    return solution_of(site, inputs, problem, schedule)


def plan_problem(site: StationSite, inputs: StationInputs) -> Planned | str:
    """The problem of a moment, or why there is none. Raises ValueError for a wrong site file."""
    planning, station = planning_of(site), site.pumping_station.station
    rules = planned_rules(site, planning, inputs.step_s)
    scheduled, beyond = horizon_steps(site, planning, inputs.step_s)
    forecast = _inflow(planning, inputs, site.zone, scheduled + beyond)
    if forecast is None:
        return "no inflow is known: neither a record nor a forecast from outside"
    named = [pump.resource for pump in inputs.pumps]
    resources = [pump.resource for pump in site.pumping_station.pumps]
    if named != resources:
        return f"pumps={named} must be the site's, in its order: {resources}"
    if not inputs.level_m <= station.tunnel.pieces[-1].to_m:
        return f"level_m={inputs.level_m} is above the tunnel's {station.tunnel.pieces[-1].to_m} m"
    if len(_not_planned(inputs)) == len(inputs.pumps):
        return f"no pump can be planned: {'; '.join(_led_otherwise(inputs))}"
    tuning = tune(planning, site.pumping_station.limits(inputs.step_s), station.tunnel, inputs, forecast)
    case = _case(site, planning, station, inputs, forecast, scheduled)
    ahead = Ahead(
        forecast.flow_m3s[:scheduled],
        case.price_eur_per_mwh[:scheduled],
        dry_steps(site, inputs, forecast)[:scheduled],
    )
    flush = flush_asked(planning.flush.window, station.tunnel, site.zone, inputs, ahead)
    case = replace(case, flush=flush.window)
    today = unknown_today(inputs, site.zone)
    tuning = tuning.model_copy(
        update={"reasons": (*tuning.reasons, *_led_otherwise(inputs), *today, *_urgent(tuning, case), *flush.reasons)}
    )
    weights = _weights(planning, tuning)
    section = site.section("schedule")
    options = StationOptions(
        time_limit_s=in_unit(section["time_limit"], "s"),
        mip_gap=float(section["mip_gap"]),
        threads=planning.solve.threads,
        rounds=planning.solve.rounds,
        agree_m3=planning.solve.agree,
        alike_m=planning.solve.alike,
        first_volume_m3=planning.solve.first_volume,
    )
    return Planned(station, rules, case, weights, options, _since(inputs), flush, forecast, tuning)


def _urgent(tuning: Tuning, case: StationCase) -> tuple[str, ...]:
    """What is said of an emptying that is due."""
    if not case.dry_days:
        return ()
    hours = tuning.hours_since_emptied
    since = "no emptying is known" if hours is None else f"{hours:.1f} h since the tunnel was emptied"
    return (f"{since}: urgency {tuning.emptying_urgency:.2f}",)


def _since(inputs: StationInputs) -> tuple[tuple[float, ...], ...]:
    """What is left of the last plan at the start, less the pumps that none leads now; nothing where there is no last plan."""
    if inputs.last_plan is None:
        return ()
    passed = round((inputs.start - inputs.last_plan.start).total_seconds() / inputs.step_s)
    left, without = inputs.last_plan.frequency_hz[max(0, passed) :], _not_planned(inputs)
    return tuple(tuple(0.0 if place in without else hz for place, hz in enumerate(asked)) for asked in left)


def _not_planned(inputs: StationInputs) -> tuple[int, ...]:
    """The places of the pumps that somebody else than a plan leads."""
    return tuple(place for place, pump in enumerate(inputs.pumps) if pump.led_by is not None)


def _led_otherwise(inputs: StationInputs) -> tuple[str, ...]:
    """What is said of them."""
    return tuple(f"{pump.resource} is not planned: {pump.led_by}" for pump in inputs.pumps if pump.led_by is not None)


def _inflow(planning: PlanningSection, inputs: StationInputs, zone: ZoneInfo, steps: int) -> InflowForecast | None:
    """The outside forecast where there is one, and our own from where it ends; None when nothing is known."""
    clock = WallClock(inputs.start, timedelta(seconds=inputs.step_s), zone)
    record, quantiles = record_of(clock.past(inputs.past_inflow_m3s), inputs.step_s), planning.forecast.quantiles
    outside = inputs.outside_inflow
    if record is None:
        return None if outside is None else held_on(outside, steps)
    if outside is not None and len(outside.flow_m3s) >= steps:
        return with_band(outside, steps, record, quantiles)
    walls = clock.ahead(steps)
    own = forecast_inflow(record, max(walls) + 1, planning.forecast.method, quantiles).at(walls)
    if outside is None:
        return own
    return with_band(outside, steps, record, quantiles).gone_on_with(own)


def _case(
    site: StationSite,
    planning: PlanningSection,
    station: Station,
    inputs: StationInputs,
    forecast: InflowForecast,
    scheduled: int,
) -> StationCase:
    """The program's case: the schedule's steps as they are, those beyond joined to whole hours."""
    steps, joined = len(forecast.flow_m3s), round(TAIL_STEP_S / inputs.step_s)
    prices = _prices(inputs, site.zone, steps)
    inflow_m3 = [flow * inputs.step_s for flow in forecast.flow_m3s]
    band_m3s = [high - flow for high, flow in zip(forecast.high_m3s, forecast.flow_m3s, strict=True)]
    above_m3 = [planning.flush.allow_for * above * inputs.step_s for above in band_m3s]
    beyond = range(scheduled, steps, joined)

    def place(t: int) -> int:
        return t if t <= scheduled else scheduled + (t - scheduled) // joined

    return StationCase(
        initial_volume_m3=station.tunnel.water_at(inputs.level_m),
        before=tuple(Before(pump.on, pump.steps) if pump.led_by is None else LONG_STOOD for pump in inputs.pumps),
        not_planned=_not_planned(inputs),
        inflow_m3=(*inflow_m3[:scheduled], *(sum(inflow_m3[t : t + joined]) for t in beyond)),
        inflow_above_m3=(*above_m3[:scheduled], *(sum(above_m3[t : t + joined]) for t in beyond)),
        missing_by_lead=_missing(planning, forecast),
        price_eur_per_mwh=(*prices[:scheduled], *(sum(prices[t : t + joined]) / joined for t in beyond)),
        step_s=inputs.step_s,
        dry_days=tuple(range(place(day.start), place(day.stop)) for day in dry_days(site, inputs, forecast)),
        water_value_eur_per_m3=_water_value(station, planning, prices),
        urgency=_urgency(planning, inputs, scheduled, len(beyond)),
        hours_run=tuple(pump.hours_run for pump in inputs.pumps),
        wanted=_wanted(inputs, steps, place),
        tail_steps=len(beyond),
        tail_step_s=TAIL_STEP_S,
    )


def _missing(planning: PlanningSection, forecast: InflowForecast) -> tuple[float, ...]:
    """What share of the expected inflow may be missing, by steps ahead: where none is expected the share of the step before."""
    shares: list[float] = []
    for low, flow in zip(forecast.low_m3s, forecast.flow_m3s, strict=True):
        shares.append(1 - low / flow if flow > 0 else shares[-1] if shares else 0.0)
    return tuple(planning.commitment.allow_for * share for share in shares)


def _prices(inputs: StationInputs, zone: ZoneInfo, steps: int) -> tuple[float, ...]:
    """The known prices, and from their end on what is expected by the time of day."""
    clock, known = WallClock(inputs.start, timedelta(seconds=inputs.step_s), zone), inputs.price_eur_per_mwh
    walls = clock.ahead(max(steps, len(known)))
    by_wall: list[float] = []
    for wall, price in zip(walls, known, strict=False):
        by_wall += [price] * (wall + 1 - len(by_wall))
    past = clock.past(inputs.past_price_eur_per_mwh)
    expected = forecast_prices(by_wall, past, max(walls) + 1, inputs.step_s)
    return (*known[:steps], *(expected[walls[t]] for t in range(len(known), steps)))


def _urgency(planning: PlanningSection, inputs: StationInputs, scheduled: int, beyond: int) -> tuple[float, ...]:
    """How urgent an emptying is as each step ends, if there is none before."""
    ends_s = [
        *((t + 1) * inputs.step_s for t in range(scheduled)),
        *(scheduled * inputs.step_s + (t + 1) * TAIL_STEP_S for t in range(beyond)),
    ]
    return tuple(urgency(planning, inputs.emptied_at, inputs.start + timedelta(seconds=end_s)) for end_s in ends_s)


def _wanted(inputs: StationInputs, steps: int, place: Callable[[int], int]) -> tuple[int, float] | None:
    """The step at whose end no more than so much is wanted, where that is within the horizon."""
    if inputs.wanted_volume is None:
        return None
    ends = round((inputs.wanted_volume.at - inputs.start).total_seconds() / inputs.step_s)
    return (place(ends - 1), inputs.wanted_volume.at_most_m3) if 1 <= ends <= steps else None


def _water_value(station: Station, planning: PlanningSection, prices: Sequence[float]) -> float:
    """What a cubic metre left at the end costs later [EUR]: the least energy it takes, in the cheapest part of such a time."""
    cheap = sorted(prices)[: max(1, round(LATER_PRICE_SHARE * len(prices)))]
    lift_m = station.outlet_m - planning.margin_level / 2
    works = [operate(pump, pump.make.nominal_hz, lift_m) for pump in station.pumps]
    mwh_per_m3 = min(work.power_mw / (work.flow_m3s * 3600) for work in works if work.flow_m3s > 0)
    return max(0.0, sum(cheap) / len(cheap)) * mwh_per_m3


def _weights(planning: PlanningSection, tuning: Tuning) -> StationWeights:
    """The soft terms as the moment asks; the energy's own price stays, so what counts less than it is divided."""
    prices, less = planning.prices, 1 / tuning.cost_factor
    strategy = planning.strategies[tuning.strategy]
    return StationWeights(
        margin_eur=prices.above_margin * tuning.safety_factor * less,
        floor_eur=prices.below_floor * tuning.safety_factor * less,
        violation_eur=prices.above_maximum * less,
        not_emptied_eur=prices.not_emptied * less,
        put_off_eur_per_h=planning.flush.put_off * less,
        at_risk_eur=planning.flush.at_risk * less,
        committed_eur=planning.commitment.short * less,
        start_eur=prices.start * strategy.start_factor * less,
        smooth_eur=tuning.smooth_eur_per_dam3 * less,
        uneven_eur=prices.uneven_outflow * less,
        even_within_m3s=planning.even_within,
        energy_eur_per_mwh=prices.energy,
        specific_energy_eur_per_mwh=prices.specific_energy * less,
        specific_energy_mwh_per_dam3=planning.specific_energy_target,
        not_flushed_eur=planning.flush.window.not_flushed * less,
        wear_eur=prices.wear * less,
        margin_level_m=tuning.maximum_level_m,
        floor_level_m=tuning.minimum_level_m,
        outflow_reserve=planning.outflow_reserve,
        lowest_volume_m3=planning.lowest_volume,
        inflow_reserve_m3=planning.inflow_reserve,
        empty_reserve_m3=planning.empty_reserve,
        hard_maximum=planning.maximum_level == "hard",
    )
