"""Asks the other services, by their OpenAPI. One that does not answer does not keep the others."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from headworks.common.client import UNANSWERED
from headworks.common.messages import ControlState, Plan, Sample, Setpoint
from headworks.dashboard.answers import (
    AlarmRecord,
    Answers,
    ApprovalRecord,
    ApprovalState,
    Away,
    KnownSeries,
    RunRecord,
    SourceHealth,
)

T = TypeVar("T")
Read = Callable[[bytes], T]
MOST_APPROVALS = 20
"""Plans that wait, at most so many of the newest on a page."""


class Gone(Exception):
    """A service did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Services:
    """HTTP clients of the other services by name."""

    clients: Mapping[str, httpx.AsyncClient]

    async def common(self, site: str, journal_entries: int) -> Answers:
        """What all sites have, at once."""
        at = f"/sites/{site}"
        async with asyncio.TaskGroup() as group:
            start = group.create_task
            latest = start(self._latest(site))
            sources = start(self.part("ingest", f"{at}/sources", _SOURCES))
            runs = start(self.part("optimizer", f"{at}/runs", _RUNS, {"limit": "1"}))
            plans = start(self.part("plans", "/plans/active", _PLANS, {"station": site}))
            approvals = start(self._approvals(site))
            control = start(self.part("control_gateway", f"{at}/state", _CONTROL))
            journal = start(self.part("control_gateway", f"{at}/journal", _JOURNAL, {"limit": str(journal_entries)}))
            alarms = start(self.part("alerts", f"{at}/alarms", _ALARMS))
        newest = runs.result()
        return Answers(
            latest=latest.result(),
            sources=sources.result(),
            newest_run=newest if isinstance(newest, Away) else next(iter(newest), None),
            plans=plans.result(),
            approvals=approvals.result(),
            control=control.result(),
            journal=journal.result(),
            alarms=alarms.result(),
        )

    async def values(self, site: str, series: str, start: datetime, end: datetime) -> list[Sample] | Away:
        """The values of a series over [start, end)."""
        window = {"start": start.isoformat(), "end": end.isoformat()}
        return await self.part("ingest", f"/sites/{site}/series/{series}/values", _SAMPLES, window)

    async def part(self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None) -> T | Away:
        """What a service answers; it is away where it knows nothing there."""
        found = await self.optional(service, path, read, parameters)
        return found if found is not None else Away(service, f"{service} does not know {path}")

    async def optional(
        self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None
    ) -> T | Away | None:
        """What a service answers; None where it knows nothing there."""
        try:
            return await self._get(service, path, read, parameters)
        except Gone as gone:
            return Away(service, str(gone))

    async def each(self, service: str, paths: Iterable[str], read: Read[T]) -> list[T] | Away:
        """What a service answers under each path; those where it knows nothing are left out."""
        try:
            found: list[T | None] = await asyncio.gather(*(self._get(service, path, read) for path in paths))
        except Gone as gone:
            return Away(service, str(gone))
        return [answer for answer in found if answer is not None]

    async def approval(self, approval_id: int) -> ApprovalRecord | Away | None:
        """An approval with its plan; None where there is none."""
        return await self.optional("plans", f"/approvals/{approval_id}", _APPROVAL)

    async def _approvals(self, site: str) -> list[ApprovalRecord] | Away:
        """The plans that wait for a person, newest first."""
        asked = {"station": site, "state": "WAITING", "limit": str(MOST_APPROVALS)}
        waiting = await self.part("plans", "/approvals", _APPROVALS, asked)
        if isinstance(waiting, Away):
            return waiting
        return await self.each("plans", (f"/approvals/{each.approval_id}" for each in waiting), _APPROVAL)

    async def _latest(self, site: str) -> list[tuple[Sample, Sample | None]] | Away:
        try:
            known = await self._get("ingest", f"/sites/{site}/series", _SERIES) or []
            wanted = sorted({entry.series for entry in known})
            found = await asyncio.gather(*(self._newest(site, series) for series in wanted))
        except Gone as gone:
            return Away("ingest", str(gone))
        return [pair for pair in found if pair is not None]

    async def _newest(self, site: str, series: str) -> tuple[Sample, Sample | None] | None:
        path = f"/sites/{site}/series/{series}/latest"
        sample = await self._get("ingest", path, _SAMPLE)
        if sample is None or sample.value is not None:
            return None if sample is None else (sample, None)
        return sample, await self._get("ingest", path, _SAMPLE, {"good_only": "true"})

    async def _get(self, service: str, path: str, read: Read[T], parameters: dict[str, str] | None = None) -> T | None:
        """The answer, or None where the service knows nothing there. Raises Gone."""
        try:
            response = await self.clients[service].get(path, params=parameters)
        except UNANSWERED as error:
            raise Gone(f"{service} does not answer ({type(error).__name__})") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise Gone(f"{service} answered {response.status_code}")
        try:
            return read(response.content)
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]
            field = ".".join(map(str, wrong["loc"]))
            raise Gone(f"{service} answered in an unknown form: {field}: {wrong['msg']}") from error


_APPROVAL: Read[ApprovalRecord] = TypeAdapter(ApprovalRecord).validate_json
_APPROVALS: Read[list[ApprovalState]] = TypeAdapter(list[ApprovalState]).validate_json
_SAMPLE: Read[Sample] = TypeAdapter(Sample).validate_json
_SAMPLES: Read[list[Sample]] = TypeAdapter(list[Sample]).validate_json
_SERIES: Read[list[KnownSeries]] = TypeAdapter(list[KnownSeries]).validate_json
_SOURCES: Read[list[SourceHealth]] = TypeAdapter(list[SourceHealth]).validate_json
_RUNS: Read[list[RunRecord]] = TypeAdapter(list[RunRecord]).validate_json
_PLANS: Read[list[Plan]] = TypeAdapter(list[Plan]).validate_json
_CONTROL: Read[ControlState] = TypeAdapter(ControlState).validate_json
_JOURNAL: Read[list[Setpoint]] = TypeAdapter(list[Setpoint]).validate_json
_ALARMS: Read[list[AlarmRecord]] = TypeAdapter(list[AlarmRecord]).validate_json
