"""Asks ingest, by its OpenAPI, for all that a run needs."""

import asyncio
from datetime import datetime, timedelta
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from headworks.common.messages import Award, Forecast, Sample
from headworks.optimizer.afterbay.inputs import FORECAST_SERIES, HELD_SERIES, Known
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.mfra import PATTERN_DAYS
from headworks.waterway.timegrid import local_date

M = TypeVar("M", bound=BaseModel)
_samples = TypeAdapter(list[Sample])
HOURLY_WINDOW = timedelta(hours=26)
LATEST = (names.ELEVATION, names.FLOAT_ELEVATION, names.OXPH_POWER, names.MFRA_POWER, names.MODE, *names.GAUGES)


class IngestAway(Exception):
    """Ingest does not answer as it should; the run can be tried again."""


class IngestClient:
    """What the optimizer asks of ingest."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def known(self, site: AfterbaySite, now: datetime) -> Known:
        """All that is known at `now`. Raises IngestAway."""
        hourly_names = (names.ELEVATION, names.OXPH_POWER, names.MFRA_POWER, *names.GAUGES)
        today = local_date(now, site.zone)
        hourly, latest, forecasts, awards = await asyncio.gather(
            asyncio.gather(*(self._values(site.site, name, now) for name in hourly_names)),
            asyncio.gather(
                *(self._one(f"/sites/{site.site}/series/{n}/latest?good_only=true", Sample) for n in LATEST)
            ),
            asyncio.gather(
                *(self._one(f"/sites/{site.site}/forecasts/{n}", Forecast) for n in (*FORECAST_SERIES, *HELD_SERIES))
            ),
            asyncio.gather(
                *(self._one(f"/sites/{site.site}/awards/{today + timedelta(days=d)}", Award) for d in range(3))
            ),
        )
        return Known(
            hourly=dict(zip(hourly_names, hourly, strict=True)),
            latest={sample.series: sample for sample in latest if sample is not None},
            forecasts={forecast.series: forecast for forecast in forecasts if forecast is not None},
            awards=[award for award in awards if award is not None],
        )

    async def _values(self, site: str, series: str, now: datetime) -> list[Sample]:
        """Hourly values: instants of the elevation, means of the rest; two months of MFRA for its pattern."""
        window = timedelta(days=PATTERN_DAYS) if series == names.MFRA_POWER else HOURLY_WINDOW
        basis = "instant" if series == names.ELEVATION else "hour_mean"
        parameters = {"start": (now - window).isoformat(), "end": now.isoformat(), "basis": basis}
        content = await self._get(f"/sites/{site}/series/{series}/values", parameters)
        try:
            samples = _samples.validate_json(content or b"[]")
        except ValidationError as error:
            raise IngestAway(f"ingest answered in an unknown form: {error}") from error
        return [s for s in samples if s.valid_at.minute == 0 and s.valid_at.second == 0]

    async def _one(self, path: str, model: type[M]) -> M | None:
        content = await self._get(path)
        try:
            return model.model_validate_json(content) if content is not None else None
        except ValidationError as error:
            raise IngestAway(f"ingest answered in an unknown form: {error}") from error

    async def _get(self, path: str, parameters: dict[str, str] | None = None) -> bytes | None:
        """The body, or None where nothing is known."""
        try:
            response = await self._client.get(path, params=parameters)
        except httpx.HTTPError as error:
            raise IngestAway(f"ingest does not answer: {error!r}") from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise IngestAway(f"ingest answered {response.status_code} to {path}: {response.text[:200]}")
        return response.content
