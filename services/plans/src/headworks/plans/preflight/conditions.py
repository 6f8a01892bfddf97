"""Where a site stands and what is coming, asked of ingest. What stands in for something unknown is noted."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from headworks.common.ingest import IngestClient, on_grid
from headworks.common.messages import Basis, Forecast, Sample
from headworks.plans.measured import HOUR, QUARTER, AfterbayRecord, afterbay_record, by_quarter, good
from headworks.plans.preflight.afterbay import AfterbayState
from headworks.plans.preflight.flight import NotFlown
from headworks.plans.preflight.station import StationState
from headworks.waterway import series as names
from headworks.waterway.afterbay import Mode, bias_m3s
from headworks.waterway.afterbay_balance import MeasuredHour, balance_m3s, formula_m3s
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.mfra import PATTERN_DAYS, mfra_forecast, summary
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid, hourly_grid, local_date

FORECAST = (names.R30_FLOW, names.R4_FLOW, names.R20_FLOW)
LATEST = (names.ELEVATION, names.OXPH_POWER, names.MFRA_POWER, names.FLOAT_ELEVATION, names.MODE, *names.GAUGES)
RUNS_ABOVE_HZ = 1.0
DAY = timedelta(days=1)


async def afterbay_state(
    site: AfterbaySite, ingest: IngestClient, now: datetime, hours: int
) -> AfterbayState | NotFlown:
    """An afterbay's state and inflow for so many hours. Raises IngestAway."""
    grid, today = hourly_grid(now, hours), local_date(now, site.zone)
    samples, forecasts, awards, history, record = await asyncio.gather(
        asyncio.gather(*(ingest.latest(site.site, name) for name in LATEST)),
        asyncio.gather(*(ingest.forecast(site.site, name) for name in names.GAUGES)),
        asyncio.gather(*(ingest.award(site.site, today + timedelta(days=d)) for d in range(3))),
        ingest.values(site.site, names.MFRA_POWER, now - timedelta(days=PATTERN_DAYS), now, Basis.HOUR_MEAN),
        afterbay_record(site, ingest, grid.start - timedelta(seconds=site.afterbay.inflow.bias_window), grid.start),
    )
    latest = {sample.series: sample for sample in samples if sample is not None}
    unknown = _too_old(site, names.ELEVATION, "elevation", latest.get(names.ELEVATION), now)
    if unknown:
        return unknown
    notes: list[str] = []
    flows = {
        name: _flow(name, forecast, latest.get(name), grid, notes)
        for name, forecast in zip(names.GAUGES, forecasts, strict=True)
    }
    mfra = mfra_forecast(
        grid,
        site.zone,
        awards_mw={i.start: i.power_mw for award in awards if award for i in award.intervals},
        history_mw=good(history),
        last_mw=_value(latest.get(names.MFRA_POWER)),
    )
    missing = [name for name, values in flows.items() if values is None] + ([] if mfra else [names.MFRA_POWER])
    if missing or mfra is None:
        return NotFlown(f"{', '.join(missing)} is not known")
    bias = _bias(site, record, grid.start, notes)
    means = [
        {name: values[t] for name, values in flows.items() if values} | {names.MFRA_POWER: mfra[t].power_mw}
        for t in range(grid.count)
    ]
    mode = _mode(site, latest.get(names.MODE), now, notes)
    entering = [formula_m3s(site, MeasuredHour(None, None, each, mode)) or 0.0 for each in means]
    power_mw, float_m = _power_mw(site, latest.get(names.OXPH_POWER), now, notes), _float_m(site, latest, now, notes)
    elevation = latest[names.ELEVATION]
    ground = f"from elevation {_value(elevation):.3f} m of {elevation.valid_at:%FT%TZ}, power {power_mw:.2f} MW, float "
    ground += f"{float_m:.3f} m, mode {mode.value}; inflow bias {bias:+.2f} m³/s; MFRA by {summary(mfra)}"
    return AfterbayState(
        grid=grid,
        elevation_m=_value(elevation) or 0.0,
        power_mw=power_mw,
        float_m=float_m,
        inflow_m3s=tuple(flow + bias for flow in entering),
        notes=(*notes, ground),
    )


def _value(sample: Sample | None) -> float | None:
    return sample.value if sample is not None else None


