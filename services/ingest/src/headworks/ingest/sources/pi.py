"""The PI Web API: many streams in one call, pages followed, WebIds cached, bad points kept as bad, enumerations by value."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headworks.common.messages import Basis, Quality, Sample
from headworks.ingest.sections import PiSection, PiSeries
from headworks.ingest.sources.fault import SourceFault

MAX_PAGES = 50


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


class PiWebApi:
    """One PI Web API for one site."""

    def __init__(self, client: httpx.AsyncClient, section: PiSection) -> None:
        self._client, self._section = client, section
        self._web_ids: dict[str, str] = {}

    async def hourly(self, start: datetime, end: datetime) -> list[Sample]:
        """Instants on the hour and means of whole hours over [start, end], both on the hour. Raises SourceFault."""
        instants = [s for s in self._section.series if s.kind != "average"]
        averages = [s for s in self._section.series if s.kind == "average"]
        times = {"startTime": _stamp(start), "endTime": _stamp(end)}
        at_instants = {**times, "interval": "60m"}
        of_hours = {
            **times,
            "summaryType": "Average",
            "summaryDuration": "60m",
            "calculationBasis": "TimeWeighted",
        }
        samples = await self._ask("/streamsets/interpolated", instants, at_instants, Basis.INSTANT)
        if end > start:
            samples += await self._ask("/streamsets/summary", averages, of_hours, Basis.HOUR_MEAN)
        return samples

    async def latest(self) -> list[Sample]:
        """The present value of every stream. Raises SourceFault."""
        return await self._ask("/streamsets/value", self._section.series, {}, Basis.INSTANT)

    async def _ask(
        self, path: str, series: Iterable[PiSeries], parameters: dict[str, str], basis: Basis
    ) -> list[Sample]:
        by_web_id = {await self._web_id(s): s for s in series}
        url: str | None = path
        query: list[tuple[str, str | int | float | bool | None]] = [("webId", web_id) for web_id in by_web_id]
        query += list(parameters.items())
        samples: list[Sample] = []
        for _ in range(MAX_PAGES):
            if url is None:
                return samples
            page = await self._page(url, query)
            samples += [sample for stream in page.items for sample in _samples(by_web_id, stream, basis)]
            url, query = page.links.next, []
        raise SourceFault(f"PI gives more than {MAX_PAGES} pages for {path}")

    async def _page(self, url: str, query: list[tuple[str, str | int | float | bool | None]]) -> Page:
        try:
            return Page.model_validate(await self._json(url, query))
        except ValidationError as error:
            self._web_ids.clear()
            raise SourceFault(f"PI answered {url} in an unknown form: {error.errors()[0]['msg']}") from error

    async def _web_id(self, series: PiSeries) -> str:
        if series.path not in self._web_ids:
            path = f"\\\\{self._section.data_server}\\{self._section.database}\\{series.path}"
            reply = await self._json("/attributes", [("path", path)])
            web_id = reply.get("WebId") if isinstance(reply, dict) else None
            if not isinstance(web_id, str):
                raise SourceFault(f"PI gave no WebId for {path}")
            self._web_ids[series.path] = web_id
        return self._web_ids[series.path]

    async def _json(self, url: str, query: list[tuple[str, str | int | float | bool | None]]) -> Any:
        try:
            response = await self._client.get(url, params=query or None)
            response.raise_for_status()
            return response.json()
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                self._web_ids.clear()
            raise SourceFault(f"PI answered {error.response.status_code}: {error.response.text[:200]}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise SourceFault(f"PI does not answer: {error!r}") from error


def _samples(by_web_id: dict[str, PiSeries], stream: StreamSet, basis: Basis) -> Iterator[Sample]:
    series = by_web_id.get(stream.web_id)
    if series is None:
        return
    for item in [*stream.items, *([stream.value] if stream.value is not None else [])]:
        # A summary nests the point: {"Type": "Average", "Value": {"Timestamp", "Value", "Good"}}.
        point = item["Value"] if "Type" in item and isinstance(item.get("Value"), dict) else item
        yield _sample(series, point, basis)


def _sample(series: PiSeries, point: dict[str, Any], basis: Basis) -> Sample:
    """A point as a sample; a bad one keeps its time and has no value. Raises SourceFault."""
    try:
        valid_at = datetime.fromisoformat(str(point["Timestamp"])[:19]).replace(tzinfo=UTC)
        raw = point["Value"]
        good = bool(point.get("Good", True))
        value = raw.get("Value") if isinstance(raw, dict) and series.kind == "enumeration" else raw
        if not good or isinstance(value, dict) or value is None:
            return Sample(series=series.name.name, valid_at=valid_at, value=None, quality=Quality.BAD, basis=basis)
        si_value = series.si(float(value))
        quality = Quality.GOOD if series.plausible(si_value) else Quality.SUSPECT
        return Sample(series=series.name.name, valid_at=valid_at, value=si_value, quality=quality, basis=basis)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceFault(f"PI gave a point of {series.series} that cannot be read: {str(point)[:200]}") from error


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
