"""Asks the other services, by their OpenAPI, for all that the page shows. One that does not answer is `Away`, with why."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from headworks.common.messages import (
    AlarmState,
    Award,
    ControlState,
    Instant,
    Plan,
    RunStage,
    RunStatus,
    Sample,
    Setpoint,
    Severity,
)
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.timegrid import local_date

T = TypeVar("T")
Read = Callable[[bytes], T]
PAST = timedelta(hours=24)
JOURNAL_ENTRIES = 1000


class Answer(BaseModel):
    """What we read of another service's answer; fields that it adds later do no harm."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class KnownSeries(Answer):
    """A series that ingest has values of."""

    series: str


class SourceHealth(Answer):
    """How a source of ingest does."""

    source: str
    last_success_at: Instant | None
    lag_s: float | None
    error: str | None


class InputUse(Answer):
    """An input of a run."""

    series: str
    source: str
    valid_at: Instant | None
    age_s: float | None
    stale: bool = False
    substituted: str | None = None


class RunRecord(Answer):
    """A run of the optimizer."""

    run_id: str
    requested_at: Instant
    requested_by: str
    reason: str
    stage: RunStage
    status: RunStatus | None
    status_reason: str
    finished_at: Instant | None
    mfra_summary: str = ""
    inputs: list[InputUse] | None = None


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


class AlarmRecord(Answer):
    """An alarm as the alerts service tells it."""

    alarm: str
    state: AlarmState
    severity: Severity
    title: str
    text: str = ""
    since: Instant
    value: float | None = None
    unit: str = ""
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """A service that did not answer, or not in a form we know."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What every part answered; None where a service says that there is nothing."""

    latest: list[tuple[Sample, Sample | None]] | Away
    """The newest value of each series; with the last good one where the newest is not good."""
    elevation: list[Sample] | Away
    power: list[Sample] | Away
    awards: list[Award] | Away
    sources: list[SourceHealth] | Away
    newest_run: RunRecord | Away | None
    latest_run: LatestRun | Away | None
    plans: list[Plan] | Away
    control: ControlState | Away
    journal: list[Setpoint] | Away
    alarms: list[AlarmRecord] | Away


class _Gone(Exception):
    """A service did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Services:
    """HTTP clients of the other services by name."""

    clients: Mapping[str, httpx.AsyncClient]

    async def ask(self, site: AfterbaySite, now: datetime) -> Answers:
        """Everything at once; one that is away does not keep the others."""
        name, at = site.site, f"/sites/{site.site}"
        window = {"start": (now - PAST).isoformat(), "end": now.isoformat()}
        async with asyncio.TaskGroup() as group:
            start = group.create_task
            latest = start(self._latest(name))
            elevation = start(self._part("ingest", f"{at}/series/{names.ELEVATION}/values", _SAMPLES, window))
            power = start(self._part("ingest", f"{at}/series/{names.OXPH_POWER}/values", _SAMPLES, window))
            awards = start(self._awards(site, now))
            sources = start(self._part("ingest", f"{at}/sources", _SOURCES))
            runs = start(self._part("optimizer", f"{at}/runs", _RUNS, {"limit": "1"}))
            latest_run = start(self._optional("optimizer", f"{at}/runs/latest", _LATEST_RUN))
            plans = start(self._part("plans", "/plans/active", _PLANS, {"station": name}))
            control = start(self._part("control_gateway", f"{at}/state", _CONTROL))
            journal = start(self._part("control_gateway", f"{at}/journal", _JOURNAL, {"limit": str(JOURNAL_ENTRIES)}))
            alarms = start(self._part("alerts", f"{at}/alarms", _ALARMS))
        newest = runs.result()
        return Answers(
            latest=latest.result(),
            elevation=elevation.result(),
            power=power.result(),
            awards=awards.result(),
            sources=sources.result(),
            newest_run=newest if isinstance(newest, Away) else next(iter(newest), None),
            latest_run=latest_run.result(),
            plans=plans.result(),
            control=control.result(),
            journal=journal.result(),
            alarms=alarms.result(),
        )

    async def _part(self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None) -> T | Away:
        found = await self._optional(service, path, read, parameters)
        return found if found is not None else Away(service, f"{service} does not know {path}")

    async def _optional(
        self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None
    ) -> T | Away | None:
        try:
            return await self._get(service, path, read, parameters)
        except _Gone as gone:
            return Away(service, str(gone))

    async def _latest(self, site: str) -> list[tuple[Sample, Sample | None]] | Away:
        try:
            known = await self._get("ingest", f"/sites/{site}/series", _SERIES) or []
            wanted = sorted({entry.series for entry in known})
            found = await asyncio.gather(*(self._newest(site, series) for series in wanted))
        except _Gone as gone:
            return Away("ingest", str(gone))
        return [pair for pair in found if pair is not None]

    async def _newest(self, site: str, series: str) -> tuple[Sample, Sample | None] | None:
        path = f"/sites/{site}/series/{series}/latest"
        sample = await self._get("ingest", path, _SAMPLE)
        if sample is None or sample.value is not None:
            return None if sample is None else (sample, None)
        return sample, await self._get("ingest", path, _SAMPLE, {"good_only": "true"})

    async def _awards(self, site: AfterbaySite, now: datetime) -> list[Award] | Away:
        """From yesterday to the day after tomorrow."""
        today = local_date(now, site.zone)
        paths = [f"/sites/{site.site}/awards/{today + timedelta(days=days)}" for days in range(-1, 3)]
        try:
            found: list[Award | None] = await asyncio.gather(*(self._get("ingest", p, _AWARD) for p in paths))
        except _Gone as gone:
            return Away("ingest", str(gone))
        return [award for award in found if award is not None]

    async def _get(self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None) -> T | None:
        """The answer, or None where the service knows nothing there. Raises _Gone."""
        try:
            response = await self.clients[service].get(path, params=parameters)
        except httpx.HTTPError as error:
            raise _Gone(f"{service} does not answer ({type(error).__name__})") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise _Gone(f"{service} answered {response.status_code}")
        try:
            return read(response.content)
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]
            field = ".".join(map(str, wrong["loc"]))
            raise _Gone(f"{service} answered in an unknown form: {field}: {wrong['msg']}") from error


_SAMPLE: Read[Sample] = TypeAdapter(Sample).validate_json
_SAMPLES: Read[list[Sample]] = TypeAdapter(list[Sample]).validate_json
_SERIES: Read[list[KnownSeries]] = TypeAdapter(list[KnownSeries]).validate_json
_SOURCES: Read[list[SourceHealth]] = TypeAdapter(list[SourceHealth]).validate_json
_AWARD: Read[Award] = TypeAdapter(Award).validate_json
_RUNS: Read[list[RunRecord]] = TypeAdapter(list[RunRecord]).validate_json
_LATEST_RUN: Read[LatestRun] = TypeAdapter(LatestRun).validate_json
_PLANS: Read[list[Plan]] = TypeAdapter(list[Plan]).validate_json
_CONTROL: Read[ControlState] = TypeAdapter(ControlState).validate_json
_JOURNAL: Read[list[Setpoint]] = TypeAdapter(list[Setpoint]).validate_json
_ALARMS: Read[list[AlarmRecord]] = TypeAdapter(list[AlarmRecord]).validate_json