def _too_old(site: Site, series: str, base: str, sample: Sample | None, now: datetime) -> NotFlown | None:
    if sample is None or sample.value is None:
        return NotFlown(f"{series} is not known")
    oldest = _oldest(site, base, "2 h")
    if now - sample.valid_at > oldest:
        return NotFlown(f"{series} of {sample.valid_at:%FT%TZ} is older than {oldest}")
    return None


def _oldest(site: Site, base: str, otherwise: str) -> timedelta:
    ages = site.section("schedule").get("required_age", {})
    return timedelta(seconds=in_unit(ages.get(base, otherwise), "s"))


def _note_age(site: Site, base: str, sample: Sample, now: datetime, notes: list[str]) -> None:
    """Say of a value that is used however old it is that it is older than the site file's required age, or a day."""
    oldest = _oldest(site, base, "24 h")
    if now - sample.valid_at > oldest:
        notes.append(f"{sample.series} of {sample.valid_at:%FT%TZ} is older than {oldest}; it is used all the same")


def _power_mw(site: AfterbaySite, sample: Sample | None, now: datetime, notes: list[str]) -> float:
    """What the unit gives; one that stands still gives 0, which is not the same as not known."""
    if sample is None or sample.value is None:
        least_mw = site.afterbay.unit.min_power
        notes.append(f"{names.OXPH_POWER} is not known; the unit's minimum of {least_mw:g} MW stands in for it")
        return least_mw
    _note_age(site, "oxph_power", sample, now, notes)
    return sample.value


def _float_m(site: AfterbaySite, latest: Mapping[str, Sample], now: datetime, notes: list[str]) -> float:
    sample = latest.get(names.FLOAT_ELEVATION)
    if sample is None or sample.value is None:
        float_m = site.afterbay.reservoir.float_elevation
        notes.append(f"{names.FLOAT_ELEVATION} is not known; the site file's {float_m:.3f} m stands in for it")
        return float_m
    _note_age(site, "float_elevation", sample, now, notes)
    return sample.value


def _mode(site: AfterbaySite, sample: Sample | None, now: datetime, notes: list[str]) -> Mode:
    """The mode of now, which is taken to go on; GEN where it is not known, as in the optimizer."""
    if sample is None or sample.value is None:
        notes.append(f"{names.MODE} is not known; {Mode.GEN.value} stands in for it")
        return Mode.GEN
    modes = site.afterbay.inflow.modes
    mode = modes.get(int(sample.value)) if sample.value.is_integer() else None
    if mode is None:
        notes.append(f"mode {sample.value:g} is none of {sorted(modes)}; {Mode.GEN.value} stands in for it")
        return Mode.GEN
    _note_age(site, "mode", sample, now, notes)
    return Mode(mode)


def _flow(
    name: str, forecast: Forecast | None, last: Sample | None, grid: TimeGrid, notes: list[str]
) -> list[float] | None:
    """A stream by step: its forecast, held over gaps and beyond its end; without one the last value, however old."""
    covered = on_grid(forecast, grid) if forecast is not None else [None] * grid.count
    gaps, held = covered.count(None), _value(last)
    if gaps == grid.count and (last is None or held is None):
        return None
    if gaps == grid.count and last is not None:
        notes.append(f"{name}: no forecast for this time; the last value, of {last.valid_at:%FT%TZ}, is held")
    elif gaps:
        notes.append(f"{name}: {gaps} steps without a forecast hold the value before them")
    first = next((value for value in covered if value is not None), 0.0)
    held = held if held is not None else first
    filled = []
    for value in covered:
        held = held if value is None else value
        filled.append(held)
    return filled


