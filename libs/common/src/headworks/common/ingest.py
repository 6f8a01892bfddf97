"""Asks ingest by its OpenAPI: values, the newest good one, forecasts and awards. What is not known is None or empty."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from headworks.common.client import UNANSWERED
from headworks.common.messages import Award, Basis, Forecast, Sample
from headworks.waterway.timegrid import TimeGrid

M = TypeVar("M", bound=BaseModel)
_samples = TypeAdapter(list[Sample])


class IngestAway(Exception):
    """Ingest does not answer as it should; the run can be tried again."""


class IngestClient:
    """What a planner asks of ingest. Everything raises IngestAway."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def values(self, site: str, series: str, start: datetime, end: datetime, basis: Basis) -> list[Sample]:
        """The values valid in [start, end), by time."""
        parameters = {"start": start.isoformat(), "end": end.isoformat(), "basis": basis.value}
        content = await self._get(f"/sites/{site}/series/{series}/values", parameters)
        try:
            return _samples.validate_json(content or b"[]")
        except ValidationError as error:
            raise IngestAway(f"ingest answered in an unknown form: {error}") from error

    async def latest(self, site: str, series: str) -> Sample | None:
        """The newest good value."""
        return await self._one(f"/sites/{site}/series/{series}/latest?good_only=true", Sample)

    async def forecast(self, site: str, series: str) -> Forecast | None:
        """The forecast that stands."""
        return await self._one(f"/sites/{site}/forecasts/{series}", Forecast)

    async def award(self, site: str, trade_date: date) -> Award | None:
        """The award of a trade date."""
        return await self._one(f"/sites/{site}/awards/{trade_date}", Award)

    async def _one(self, path: str, model: type[M]) -> M | None:
        content = await self._get(path)
        try:
            return model.model_validate_json(content) if content is not None else None
        except ValidationError as error:
            raise IngestAway(f"ingest answered in an unknown form: {error}") from error

    async def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes | None:
        """The body, or None where nothing is known."""
        try:
            response = await self._client.get(path, params=parameters)
        except UNANSWERED as error:
            raise IngestAway(f"ingest does not answer: {error!r}") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise IngestAway(f"ingest answered {response.status_code} to {path}: {response.text[:200]}")
        return response.content


def on_grid(forecast: Forecast, grid: TimeGrid) -> list[float | None]:
    """The mean of a forecast over each step of a grid, weighted by how much of it is covered; None where nothing is."""
    step = timedelta(seconds=forecast.step_s)
    water: dict[int, float] = {}
    covered_s: dict[int, float] = {}
    for piece in forecast.steps:
        at, end = max(piece.valid_at, grid.start), min(piece.valid_at + step, grid.end)
        while at < end:
            t = grid.index_of(at)
            until = min(end, grid.start + (t + 1) * grid.step)
            part_s = (until - at).total_seconds()
            water[t] = water.get(t, 0.0) + piece.value * part_s
            covered_s[t] = covered_s.get(t, 0.0) + part_s
            at = until
    return [water[t] / covered_s[t] if t in covered_s else None for t in range(grid.count)]
