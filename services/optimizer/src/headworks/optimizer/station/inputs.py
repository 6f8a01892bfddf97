"""Makes a station's problem of what is known, and says for every input where it comes from and how old it is.

A step that has begun is planned from its start: the level is that of the start, the pumps stand as they do now. Nothing is
made up: without level, a pump's state, inflow or any price there is no problem but the reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headworks.common.messages import ControlState, Forecast, Quality, Sample
from headworks.optimizer.inputs import DEFAULT_REQUIRED_AGE, Assembled, Unknown, Uses, required_ages, who_gave
from headworks.optimizer.station.case import (
    LastPlan,
    OutsideInflow,
    PlannedFlush,
    PumpState,
    StationInputs,
    StationStep,
    StrategyPeriod,
)
from headworks.optimizer.station.divergence import OVER, diverged_m3
from headworks.optimizer.station.outside import outside_inflow
from headworks.optimizer.station.pump_states import led_by_others, pump_state
from headworks.optimizer.station.settings import horizon_steps, planning_of
from headworks.optimizer.station.skill import PastForecast, inflow_errors
from headworks.optimizer.station.strategies import StrategyDocument
from headworks.waterway import series as names
from headworks.waterway.quantities import in_unit
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid

PUMP_FREQUENCY = "pump_frequency_hz"
"""What `required_age` calls the frequency of any pump."""
CONTROL = "control_state"
"""What a run's record calls the gateway's last word."""
OF_START = timedelta(minutes=5)
"""A level so little older than the start is the start's."""
NOISE_M = 0.1
"""An empty gauge may read so far below zero."""


@dataclass(frozen=True, slots=True)
class PastPlan:
    """A plan that was submitted: its run and its steps."""

    run_id: str
    steps: Sequence[StationStep]
    flush_window: PlannedFlush | None = None
    flushed: tuple[PlannedFlush, ...] = ()

    def step_at(self, start: datetime) -> StationStep | None:
        """The step that begins at an instant."""
        return next((step for step in self.steps if step.start == start), None)


@dataclass(frozen=True, slots=True)
class Known:
    """What ingest and the runs before knew: newest good values, good values by time, plans newest first, what was asked; and
    the gateway's last word on its pumps.
    """

    level: Sample | None
    levels: Sequence[Sample]
    frequency: Mapping[str, Sample]
    frequencies: Mapping[str, Sequence[Sample]]
    inflow: Sequence[Sample]
    prices: Sequence[Sample]
    outside: Forecast | None
    plans: Sequence[PastPlan]
    past_forecasts: Sequence[PastForecast]
    strategies: StrategyDocument
    control: ControlState | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Why an input cannot be given."""

    reason: str


def station_grid(site: StationSite, now: datetime) -> TimeGrid:
    """The steps of the horizon, from the start of the one that holds `now`."""
    section = site.section("schedule")
    step_s, horizon_s = in_unit(section["step"], "s"), in_unit(section["horizon"], "s")
    start = datetime.fromtimestamp(now.timestamp() // step_s * step_s, now.tzinfo)
    return TimeGrid(start, timedelta(seconds=step_s), round(horizon_s / step_s))


def _with_tail(site: StationSite, grid: TimeGrid) -> TimeGrid:
    """The steps of the horizon and of the tail beyond it: what is known of them is not to be guessed."""
    return replace(grid, count=sum(horizon_steps(site, planning_of(site), grid.step_s)))


def assemble(site: StationSite, known: Known, now: datetime) -> Assembled[StationInputs] | Unknown:
    """The problem of a site at `now`, or why there is none."""
    grid, uses = station_grid(site, now), Uses(now, required_ages(site))
    level_m = _level(site, known, uses, grid)
    led_otherwise = _led_otherwise(known, uses)
    pumps = [_pump(pump.resource, known, uses, grid) for pump in site.pumping_station.pumps]
    record = by_step(known.inflow, grid.step)
    whole = _with_tail(site, grid)
    inflow = _inflow(known, uses, whole, record, planning_of(site).forecast.quantiles)
    prices = _prices(known, uses, grid, whole.count)
    missing = [found.reason for found in (level_m, *pumps, inflow, prices) if isinstance(found, Missing)]
    if isinstance(level_m, Missing) or isinstance(inflow, Missing) or isinstance(prices, Missing) or missing:
        return Unknown(tuple(missing), tuple(uses.uses))
    inputs = StationInputs(
        site=site.site,
        start=grid.start,
        step_s=grid.step_s,
        level_m=level_m,
        pumps=tuple(
            pump.model_copy(update={"led_by": led_otherwise.get(pump.resource)})
            for pump in pumps
            if isinstance(pump, PumpState)
        ),
        past_inflow_m3s=inflow.past_m3s,
        past_price_eur_per_mwh=prices.past_eur_per_mwh,
        price_eur_per_mwh=prices.known_eur_per_mwh,
        outside_inflow=inflow.outside,
        emptied_at=_emptied_at(site, known, uses),
        diverged_m3=_diverged_m3(site, known, uses, grid),
        past_inflow_error=_errors(known, uses, record),
        strategies=_strategies(known, uses, grid),
        last_plan=_last_plan(site, known, grid),
    )
    return Assembled(inputs, tuple(uses.uses))


def by_step(samples: Sequence[Sample], step: timedelta) -> dict[datetime, float]:
    """Good means by the step that begins with them or lies within them; of two the one of the shorter span."""
    values: dict[datetime, float] = {}
    for sample in sorted(samples, key=lambda s: s.basis.span, reverse=True):
        if sample.quality is Quality.GOOD and sample.value is not None:
            steps = max(1, sample.basis.span // step)
            values.update(dict.fromkeys((sample.valid_at + t * step for t in range(steps)), sample.value))
    return values


def _level(site: StationSite, known: Known, uses: Uses, grid: TimeGrid) -> float | Missing:
    """The level at the grid's start, else the newest."""
    at_start = [s for s in known.levels if grid.start - OF_START <= s.valid_at <= grid.start]
    sample = at_start[-1] if at_start else known.level
    if sample is None or sample.value is None:
        uses.note(names.TUNNEL_LEVEL, "none", None)
        return Missing(f"{names.TUNNEL_LEVEL} is not known")
    why = None if at_start else f"no good value of {grid.start:%H:%M}Z; the newest one"
    if uses.note(names.TUNNEL_LEVEL, who_gave([sample]), sample.valid_at, why):
        return Missing(f"{names.TUNNEL_LEVEL} of {sample.valid_at:%Y-%m-%d %H:%M}Z is too old to plan from")
    top_m = site.pumping_station.station.tunnel.pieces[-1].to_m
    if not -NOISE_M <= sample.value <= top_m:
        return Missing(f"{names.TUNNEL_LEVEL}={sample.value:.3f} is outside the tunnel's 0 to {top_m:g} m")
    return max(0.0, sample.value)


