"""HydroForecast: the newest issue of every stream with its quantiles; CNRFC where HydroForecast has none."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headworks.common.messages import Forecast, ForecastStep, aware_utc
from headworks.ingest.sections import HydroForecastSection
from headworks.ingest.sources.fault import SourceFault
from headworks.waterway.quantities import in_unit
from headworks.waterway.series import si_series

HYDROFORECAST, CNRFC = "hydroforecast-short-term", "cnrfc"
MEANS = ("discharge_mean", "ensemble_forecast_avg")


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Issue(_Reply):
    """One issue of a forecast; a column can be null or empty."""

    issueTime: datetime  # noqa: N815 - the vendor's spelling
    validTimes: list[datetime]  # noqa: N815
    data: dict[str, list[float | None] | None]


class Answer(_Reply):
    """The answer to one query."""

    forecasts: list[Issue] | None = Field(default=None)


class Body(_Reply):
    """The whole reply, one answer per query."""

    data: list[Answer]


class HydroForecast:
    """The vendor's API for one site."""

    def __init__(self, client: httpx.AsyncClient, key: str, section: HydroForecastSection) -> None:
        self._client, self._key, self._section = client, key, section

    async def newest(self, site: str, now: datetime) -> dict[str, Forecast]:
        """The newest forecast of each series that either source has. Raises SourceFault when the API does not answer."""
        ids = {si_series(s.series).name: (s.site_id, s.cnrfc_id) for s in self._section.sites}
        first = await self._ask(HYDROFORECAST, {name: pair[0] for name, pair in ids.items()}, site, now)
        missing = {name: pair[1] for name, pair in ids.items() if name not in first}
        if not missing:
            return first
        second = await self._ask(CNRFC, missing, site, now)
        marked = {
            name: forecast.model_copy(update={"substituted": "HydroForecast had none; CNRFC"})
            for name, forecast in second.items()
        }
        return first | marked

    async def _ask(self, source: str, ids: dict[str, str], site: str, now: datetime) -> dict[str, Forecast]:
        columns = ["ensemble_forecast_avg"] if source == CNRFC else ["discharge_mean"]
        if source == HYDROFORECAST:
            columns += [f"discharge_q{q:g}" for q in self._section.quantiles]
        queries = [_query(source, site_id, columns, now) for site_id in ids.values()]
        answers = await self._post({"queries": queries})
        if len(answers) != len(queries):
            raise SourceFault(f"HydroForecast gave {len(answers)} answers to {len(queries)} queries")
        found: dict[str, Forecast] = {}
        for series, answer in zip(ids, answers, strict=True):
            forecast = self._newest_issue(answer, site, series, source, now)
            if forecast is not None:
                found[series] = forecast
        return found

    async def _post(self, body: dict[str, Any]) -> Sequence[Answer]:
        try:
            response = await self._client.post(
                "/api/v2/timeseries/forecasts", json=body, headers={"Authorization": self._key}
            )
            response.raise_for_status()
            return Body.model_validate_json(response.content).data
        except httpx.HTTPStatusError as error:
            raise SourceFault(f"HydroForecast answered {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise SourceFault(f"HydroForecast does not answer: {error!r}") from error
        except ValidationError as error:
            raise SourceFault(f"HydroForecast answered in an unknown form: {error.errors()[0]['msg']}") from error

    def _newest_issue(self, answer: Answer, site: str, series: str, source: str, now: datetime) -> Forecast | None:
        issues = sorted(answer.forecasts or [], key=lambda i: i.issueTime)
        if not issues:
            return None
        newest = issues[-1]
        means = next((newest.data[m] for m in MEANS if newest.data.get(m)), None)
        if not means or len(means) != len(newest.validTimes):
            return None
        shift = timedelta(hours=1) if self._section.valid_times_mark == "end" else timedelta(0)
        steps = [
            ForecastStep(
                valid_at=aware_utc(at) - shift,
                value=_m3s(value),
                quantiles=_quantiles(newest, i, self._section.quantiles),
            )
            for i, (at, value) in enumerate(zip(newest.validTimes, means, strict=True))
            if value is not None
        ]
        if not steps:
            return None
        return Forecast(
            site=site,
            series=series,
            source=source,
            issued_at=aware_utc(newest.issueTime),
            known_at=now,
            step_s=3600,
            steps=tuple(steps),
        )


def _query(source: str, site_id: str, columns: list[str], now: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "siteId": site_id,
        "columns": columns,
        "unitSystem": "US",
        "rateVolumeMode": "rate",
        "timeAggregation": "1H",
        "aggregationMethod": "mean",
        "issueTimeAfterDate": f"{now - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}",
    }


def _quantiles(issue: Issue, i: int, quantiles: Sequence[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for q in quantiles:
        column = issue.data.get(f"discharge_q{q:g}")
        value = column[i] if column and i < len(column) else None
        if value is not None:
            found[f"{q:g}"] = _m3s(value)
    return found


def _m3s(cfs: float) -> float:
    return in_unit(f"{cfs!r} cfs", "m**3/s")
