"""Makes a case of what is known, and says for every input where it comes from and how old it is.

Nothing is made up: a value that is held, blended or taken from the site file is marked so, and without elevation or inflow
there is no case but the reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from headworks.common.ingest import on_grid
from headworks.common.messages import Award, Forecast, Override, Quality, Sample
from headworks.optimizer.afterbay.case import Case, Forcing, Options
from headworks.optimizer.inputs import Assembled, Unknown, Uses, joined, required_ages, who_gave
from headworks.waterway import series as names
from headworks.waterway.afterbay import Conditions, Mode, bias_m3s, inflow_m3s, unit_flow_m3s
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.mfra import MfraHour, mfra_forecast, summary
from headworks.waterway.timegrid import TimeGrid, hourly_grid

HOUR = timedelta(hours=1)
FORECAST_SERIES = (names.R30_FLOW, names.R4_FLOW, names.R20_FLOW)
HELD_SERIES = (names.R5L_FLOW, names.R26_FLOW)
OVERRIDABLE = frozenset({*FORECAST_SERIES, *HELD_SERIES, names.MFRA_POWER})


@dataclass(frozen=True, slots=True)
class Known:
    """What ingest knew: hourly history and the newest good value by series, the newest forecasts, and awards."""

    hourly: Mapping[str, Sequence[Sample]]
    latest: Mapping[str, Sample]
    forecasts: Mapping[str, Forecast]
    awards: Sequence[Award]


def assemble(
    site: AfterbaySite, known: Known, options: Options, overrides: Sequence[Override], now: datetime, hours: int
) -> Assembled[Case] | Unknown:
    """The case of a site at `now`, or why there is none."""
    grid = hourly_grid(now, hours)
    uses = Uses(now, required_ages(site))
    manual = {(o.series, o.valid_at): o.value for o in overrides}
    state = _state(site, known, uses, grid)
    flows = {name: _flow(name, known, uses, grid, manual) for name in (*FORECAST_SERIES, *HELD_SERIES)}
    mode = _mode(site, known, uses)
    mfra = _mfra(site, known, uses, grid, manual)
    reasons = [f"{name} is not known" for name, values in flows.items() if values is None]
    reasons += [*(state if isinstance(state, list) else []), *(["MFRA is not known"] if mfra is None else [])]
    if reasons or isinstance(state, list) or mfra is None:
        return Unknown(tuple(reasons), tuple(uses.uses))
    elevation_m, power_mw, float_m = state
    forcing = []
    for t in range(grid.count):
        values = {name: column[t] for name, column in flows.items() if column is not None}
        forcing.append(Forcing.model_validate({**values, "mfra_power_mw": mfra[t].power_mw, "mode": mode.value}))
    case = Case(
        site=site.site,
        start=grid.start,
        initial_elevation_m=elevation_m,
        initial_power_mw=max(0.0, power_mw),
        float_elevation_m=float_m,
        bias_m3s=_bias(site, known, uses, now, mode),
        forcing=tuple(forcing),
        options=options,
    )
    return Assembled(case, tuple(uses.uses), mfra, summary(mfra))


def _state(site: AfterbaySite, known: Known, uses: Uses, grid: TimeGrid) -> tuple[float, float, float] | list[str]:
    """Elevation and power at the grid's start and the float level; or what is missing."""
    reasons: list[str] = []
    elevation = _at_or_latest(known, names.ELEVATION, grid.start)
    if elevation is None or elevation.value is None:
        reasons.append("elevation is not known")
        uses.note(names.ELEVATION, "none", None)
    elif uses.note(names.ELEVATION, who_gave([elevation]), elevation.valid_at, _not_of(grid.start, elevation)):
        reasons.append(f"elevation of {elevation.valid_at:%Y-%m-%d %H:%M}Z is too old to plan from")
    power = known.latest.get(names.OXPH_POWER)
    minimum_mw = site.afterbay.unit.min_power
    if power is None or power.value is None:
        uses.note(names.OXPH_POWER, "site file", None, f"not known; the unit's minimum of {minimum_mw} MW")
    else:
        uses.note(names.OXPH_POWER, who_gave([power]), power.valid_at)
    floated = known.latest.get(names.FLOAT_ELEVATION)
    float_m = site.afterbay.reservoir.float_elevation
    if floated is None or floated.value is None:
        uses.note(names.FLOAT_ELEVATION, "site file", None, "the operator's tag is not known")
    else:
        uses.note(names.FLOAT_ELEVATION, who_gave([floated]), floated.valid_at)
        float_m = floated.value
    if reasons or elevation is None or elevation.value is None:
        return reasons
    return elevation.value, power.value if power and power.value is not None else minimum_mw, float_m


def _at_or_latest(known: Known, series: str, at: datetime) -> Sample | None:
    """The good value at an instant, else the newest good one."""
    exact = next((s for s in known.hourly.get(series, ()) if s.valid_at == at and s.quality is Quality.GOOD), None)
    return exact or known.latest.get(series)


def _not_of(at: datetime, sample: Sample) -> str | None:
    """What to say of a value that stands in for one at another instant."""
    return None if sample.valid_at == at else f"no good value of {at:%H:%M}Z; the newest one"