def _pump(resource: str, known: Known, uses: Uses, grid: TimeGrid) -> PumpState | Missing:
    """How a pump stands now; where its frequency is not known, as the last plan had it, and as if it had just begun to."""
    series, newest = names.pump_series(resource, "frequency"), known.frequency.get(resource)
    required = uses.required.get(PUMP_FREQUENCY, DEFAULT_REQUIRED_AGE)
    if newest is not None and uses.now - newest.valid_at <= required:
        uses.note(series, who_gave([newest]), newest.valid_at)
        return pump_state(resource, newest, known.frequencies.get(resource, ()), grid)
    why = "no good frequency" if newest is None else f"the frequency of {newest.valid_at:%H:%M}Z is too old"
    before = _before(known, grid)
    asked_hz = None if before is None else before.step.frequency_hz.get(resource)
    if before is None or asked_hz is None:
        uses.note(series, "none", newest.valid_at if newest else None, why)
        return Missing(f"{series} is not known, and no plan says how {resource} stands")
    uses.note(series, f"run {before.run_id}", None, f"{why}; as the last plan had it")
    return PumpState(resource=resource, on=asked_hz > 0, steps=0)


def _led_otherwise(known: Known, uses: Uses) -> dict[str, str]:
    """The pumps that no plan leads, by the gateway's last word; without one all are planned, and the run says so."""
    if known.control is None:
        uses.note(CONTROL, "none", None, "no gateway was heard: every pump is planned")
        return {}
    led_otherwise = led_by_others(known.control)
    without = "; ".join(f"{resource} is not planned: {why}" for resource, why in led_otherwise.items())
    uses.note(CONTROL, known.control.gateway or "control-gateway", known.control.at, without or None)
    return led_otherwise


@dataclass(frozen=True, slots=True)
class _Before:
    """The step before the start, as the newest plan that began before it had it."""

    run_id: str
    step: StationStep


def _before(known: Known, grid: TimeGrid) -> _Before | None:
    found = ((plan.run_id, plan.step_at(grid.start - grid.step)) for plan in known.plans)
    return next((_Before(run_id, step) for run_id, step in found if step is not None), None)


@dataclass(frozen=True, slots=True)
class _Inflow:
    past_m3s: tuple[float | None, ...]
    outside: OutsideInflow | None


def _inflow(
    known: Known, uses: Uses, grid: TimeGrid, record: Mapping[datetime, float], quantiles: tuple[float, float]
) -> _Inflow | Missing:
    """The record up to the start, and an outside forecast that begins there."""
    past = {at: value for at, value in record.items() if at < grid.start and value >= 0}
    first = min(past, default=grid.start)
    steps = (grid.start - first) // grid.step
    newest = max(past, default=None)
    why = f"{steps - len(past)} of {steps} steps are not known" if steps > len(past) else None
    uses.note(names.TUNNEL_INFLOW, who_gave(known.inflow) if past else "none", newest, why)
    record_m3s = tuple(past.get(first + t * grid.step) for t in range(steps))
    outside = outside_inflow(known.outside, quantiles, uses, grid)
    if isinstance(outside, OutsideInflow):
        return _Inflow(record_m3s, outside)
    if not past:
        without = "no record and no forecast" if outside is None else f"no record, and {outside}"
        return Missing(f"{names.TUNNEL_INFLOW} is not known: {without}")
    return _Inflow(record_m3s, None)


