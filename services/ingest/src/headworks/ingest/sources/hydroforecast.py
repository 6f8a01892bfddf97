"""HydroForecast: the newest issue of every stream with its quantiles; CNRFC where HydroForecast has none.

An issue that is null, empty, stale or cannot be read is none, for its stream alone; the reason is kept and shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from headworks.common.messages import Forecast, ForecastStep, aware_utc
from headworks.ingest.sections import HydroForecastSection
from headworks.ingest.sources.asking import ask
from headworks.ingest.sources.fault import SourceFault, Unreachable
from headworks.ingest.standing import CNRFC, HYDROFORECAST, STALE
from headworks.waterway.quantities import in_unit
from headworks.waterway.series import si_series

MEAN = {HYDROFORECAST: "discharge_mean", CNRFC: "ensemble_forecast_avg"}
HOUR = timedelta(hours=1)
M3S_PER_CFS = in_unit("1 cfs", "m**3/s")


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Issue(_Reply):
    """One issue of a forecast; a column can be null or empty."""

    issueTime: AwareDatetime  # noqa: N815 - the vendor's spelling
    validTimes: list[AwareDatetime]  # noqa: N815
    data: dict[str, list[float | None] | None]


class EchoedQuery(_Reply):
    """The query as the reply repeats it."""

    siteId: str | None = None  # noqa: N815


class Answer(_Reply):
    """The answer to one query."""

    query: EchoedQuery | None = None
    forecasts: list[Issue] | None = Field(default=None)


class Body(_Reply):
    """The whole reply, one answer per query."""

    data: list[Any]


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest forecast by series, and why a series has none of the first source."""

    forecasts: Mapping[str, Forecast]
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoIssue:
    """Why a source has no forecast of a stream."""

    reason: str


class HydroForecast:
    """The vendor's API for one site."""

    def __init__(self, client: httpx.AsyncClient, key: str, section: HydroForecastSection) -> None:
        self._client, self._key, self._section = client, key, section

    async def newest(self, site: str, now: datetime) -> Newest:
        """The newest forecast of each series that either source has. Raises SourceFault when there is none at all."""
        ids = {si_series(s.series).name: (s.site_id, s.cnrfc_id) for s in self._section.sites}
        first = await self._try(HYDROFORECAST, {name: pair[0] for name, pair in ids.items()}, site, now)
        found = {name: f for name, f in first.items() if isinstance(f, Forecast)}
        reasons = {name: f.reason for name, f in first.items() if isinstance(f, NoIssue)}
        if not reasons:
            return Newest(found)
        try:
            second = await self._try(CNRFC, {name: ids[name][1] for name in reasons}, site, now)
        except Unreachable as fault:
            second = dict.fromkeys(reasons, NoIssue(str(fault)))
        for name, substitute in second.items():
            if isinstance(substitute, Forecast):
                found[name] = substitute.model_copy(update={"substituted": f"CNRFC, for {reasons[name]}"})
            elif substitute.reason not in reasons[name]:
                reasons[name] += f"; {substitute.reason}"
        if not found:
            raise SourceFault("; ".join(dict.fromkeys(reasons.values())))
        return Newest(found, tuple(f"{name}: {reason}" for name, reason in reasons.items()))

    async def _try(self, source: str, ids: dict[str, str], site: str, now: datetime) -> dict[str, Forecast | NoIssue]:
        """A forecast, or why there is none, by series. Raises Unreachable: both sources live on one server."""
        try:
            answers = await self._ask(source, ids, now)
        except Unreachable:
            raise
        except SourceFault as fault:
            return {series: NoIssue(str(fault)) for series in ids}
        return {
            series: self._newest_issue(answer, site, series, site_id, source, now)
            for (series, site_id), answer in zip(ids.items(), answers, strict=True)
        }

    async def _ask(self, source: str, ids: dict[str, str], now: datetime) -> list[Any]:
        columns = [MEAN[source]]
        if source == HYDROFORECAST:
            columns += [f"discharge_q{q:g}" for q in self._section.quantiles]
        queries = [_query(source, site_id, columns, now) for site_id in ids.values()]
        request = self._client.build_request(
            "POST",
            "/api/v2/timeseries/forecasts",
            json={"queries": queries},
            headers={"Authorization": self._key},
        )
        reply = await ask(self._client, request, "HydroForecast")
        if reply.status != 200:
            raise SourceFault(f"HydroForecast answered {reply.status}: {reply.start}")
        try:
            answers = Body.model_validate(reply.json()).data
        except ValidationError as error:
            raise SourceFault(f"HydroForecast answered in an unknown form: {_first(error)}") from error
        if len(answers) != len(queries):
            raise SourceFault(f"HydroForecast gave {len(answers)} answers to {len(queries)} queries")
        return answers

    def _newest_issue(
        self, raw: Any, site: str, series: str, site_id: str, source: str, now: datetime
    ) -> Forecast | NoIssue:
        """The newest issue that can be used; with the reason why the newest one cannot, when none can."""
        try:
            answer = Answer.model_validate(raw)
        except ValidationError as error:
            return NoIssue(f"{source} answered in an unknown form: {_first(error)}")
        if answer.query is not None and answer.query.siteId not in {None, site_id}:
            return NoIssue(f"{source} answered for site {answer.query.siteId!r} where {site_id!r} was asked")
        issues = sorted(answer.forecasts or [], key=lambda i: i.issueTime, reverse=True)
        reasons = []
        for issue in issues:
            steps = self._steps(issue, source, now)
            if isinstance(steps, tuple):
                return Forecast(
                    site=site,
                    series=series,
                    source=source,
                    issued_at=aware_utc(issue.issueTime),
                    known_at=now,
                    step_s=HOUR.total_seconds(),
                    steps=steps,
                )
            reasons.append(steps.reason)
        return NoIssue(f"{source} has {reasons[0] if reasons else 'none'}")

    def _steps(self, issue: Issue, source: str, now: datetime) -> tuple[ForecastStep, ...] | NoIssue:
        """The steps of an issue that is fresh and whole; hours whose mean is null are left out."""
        means, times = issue.data.get(MEAN[source]), issue.validTimes
        if not now - STALE < issue.issueTime <= now + HOUR:
            return NoIssue(f"no fresh issue; the newest is of {aware_utc(issue.issueTime):%Y-%m-%dT%H:%MZ}")
        if not means or all(mean is None for mean in means):
            return NoIssue(f"no values in {MEAN[source]}")
        if len(means) != len(times):
            return NoIssue(f"{len(means)} values of {MEAN[source]} for {len(times)} validTimes")
        if any(b <= a or (b - a) % HOUR for a, b in pairwise(times)):
            return NoIssue("validTimes that do not go by the hour")
        shift = HOUR if self._section.valid_times_mark == "end" else timedelta(0)
        return tuple(
            ForecastStep(
                valid_at=aware_utc(at) - shift,
                value=mean * M3S_PER_CFS,
                quantiles=_quantiles(issue, i, self._section.quantiles),
            )
            for i, (at, mean) in enumerate(zip(times, means, strict=True))
            if mean is not None
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
        "issueTimeAfterDate": f"{now - 2 * STALE:%Y-%m-%dT%H:%M:%SZ}",
    }


def _quantiles(issue: Issue, i: int, quantiles: Sequence[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for q in quantiles:
        column = issue.data.get(f"discharge_q{q:g}")
        value = column[i] if column and i < len(column) else None
        if value is not None:
            found[f"{q:g}"] = value * M3S_PER_CFS
    return found


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