def _bias(site: AfterbaySite, record: AfterbayRecord, end: datetime, notes: list[str]) -> float:
    """How much more flowed in of late than the gauges' formula says; 0, noted, where no hour of the window is whole."""
    hours = int(site.afterbay.inflow.bias_window // 3600)
    actual, expected = [], []
    for at in (end - k * HOUR for k in range(1, hours + 1)):
        hour = record.hour(at)
        balance, formula = balance_m3s(site, hour, record.float_at(at)), formula_m3s(site, hour)
        if balance is not None and formula is not None:
            actual.append(balance)
            expected.append(formula)
    bias = bias_m3s(actual, expected, site.afterbay.inflow.bias_clip)
    if bias is None:
        notes.append("inflow bias is not known: no hour of its window is whole; 0 stands in for it")
    return bias or 0.0


async def station_state(site: StationSite, ingest: IngestClient, now: datetime, steps: int) -> StationState | NotFlown:
    """A pumping station's state and inflow for so many quarter hours. Raises IngestAway."""
    kind = site.pumping_station
    start = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    grid = TimeGrid(start, QUARTER, steps)
    resources = [pump.resource for pump in kind.pumps]
    level, forecast, inflow, newest, records = await asyncio.gather(
        ingest.latest(site.site, names.TUNNEL_LEVEL),
        ingest.forecast(site.site, names.TUNNEL_INFLOW),
        ingest.values(site.site, names.TUNNEL_INFLOW, start - 2 * DAY, start, Basis.QUARTER_HOUR_MEAN),
        asyncio.gather(*(ingest.latest(site.site, _frequency(pump)) for pump in resources)),
        asyncio.gather(
            *(ingest.values(site.site, _frequency(p), start - DAY, start, Basis.QUARTER_HOUR_MEAN) for p in resources)
        ),
    )
    unknown = _too_old(site, names.TUNNEL_LEVEL, "tunnel_level", level, now)
    for pump, sample in zip(resources, newest, strict=True):
        unknown = unknown or _too_old(site, _frequency(pump), "pump_frequency", sample, now)
    if unknown or level is None:
        return unknown or NotFlown(f"{names.TUNNEL_LEVEL} is not known")
    coming, note = _inflow(forecast, by_quarter(inflow), grid)
    if coming is None:
        return NotFlown(note)
    history = [by_quarter(record) for record in records]
    speeds = [hz if (hz := _value(sample) or 0.0) > RUNS_ABOVE_HZ else 0.0 for sample in newest]
    before = tuple(_before(hz, record, start) for hz, record in zip(speeds, history, strict=True))
    notes = (note, f"from level {_value(level):.3f} m of {level.valid_at:%FT%TZ}")
    return StationState(
        grid=grid,
        volume_m3=kind.station.tunnel.water_at(max(0.0, _value(level) or 0.0)),
        frequency_hz=tuple(speeds),
        before=before,
        inflow_m3s=tuple(coming),
        notes=(*notes, *_not_known_since(site, before, history, start)),
    )


def _frequency(resource: str) -> str:
    return names.pump_series(resource, "frequency")


def _inflow(
    forecast: Forecast | None, measured: dict[datetime, float], grid: TimeGrid
) -> tuple[list[float] | None, str]:
    """The forecast where there is one for the whole time; else what came in a day before, said so."""
    if forecast is not None and None not in (covered := on_grid(forecast, grid)):
        return [
            value for value in covered if value is not None
        ], f"inflow by the forecast of {forecast.issued_at:%FT%TZ}"
    values: list[float] = []
    for at in grid.starts:
        days = (d for d in (1, 2, *range(3, 9)) if at - d * DAY in measured)
        value = next((measured[at - d * DAY] for d in days), None)
        if value is None:
            return None, f"the inflow of {at:%FT%TZ} is not known: no forecast, and no measurement of the days before"
        values.append(value)
    return (
        values,
        "no forecast of the inflow reaches so far; what came in at the same time of the day before stands for it",
    )


def _before(hz: float, record: dict[datetime, float], start: datetime) -> Before:
    """For how many quarter hours a pump has run or stood as it does now, as far back as is known."""
    steps = 0
    while (mean := record.get(start - (steps + 1) * QUARTER)) is not None and (mean > RUNS_ABOVE_HZ) == (hz > 0):
        steps += 1
    return Before(hz > 0, steps)


def _not_known_since(
    site: StationSite, before: Sequence[Before], history: Sequence[Mapping[datetime, float]], start: datetime
) -> tuple[str, ...]:
    """A note on the pumps whose record ends before it tells whether they have run or stood for long enough."""
    kind, unknown = site.pumping_station, []
    rules = kind.limits(QUARTER.total_seconds())
    for pump, was, record in zip(kind.pumps, before, history, strict=True):
        least = rules.minimum_run_steps if was.on else rules.minimum_rest_steps
        if was.steps < least and start - (was.steps + 1) * QUARTER not in record:
            unknown.append(pump.resource)
    if not unknown:
        return ()
    return (
        f"{', '.join(unknown)}: for how long they have run or stood is not known; they count as begun where their record begins",
    )
