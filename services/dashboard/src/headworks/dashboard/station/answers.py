"""What only a pumping station's page asks for: its schedule, measured level and flows, and the prices that are known."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, TypeAdapter

from headworks.common.messages import Instant, Sample
from headworks.dashboard.answers import Answer, Away, RunRecord
from headworks.dashboard.services import Read, Services
from headworks.waterway import series as names
from headworks.waterway.station_site import StationSite

PAST, AHEAD = timedelta(hours=24), timedelta(hours=48)
JOURNAL_ENTRIES = 100
Quality = Literal["good", "fair", "poor", "unknown"]
Risk = Literal["low", "normal", "high", "critical"]


class Step(Answer):
    """A step of a run's schedule; the level and the volume are of its end, frequencies are by resource (0: off)."""

    start: Instant
    frequency_hz: dict[str, float]
    level_m: float
    volume_m3: float
    outflow_m3s: float
    inflow_m3s: float
    inflow_low_m3s: float
    inflow_high_m3s: float
    power_mw: float
    price_eur_per_mwh: float
    price_known: bool
    cost_eur: float


class Tuning(Answer):
    """How the solve was tuned to the moment, and why."""

    quality: Quality
    inflow_error: float | None
    risk: Risk
    emergency: bool
    strategy: str
    maximum_level_m: float
    minimum_level_m: float
    cost_factor: float
    safety_factor: float
    smooth_eur_per_dam3: float
    reasons: list[str]


class Relaxation(Answer):
    """A rule that could not hold."""

    rule: str
    at: Instant
    text: str


class Timing(Answer):
    """How long the solve took."""

    first_plan_s: float | None
    total_s: float


class Solution(Answer):
    """A run's answer."""

    steps: list[Step] = Field(default_factory=list)
    energy_cost_eur: float | None = None
    energy_mwh: float | None = None
    objective: float | None = None
    objective_by_term: dict[str, float] = Field(default_factory=dict)
    gap: float | None = None
    rounds: int = 0
    starts: int = 0
    relaxations: list[Relaxation] = Field(default_factory=list)
    inflow_source: str = ""
    prices_known_until: Instant | None = None
    emptied_at: list[Instant] = Field(default_factory=list)
    tuning: Tuning | None = None
    timing: Timing | None = None
    next_action: str = ""


class LatestRun(Answer):
    """The newest run with a schedule."""

    run: RunRecord
    solution: Solution | None


@dataclass(frozen=True, slots=True)
class StationAnswers:
    """What every part answered; None where a service says that there is nothing."""

    level: list[Sample] | Away
    outflow: list[Sample] | Away
    inflow: list[Sample] | Away
    prices: list[Sample] | Away
    latest_run: LatestRun | Away | None


async def ask(services: Services, site: StationSite, now: datetime) -> StationAnswers:
    """Everything at once; prices are known ahead."""
    async with asyncio.TaskGroup() as group:
        start = group.create_task
        level = start(services.values(site.site, names.TUNNEL_LEVEL, now - PAST, now))
        outflow = start(services.values(site.site, names.STATION_OUTFLOW, now - PAST, now))
        inflow = start(services.values(site.site, names.TUNNEL_INFLOW, now - PAST, now))
        prices = start(services.values(site.site, names.PRICE, now - PAST, now + AHEAD))
        latest_run = start(services.optional("optimizer", f"/sites/{site.site}/runs/latest", _LATEST_RUN))
    return StationAnswers(level.result(), outflow.result(), inflow.result(), prices.result(), latest_run.result())


_LATEST_RUN: Read[LatestRun] = TypeAdapter(LatestRun).validate_json