def _flow(
    series: str, known: Known, uses: Uses, grid: TimeGrid, manual: Mapping[tuple[str, datetime], float]
) -> list[float] | None:
    """A stream by hour: a person's value, else its forecast, held over gaps; without one the last observation; or None."""
    forecast, last = known.forecasts.get(series), known.latest.get(series)
    observed = last.value if last is not None else None
    by_hand = [manual.get((series, start)) for start in grid.starts]
    edited = f"{len(by_hand) - by_hand.count(None)} h by hand" if any(v is not None for v in by_hand) else None
    covered = on_grid(forecast, grid) if forecast is not None else [None] * grid.count
    gaps = covered.count(None)
    if forecast is not None and gaps < grid.count:
        first = next(value for value in covered if value is not None)
        filled = _held_over(covered, observed if observed is not None else first)
        holds = f"{gaps} h without a forecast hold the value before them" if gaps else None
        uses.note(series, forecast.source, forecast.issued_at, joined(forecast.substituted, holds, edited))
    elif observed is not None and last is not None:
        filled = [observed] * grid.count
        why = "no forecast" if forecast is None else f"the forecast of {forecast.issued_at:%Y-%m-%d %H:%M}Z has ended"
        uses.note(series, "persistence", last.valid_at, joined(f"{why}; the last observed value held", edited))
    else:
        uses.note(series, "none", None)
        return None
    return [value if hand is None else hand for hand, value in zip(by_hand, filled, strict=True)]


def _held_over(values: Sequence[float | None], before: float) -> list[float]:
    """The values, each gap filled with the one before it."""
    filled = []
    for value in values:
        before = before if value is None else value
        filled.append(before)
    return filled


def _mode(site: AfterbaySite, known: Known, uses: Uses) -> Mode:
    sample = known.latest.get(names.MODE)
    if sample is None or sample.value is None:
        uses.note(names.MODE, "site file", None, "mode is not known; GEN")
        return Mode.GEN
    modes = site.afterbay.inflow.modes
    mode = modes.get(int(sample.value)) if sample.value.is_integer() else None
    if mode is None:
        uses.note(names.MODE, "site file", sample.valid_at, f"mode {sample.value:g} is none of {sorted(modes)}; GEN")
        return Mode.GEN
    uses.note(names.MODE, who_gave([sample]), sample.valid_at)
    return Mode(mode)


def _mfra(
    site: AfterbaySite, known: Known, uses: Uses, grid: TimeGrid, manual: Mapping[tuple[str, datetime], float]
) -> tuple[MfraHour, ...] | None:
    awards_mw = {i.start: i.power_mw for award in known.awards for i in award.intervals}
    history = {s.valid_at: s.value for s in known.hourly.get(names.MFRA_POWER, ()) if s.value is not None}
    last = known.latest.get(names.MFRA_POWER)
    hours = mfra_forecast(
        grid,
        site.zone,
        awards_mw=awards_mw,
        history_mw=history,
        last_mw=last.value if last is not None else None,
        manual_mw={at: value for (series, at), value in manual.items() if series == names.MFRA_POWER},
    )
    newest = max((award.known_at for award in known.awards), default=None)
    uses.note("award", "caiso" if known.awards else "none", newest, None if known.awards else "no award is known")
    text = summary(hours) if hours is not None else "not known"
    uses.note(names.MFRA_POWER, "forecast", last.valid_at if last else None, text)
    return hours


def _bias(site: AfterbaySite, known: Known, uses: Uses, now: datetime, mode: Mode) -> float:
    """The mean clipped residual of net inflow over the window; 0, marked, where no hour of it is whole."""
    abay, settings = site.afterbay, site.afterbay.inflow
    start = now - timedelta(seconds=settings.bias_window)
    by_series = {
        name: {
            s.valid_at: s.value for s in known.hourly.get(name, ()) if s.quality is Quality.GOOD and s.value is not None
        }
        for name in (names.ELEVATION, names.OXPH_POWER, names.MFRA_POWER, *names.GAUGES)
    }
    curve = abay.reservoir.stage_storage.curve
    actual: list[float] = []
    expected: list[float] = []
    for at, before_m in sorted(by_series[names.ELEVATION].items()):
        after_m = by_series[names.ELEVATION].get(at + HOUR)
        means = {name: by_series[name].get(at) for name in (names.OXPH_POWER, names.MFRA_POWER, *names.GAUGES)}
        if at < start or after_m is None or any(value is None for value in means.values()):
            continue
        v = {name: value for name, value in means.items() if value is not None}
        try:
            change_m3s = (curve.storage_at(after_m) - curve.storage_at(before_m)) / HOUR.total_seconds()
        except OutOfRange:
            continue
        conditions = Conditions(
            r30_m3s=v[names.R30_FLOW],
            r4_m3s=v[names.R4_FLOW],
            r20_m3s=v[names.R20_FLOW],
            r5l_m3s=v[names.R5L_FLOW],
            r26_m3s=v[names.R26_FLOW],
            mfra_mw=v[names.MFRA_POWER],
            mode=mode,
        )
        actual.append(change_m3s)
        net_m3s = inflow_m3s(abay.upstream, settings, conditions) - unit_flow_m3s(abay.unit, v[names.OXPH_POWER])
        expected.append(net_m3s)
    found = bias_m3s(actual, expected, settings.bias_clip)
    if found is None:
        uses.note("bias", "none", None, "no whole hour of the window is known; 0")
        return 0.0
    text = f"mean of {len(actual)} h, {found:+.2f} m³/s; mean net inflow {fmean(actual):+.2f} m³/s"
    uses.note("bias", "residuals", None, text)
    return found
