"""What a pumping station's record must agree with: its pumps with themselves, its flows with its volume, that with the level.

Each check gives what it finds; none changes a value.
"""

import statistics
from collections.abc import Iterator

from headworks.common.historian.mapping import Drop, Standing, StationChecks
from headworks.common.historian.record import Finding, Kind, Record, Values
from headworks.common.messages import Quality
from headworks.waterway.curves import OutOfRange
from headworks.waterway.series import (
    STATION_OUTFLOW,
    TUNNEL_INFLOW,
    TUNNEL_LEVEL,
    TUNNEL_VOLUME,
    pump_series,
    si_series,
)
from headworks.waterway.station_site import PumpingStation
from headworks.waterway.tunnel import TunnelVolume

QUANTITIES = ("frequency", "flow", "power")


def check_station(record: Record, station: PumpingStation, checks: StationChecks) -> list[Finding]:
    """Everything that does not agree, check by check. A check whose series the record has not finds nothing."""
    pumps = [(p.name, [pump_series(p.resource, q) for q in QUANTITIES]) for p in station.pumps]
    known = [(name, series) for name, series in pumps if set(series) <= set(record.series)]
    findings = [f for name, series in known for f in _disagreements(record, name, series, checks.standing)]
    if len(known) == len(pumps):
        findings += _too_few(record, [series for _, series in known], station.rules.minimum_pumps_on, checks.standing)
    if {TUNNEL_VOLUME, TUNNEL_INFLOW, STATION_OUTFLOW} <= set(record.series):
        findings += _unbalanced(record, checks.balance)
    if {TUNNEL_VOLUME, TUNNEL_LEVEL} <= set(record.series):
        findings += _off_curve(record, station.station.tunnel, checks.curve)
    for drop in checks.drops:
        if si_series(drop.series).name in record.series:
            findings += _drops(record, drop)
    return findings


def _disagreements(record: Record, pump: str, series: list[str], standing: Standing) -> Iterator[Finding]:
    """Where frequency, flow and power do not agree whether a pump runs."""
    stands = (standing.frequency, standing.flow, standing.power)
    for i, (hz, m3s, mw) in enumerate(zip(*(record.values(s) for s in series), strict=True)):
        if hz is None or m3s is None or mw is None:
            continue
        if len({value > limit for value, limit in zip((hz, m3s, mw), stands, strict=True)}) > 1:
            text = f"pump {pump}: {hz:.2f} Hz, {m3s * 3600:.1f} m³/h, {mw * 1000:.2f} kW do not agree whether it runs"
            yield record.grid.finding(Kind.PUMP_DISAGREES, i, series, Quality.SUSPECT, text)


def _too_few(record: Record, pumps: list[list[str]], minimum: int, standing: Standing) -> Iterator[Finding]:
    """Where fewer pumps run than the station's rule wants."""
    frequencies = zip(*(record.values(series[0]) for series in pumps), strict=True)
    affected = [STATION_OUTFLOW] * (STATION_OUTFLOW in record.series) + [name for series in pumps for name in series]
    for i, of_step in enumerate(frequencies):
        if None in of_step:
            continue
        running = sum(hz > standing.frequency for hz in of_step if hz is not None)
        if running < minimum:
            text = f"{running} pumps run; the station's rule is at least {minimum}"
            yield record.grid.finding(Kind.TOO_FEW_PUMPS, i, affected, Quality.SUSPECT, text)


def _unbalanced(record: Record, tolerance_m3: float) -> Iterator[Finding]:
    """Where volume[t] = volume[t-1] + (inflow[t] − outflow[t]) · step does not hold."""
    names, step_s = (TUNNEL_VOLUME, TUNNEL_INFLOW, STATION_OUTFLOW), record.grid.step.total_seconds()
    before: float | None = None
    for i, (volume, inflow, outflow) in enumerate(zip(*(record.values(n) for n in names), strict=True)):
        if before is not None and volume is not None and inflow is not None and outflow is not None:
            error_m3 = volume - before - (inflow - outflow) * step_s
            if abs(error_m3) > tolerance_m3:
                text = f"the volume is {error_m3:+.1f} m³ off the balance of inflow and outflow"
                yield record.grid.finding(Kind.BALANCE, i, names, Quality.SUSPECT, text)
        before = volume


def _off_curve(record: Record, tunnel: TunnelVolume, tolerance_m3: float) -> Iterator[Finding]:
    """Where the volume is not the level's by the tunnel's curve."""
    names = (TUNNEL_LEVEL, TUNNEL_VOLUME)
    for i, (level_m, volume_m3) in enumerate(zip(*(record.values(n) for n in names), strict=True)):
        if level_m is None or volume_m3 is None:
            continue
        try:
            off_m3 = volume_m3 - tunnel.volume_at(level_m)
        except OutOfRange:
            continue
        if abs(off_m3) > tolerance_m3:
            text = f"the volume is {off_m3:+.0f} m³ off the tunnel's curve at {level_m:.3f} m"
            yield record.grid.finding(Kind.CURVE, i, names, Quality.SUSPECT, text)


def _drops(record: Record, drop: Drop) -> Iterator[Finding]:
    """Values far below the median of their neighbours."""
    name, reach = si_series(drop.series).name, round(drop.around / record.grid.step.total_seconds())
    values: Values = record.values(name)
    for i, value in enumerate(values):
        near = [v for v in values[max(0, i - reach) : i + reach + 1] if v is not None]
        if value is not None and value < drop.share * (median := statistics.median(near)):
            text = f"{value:.4g} is {value / median:.0%} of the median around it, {median:.4g}"
            yield record.grid.finding(Kind.DROP, i, [name], Quality.SUSPECT, text)
