"""The PI Web API: many streams in one call, pages followed, WebIds cached, bad points kept as bad, enumerations by value.

A tag that PI does not know, or a point that cannot be read, is a flaw of its own; the other tags go on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headworks.common.messages import Basis, Quality, Sample, aware_utc
from headworks.ingest.sections import PiSection, PiSeries
from headworks.ingest.sources.asking import Reply, ask
from headworks.ingest.sources.fault import SourceFault

MAX_PAGES = 50
CLOCKS_DIFFER = timedelta(minutes=5)
"""A point may be so far ahead of our clock."""
NEVER_HAD_A_VALUE = frozenset({"No Data", "Pt Created"})
"""System digital states of a tag that was never written; every other system state means a bad value."""

Query = list[tuple[str, str | int | float | bool | None]]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Links(_Reply):
    """Where the next page is."""

    next: str | None = Field(default=None, alias="Next")


class StreamSet(_Reply):
    """One stream of a reply, with its items as they came."""

    web_id: str = Field(alias="WebId")
    items: list[dict[str, Any]] = Field(default_factory=list, alias="Items")
    value: dict[str, Any] | None = Field(default=None, alias="Value")


class Page(_Reply):
    """One page of a reply."""

    links: Links = Field(default_factory=Links, alias="Links")
    items: list[StreamSet] = Field(alias="Items")


@dataclass(slots=True)
class Gathered:
    """What PI gave, and what of it was not as it should be."""

    samples: list[Sample] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)


class _NotFound(SourceFault):
    """PI knows no such thing (any more)."""


class PiWebApi:
    """One PI Web API for one site."""

    def __init__(self, client: httpx.AsyncClient, section: PiSection) -> None:
        self._client, self._section = client, section
        self._web_ids: dict[str, str] = {}

    async def steps(self, start: datetime, end: datetime) -> Gathered:
        """Instants at the steps and means of whole steps over [start, end], both at a step. Raises SourceFault."""
        instants = [s for s in self._section.series if s.kind != "average"]
        averages = [s for s in self._section.series if s.kind == "average"]
        times: Query = [("startTime", _stamp(start)), ("endTime", _stamp(end))]
        step = f"{self._section.summary / 60:.0f}m"
        of_steps: Query = [
            *times,
            ("summaryType", "Average"),
            ("summaryDuration", step),
            ("calculationBasis", "TimeWeighted"),
        ]
        at_instants: Query = [*times, ("interval", step)]
        found = await self._ask("/streamsets/interpolated", instants, at_instants, Basis.INSTANT, end)
        if end > start and averages:
            means = await self._ask("/streamsets/summary", averages, of_steps, self._section.mean, end)
            found = Gathered(found.samples + means.samples, found.flaws + means.flaws)
        return found

    async def latest(self, now: datetime) -> Gathered:
        """The present value of every stream that has one. Raises SourceFault."""
        return await self._ask("/streamsets/value", self._section.series, [], Basis.INSTANT, now)

    async def _ask(
        self, path: str, series: Iterable[PiSeries], parameters: Query, basis: Basis, now: datetime
    ) -> Gathered:
        """All pages of a call; once more with fresh WebIds when PI does not know those of before."""
        wanted, known = tuple(series), dict(self._web_ids)
        try:
            return await self._pages(path, wanted, parameters, basis, now)
        except _NotFound:
            self._web_ids.clear()
            if not known:
                raise
        return await self._pages(path, wanted, parameters, basis, now)

    async def _pages(
        self, path: str, series: Iterable[PiSeries], parameters: Query, basis: Basis, now: datetime
    ) -> Gathered:
        found = Gathered()
        by_web_id = await self._by_web_id(series, found.flaws)
        if not by_web_id:
            return found
        query: Query = [("webId", web_id) for web_id in by_web_id]
        url, parameters = httpx.URL(path), query + parameters
        for _ in range(MAX_PAGES):
            page = self._page(await self._get(url, parameters))
            for stream in page.items:
                _read(by_web_id, stream, basis, now + CLOCKS_DIFFER, found)
            if page.links.next is None:
                return found
            url, parameters = self._same_server(page.links.next), []
        raise SourceFault(f"PI gives more than {MAX_PAGES} pages for {path}")

    def _page(self, reply: Reply) -> Page:
        try:
            return Page.model_validate(reply.json())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise SourceFault(f"PI answered in an unknown form: {where}: {first['msg']}: {reply.start!r}") from error

    def _same_server(self, link: str) -> httpx.URL:
        """The next page's address: credentials go to no other server, whatever a reply says."""
        base = self._client.base_url
        try:
            url = base.join(link)
        except (httpx.InvalidURL, ValueError) as error:
            raise SourceFault(f"PI's Links.Next={link[:200]!r} is no address") from error
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise SourceFault(f"PI's Links.Next={link[:200]!r} leads to another server than {base}")
        return url

    async def _by_web_id(self, series: Iterable[PiSeries], flaws: list[str]) -> dict[str, PiSeries]:
        found: dict[str, PiSeries] = {}
        for one in series:
            try:
                found[await self._web_id(one)] = one
            except _NotFound as error:
                flaws.append(f"{one.series}: {error}")
        return found

    async def _web_id(self, series: PiSeries) -> str:
        if series.path not in self._web_ids:
            path = f"\\\\{self._section.data_server}\\{self._section.database}\\{series.path}"
            reply = (await self._get(httpx.URL("/attributes"), [("path", path)])).json()
            web_id = reply.get("WebId") if isinstance(reply, dict) else None
            if not isinstance(web_id, str):
                raise SourceFault(f"PI gave no WebId for {path}")
            self._web_ids[series.path] = web_id
        return self._web_ids[series.path]

    async def _get(self, url: httpx.URL, query: Query) -> Reply:
        reply = await ask(self._client, self._client.build_request("GET", url, params=query or None), "PI")
        match reply.status:
            case 200:
                return reply
            case 404:
                raise _NotFound(f"PI answered 404: {reply.start}")
            case 401 | 403:
                raise SourceFault(f"PI answered {reply.status}, the credentials have no access: {reply.start}")
            case status:
                raise SourceFault(f"PI answered {status}: {reply.start}")


