"""What only an afterbay's page asks for: its schedule, measured elevation and power, and the market's awards."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field, TypeAdapter

from headworks.common.messages import Award, Instant, Sample
from headworks.dashboard.answers import Answer, Away, RunRecord
from headworks.dashboard.services import Read, Services
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.timegrid import local_date

PAST = timedelta(hours=24)
JOURNAL_ENTRIES = 1000
"""Enough to draw the setpoints of a day."""


class Hour(Answer):
    """An hour of a run's schedule; the elevation is of its end."""

    start: Instant
    setpoint_mw: float
    power_mw: float
    elevation_m: float
    spill_m3s: float
    inflow_m3s: float
    outflow_m3s: float


class Relaxation(Answer):
    """A limit that could not hold."""

    limit: str
    start: Instant
    end: Instant
    text: str


class Binding(Answer):
    """A limit that shapes the schedule."""

    limit: str
    start: Instant
    end: Instant


class Timing(Answer):
    """Where the time of a solve went."""

    build_s: float
    solve_s: float
    replay_s: float


class Solution(Answer):
    """A run's answer."""

    form: str | None = None
    solver: str = ""
    hours: list[Hour] = Field(default_factory=list)
    objective: float | None = None
    objective_by_term: dict[str, float] = Field(default_factory=dict)
    gap: float | None = None
    relaxations: list[Relaxation] = Field(default_factory=list)
    bindings: list[Binding] = Field(default_factory=list)
    timing: Timing | None = None
    next_action: str = ""


class LatestRun(Answer):
    """The newest run with a schedule."""

    run: RunRecord
    solution: Solution | None


@dataclass(frozen=True, slots=True)
class AfterbayAnswers:
    """What every part answered; None where a service says that there is nothing."""

    elevation: list[Sample] | Away
    power: list[Sample] | Away
    awards: list[Award] | Away
    latest_run: LatestRun | Away | None


async def ask(services: Services, site: AfterbaySite, now: datetime) -> AfterbayAnswers:
    """Everything at once."""
    async with asyncio.TaskGroup() as group:
        start = group.create_task
        elevation = start(services.values(site.site, names.ELEVATION, now - PAST, now))
        power = start(services.values(site.site, names.OXPH_POWER, now - PAST, now))
        awards = start(services.each("ingest", _award_paths(site, now), _AWARD))
        latest_run = start(services.optional("optimizer", f"/sites/{site.site}/runs/latest", _LATEST_RUN))
    return AfterbayAnswers(elevation.result(), power.result(), awards.result(), latest_run.result())


def _award_paths(site: AfterbaySite, now: datetime) -> list[str]:
    """From yesterday to the day after tomorrow."""
    today = local_date(now, site.zone)
    return [f"/sites/{site.site}/awards/{today + timedelta(days=days)}" for days in range(-1, 3)]


_AWARD: Read[Award] = TypeAdapter(Award).validate_json
_LATEST_RUN: Read[LatestRun] = TypeAdapter(LatestRun).validate_json