@dataclass(frozen=True, slots=True)
class _Prices:
    past_eur_per_mwh: tuple[float | None, ...]
    known_eur_per_mwh: tuple[float, ...]


def _prices(known: Known, uses: Uses, grid: TimeGrid, most: int) -> _Prices | Missing:
    """Prices from the start up to where they are known, `most` of them, and those before."""
    by_time = by_step(known.prices, grid.step)
    ahead: list[float] = []
    while (price := by_time.get(grid.start + len(ahead) * grid.step)) is not None:
        ahead.append(price)
    first = min((at for at in by_time if at < grid.start), default=grid.start)
    past = tuple(by_time.get(first + t * grid.step) for t in range((grid.start - first) // grid.step))
    if not ahead and not past:
        uses.note(names.PRICE, "none", None)
        return Missing(f"{names.PRICE} is not known, neither of {grid.start:%Y-%m-%d %H:%M}Z nor of the days before")
    until = grid.start + len(ahead) * grid.step
    why = None if until >= grid.end else f"{_known_until(until, grid)}; then expected"
    uses.note(names.PRICE, who_gave(known.prices), None, why)
    return _Prices(past, tuple(ahead[:most]))


def _known_until(until: datetime, grid: TimeGrid) -> str:
    return f"known until {until:%Y-%m-%d %H:%M}Z" if until > grid.start else "none is known ahead"


def _emptied_at(site: StationSite, known: Known, uses: Uses) -> datetime | None:
    """When the tunnel was last seen empty: as the rule has it, for a plan that turned round short of it would not do it."""
    emptied_m = site.pumping_station.rules.emptied_level
    seen = [s for s in known.levels if s.value is not None and s.value <= emptied_m]
    last = max(seen, key=lambda s: s.valid_at, default=None)
    at = last.valid_at if last else None
    text = f"at {at:%Y-%m-%d %H:%M}Z" if at else f"no level to {emptied_m:g} m is known"
    uses.note("emptied_at", who_gave([last] if last else []), None, text)
    return at


def _diverged_m3(site: StationSite, known: Known, uses: Uses, grid: TimeGrid) -> float | None:
    """How the water of the last hour changed beyond what each of its steps' plan had, the newest that had begun."""
    begins = [grid.start - k * grid.step for k in range(OVER // grid.step, 0, -1)]
    found = diverged_m3([_missed_m3(site, known, begin, grid.step) for begin in begins])
    uses.note(
        "diverged_m3",
        "none" if found is None else "runs",
        None,
        None if found is not None else "no plan or level for it",
    )
    return found


def _missed_m3(site: StationSite, known: Known, begin: datetime, step: timedelta) -> float | None:
    """A step's measured change of volume less the planned one."""
    tunnel, levels_m = site.pumping_station.station.tunnel, [_level_at(known, at) for at in (begin, begin + step)]
    plans = (plan.step_at(begin) for plan in known.plans if plan.steps and plan.steps[0].start <= begin)
    planned = next((of_step for of_step in plans if of_step is not None), None)
    if planned is None or None in levels_m:
        return None
    before_m3, after_m3 = (tunnel.water_at(max(0.0, level_m)) for level_m in levels_m if level_m is not None)
    return after_m3 - before_m3 - (planned.inflow_m3s - planned.outflow_m3s) * step.total_seconds()


def _level_at(known: Known, at: datetime) -> float | None:
    """The level at an instant, or so little before that it is that instant's."""
    return next((s.value for s in reversed(known.levels) if at - OF_START <= s.valid_at <= at), None)


def _last_plan(site: StationSite, known: Known, grid: TimeGrid) -> LastPlan | None:
    """The newest plan, where some of it is still ahead."""
    plan = known.plans[0] if known.plans else None
    if plan is None or plan.step_at(grid.start) is None:
        return None
    resources = [pump.resource for pump in site.pumping_station.pumps]
    rows = tuple(tuple(step.frequency_hz.get(name, 0.0) for name in resources) for step in plan.steps)
    return LastPlan(start=plan.steps[0].start, frequency_hz=rows, flush_window=plan.flush_window, flushed=plan.flushed)


def _errors(known: Known, uses: Uses, record: Mapping[datetime, float]) -> tuple[float, ...]:
    errors = inflow_errors(known.past_forecasts, record)
    text = f"errors of {len(errors)} forecasts" if errors else "no forecast of before has come true yet"
    uses.note("past_inflow_error", "runs" if errors else "none", None, text)
    return errors


def _strategies(known: Known, uses: Uses, grid: TimeGrid) -> tuple[StrategyPeriod, ...]:
    """The periods that touch the horizon."""
    document = known.strategies
    periods = tuple(p for p in document.periods if p.start < grid.end and p.end > grid.start)
    text = f"version {document.version}, {len(periods)} of {len(document.periods)} periods within the horizon"
    uses.note("strategies", document.changed_by, None, text)
    return periods
