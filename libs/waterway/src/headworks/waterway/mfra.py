"""The forecast of the upstream powerhouses (MFRA): award where known, then a blend into the pattern, else persistence.

From the last awarded hour to the 24th hour of the forecast its power persists; over hours 25 to 48 it blends into the
pattern; from there the pattern stands alone. A gap within an awarded day is the pattern's. Every hour carries its
source and a confidence from 0 to 100.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from headworks.waterway.timegrid import TimeGrid, local_date

PATTERN_DAYS = 60
BLEND_FROM_H, BLEND_TO_H = 24, 48
MIN_AWARD_COVER = 0.5
CONFIDENCE = {"actual": 100, "manual": 95, "da_award": 90, "blend": 60, "pattern": 45, "persistence": 25}


class MfraSource(StrEnum):
    """Where an hour's power comes from."""

    ACTUAL = "actual"
    MANUAL = "manual"
    DA_AWARD = "da_award"
    BLEND = "blend"
    PATTERN = "pattern"
    PERSISTENCE = "persistence"


@dataclass(frozen=True, slots=True)
class MfraHour:
    """The power [MW] of one hour, its source, and the confidence in it (0–100)."""

    power_mw: float
    source: MfraSource
    confidence: int


def mfra_forecast(
    grid: TimeGrid,
    zone: ZoneInfo,
    *,
    awards_mw: Mapping[datetime, float],
    history_mw: Mapping[datetime, float],
    last_mw: float | None,
    manual_mw: Mapping[datetime, float] | None = None,
) -> tuple[MfraHour, ...] | None:
    """One entry per hour of the grid, or None when nothing at all is known.

    `awards_mw` and `history_mw` are keyed by the hour's start; history older than 60 days is not used.
    """
    used_awards = _covering_awards(grid, zone, awards_mw)
    pattern = _pattern(history_mw, grid.start, zone)
    last_award = max(used_awards, default=None)
    hours: list[MfraHour] = []
    for lead_h, start in enumerate(grid.starts):
        hour = _hour(lead_h, start, zone, used_awards, last_award, pattern, last_mw, manual_mw or {})
        if hour is None:
            return None
        hours.append(hour)
    return tuple(hours)


def _hour(
    lead_h: int,
    start: datetime,
    zone: ZoneInfo,
    awards_mw: Mapping[datetime, float],
    last_award: datetime | None,
    pattern: Mapping[tuple[int, int], float],
    last_mw: float | None,
    manual_mw: Mapping[datetime, float],
) -> MfraHour | None:
    local = start.astimezone(zone)
    usual_mw = pattern.get((local.weekday(), local.hour))
    if start in manual_mw:
        return _from(manual_mw[start], MfraSource.MANUAL)
    if start in awards_mw:
        return _from(awards_mw[start], MfraSource.DA_AWARD)
    awarded_mw = awards_mw[last_award] if last_award is not None else None
    beyond = last_award is not None and start > last_award
    if usual_mw is not None and awarded_mw is not None and beyond and BLEND_FROM_H <= lead_h < BLEND_TO_H:
        weight = 1 - (lead_h + 1 - BLEND_FROM_H) / (BLEND_TO_H - BLEND_FROM_H)
        return _from(weight * awarded_mw + (1 - weight) * usual_mw, MfraSource.BLEND)
    if usual_mw is not None and not (beyond and lead_h < BLEND_FROM_H):
        return _from(usual_mw, MfraSource.PATTERN)
    known_mw = awarded_mw if awarded_mw is not None else last_mw
    return None if known_mw is None else _from(known_mw, MfraSource.PERSISTENCE)


def _from(power_mw: float, source: MfraSource) -> MfraHour:
    return MfraHour(power_mw, source, CONFIDENCE[source])


def _covering_awards(grid: TimeGrid, zone: ZoneInfo, awards_mw: Mapping[datetime, float]) -> dict[datetime, float]:
    """The awards of those days of which at least half of the forecast's hours are awarded."""
    wanted: dict[object, list[datetime]] = defaultdict(list)
    for start in grid.starts:
        wanted[local_date(start, zone)].append(start)
    used: dict[datetime, float] = {}
    for starts in wanted.values():
        known = [start for start in starts if start in awards_mw]
        if len(known) >= MIN_AWARD_COVER * len(starts):
            used.update((start, awards_mw[start]) for start in known)
    return used


def _pattern(history_mw: Mapping[datetime, float], now: datetime, zone: ZoneInfo) -> dict[tuple[int, int], float]:
    """The median of the past 60 days by (weekday, hour), local."""
    grouped: dict[tuple[int, int], list[float]] = defaultdict(list)
    for start, power_mw in history_mw.items():
        if now - timedelta(days=PATTERN_DAYS) <= start < now:
            local = start.astimezone(zone)
            grouped[local.weekday(), local.hour].append(power_mw)
    return {key: median(values) for key, values in grouped.items()}


def summary(hours: Sequence[MfraHour]) -> str:
    """How many hours come from what: "award 18 h, persistence 6 h"."""
    names = {MfraSource.DA_AWARD: "award"}
    counts = Counter(hour.source for hour in hours)
    return ", ".join(f"{names.get(source, source.value)} {counts[source]} h" for source in MfraSource if counts[source])