def _read(
    by_web_id: Mapping[str, PiSeries], stream: StreamSet, basis: Basis, latest: datetime, found: Gathered
) -> None:
    """Add a stream's points to what is found."""
    series = by_web_id.get(stream.web_id)
    if series is None:
        return
    for item in [*stream.items, *([stream.value] if stream.value is not None else [])]:
        # A summary nests the point: {"Type": "Average", "Value": {"Timestamp", "Value", "Good"}}.
        point = item["Value"] if "Type" in item and isinstance(item.get("Value"), dict) else item
        try:
            valid_at = aware_utc(datetime.fromisoformat(str(point.get("Timestamp"))))
        except (ValueError, OverflowError):
            found.flaws.append(f"{series.series}: PI gave a point whose time cannot be read: {str(point)[:200]}")
            continue
        if valid_at > latest:
            found.flaws.append(f"{series.series}: PI gave a point of the future: {str(point)[:200]}")
            continue
        found.samples.append(_sample(series, valid_at, point, basis))


def _sample(series: PiSeries, valid_at: datetime, point: Mapping[str, Any], basis: Basis) -> Sample:
    """A point as a sample; one that is bad, or a system state in place of a value, keeps its time and has no value."""
    quality, value = _value(series, point)
    substituted = "a person or a program put it into PI" if point.get("Substituted") is True else None
    return Sample(
        series=series.name.name, valid_at=valid_at, value=value, quality=quality, basis=basis, substituted=substituted
    )


def _value(series: PiSeries, point: Mapping[str, Any]) -> tuple[Quality, float | None]:
    raw = point.get("Value")
    state = raw if isinstance(raw, dict) else {"Name": raw} if isinstance(raw, str) else {}
    if state.get("Name") in NEVER_HAD_A_VALUE:
        return Quality.MISSING, None
    system_state = state.get("IsSystem") is True
    number = state.get("Value") if series.kind == "enumeration" and isinstance(raw, dict) else raw
    if point.get("Good", True) is not True or system_state or isinstance(number, bool):
        return Quality.BAD, None
    try:
        si_value = series.si(float(number))  # type: ignore[arg-type]  # what is no number is a bad value
    except (TypeError, ValueError, OverflowError):
        return Quality.BAD, None
    plausible = series.plausible(si_value) and point.get("Questionable") is not True
    return (Quality.GOOD if plausible else Quality.SUSPECT), si_value


def _stamp(at: datetime) -> str:
    return f"{aware_utc(at):%Y-%m-%dT%H:%M:%SZ}"
