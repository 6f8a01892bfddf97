"""Ingest's OpenAPI: series and their values as of any time, forecasts by issue, awards by trade date, health of sources."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel

from headworks.common.auth import Operator, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import Award, Basis, Day, Forecast, Instant, Name, Sample
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app
from headworks.ingest.asked_site import asked_site
from headworks.ingest.collect import AwardCollector
from headworks.ingest.import_api import add_import_routes
from headworks.ingest.import_store import ImportStore
from headworks.ingest.sections import sources_of
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.store import SeriesStore, SeriesSummary, SourceHealth
from headworks.waterway.site import Site

MOST_DAYS = 62
NO_MARKET: dict[int | str, dict[str, Any]] = {409: {"description": "The site takes no awards"}}


class FetchedAward(BaseModel):
    """What a fetch gave: published or not, and the award when it is."""

    published: bool
    award: Award | None


def create_api(
    sites: Mapping[str, Site],
    store: SeriesStore,
    imports: ImportStore,
    awards: Mapping[str, AwardCollector],
    clock: Clock,
) -> FastAPI:
    """The API over the stores."""
    app = create_app("ingest", "Measurements, forecasts and market results, as of any time.")
    _add_series_routes(app, sites, store, clock)
    _add_forecast_routes(app, sites, store, clock)
    _add_award_routes(app, sites, store, awards)
    _add_source_routes(app, sites, store, clock)
    add_import_routes(app, sites, imports, clock)
    return app


def _add_series_routes(app: FastAPI, sites: Mapping[str, Site], store: SeriesStore, clock: Clock) -> None:
    @app.get("/sites/{site}/series")
    async def list_series(site: str, _caller: Viewer) -> list[SeriesSummary]:
        """The series that have values."""
        return await store.series(asked_site(sites, site).site)

    @app.get("/sites/{site}/series/{series}/values")
    async def values(
        site: str,
        series: Name,
        start: Instant,
        end: Instant,
        _caller: Viewer,
        basis: Basis | None = None,
        known_at: Annotated[Instant | None, Query(description="answer as of this instant")] = None,
    ) -> list[Sample]:
        """The values valid in [start, end), as known at `known_at`."""
        if not timedelta(0) < end - start <= timedelta(days=MOST_DAYS):
            wrong = FieldProblem(
                field="end", value=end.isoformat(), expected=f"after start, by {MOST_DAYS} days at most"
            )
            raise Problem(422, "The request is not valid", errors=[wrong])
        return await store.values(asked_site(sites, site).site, series, start, end, basis, known_at)

    @app.get("/sites/{site}/series/{series}/latest", responses={404: {"description": "Nothing is known"}})
    async def latest(site: str, series: Name, _caller: Viewer, good_only: bool = False) -> Sample:
        """The newest value up to now; later ones, such as tomorrow's prices, are among the values."""
        sample = await store.latest(asked_site(sites, site).site, series, clock.now(), good_only=good_only)
        if sample is None:
            raise Problem(404, "Nothing is known", f"series {series} of {site} has no value")
        return sample


def _add_forecast_routes(app: FastAPI, sites: Mapping[str, Site], store: SeriesStore, clock: Clock) -> None:
    @app.get("/sites/{site}/forecasts/{series}", responses={404: {"description": "No forecast is known"}})
    async def forecast(
        site: str, series: Name, _caller: Viewer, issued_at: Instant | None = None, known_at: Instant | None = None
    ) -> Forecast:
        """An issue, or the newest known."""
        found = await store.forecast(asked_site(sites, site).site, series, issued_at, known_at or clock.now())
        if found is None:
            raise Problem(404, "No forecast is known", f"series {series} of {site}")
        return found

    @app.get("/sites/{site}/forecasts/{series}/issues")
    async def issues(
        site: str, series: Name, _caller: Viewer, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> list[Instant]:
        """The newest issue times."""
        return await store.issues(asked_site(sites, site).site, series, limit)


def _add_award_routes(
    app: FastAPI, sites: Mapping[str, Site], store: SeriesStore, awards: Mapping[str, AwardCollector]
) -> None:
    def in_market(site: str) -> str:
        if sources_of(asked_site(sites, site)).caiso is None:
            raise Problem(409, "The site takes no awards", f"the site file of {site} names no CAISO source")
        return site

    @app.get("/sites/{site}/awards/{trade_date}", responses=NO_MARKET | {404: {"description": "No award is known"}})
    async def award(site: str, trade_date: Day, _caller: Viewer, known_at: Instant | None = None) -> Award:
        """The award of a trade date."""
        found = await store.award(in_market(site), trade_date, known_at)
        if found is None:
            raise Problem(404, "No award is known", f"{site} on {trade_date}")
        return found

    @app.post(
        "/sites/{site}/awards/{trade_date}", responses=NO_MARKET | {502: {"description": "The market did not answer"}}
    )
    async def fetch_award(site: str, trade_date: Day, _caller: Operator) -> FetchedAward:
        """Fetch the award of a trade date from the market now."""
        collector = awards.get(in_market(site))
        if collector is None:
            raise Problem(502, "The market is not connected", "HEADWORKS_CAISO_URL is not set")
        try:
            fetched = await collector.fetch(trade_date)
        except SourceFault as fault:
            raise Problem(502, "The market did not answer", str(fault)) from fault
        return FetchedAward(published=fetched is not None, award=fetched)


def _add_source_routes(app: FastAPI, sites: Mapping[str, Site], store: SeriesStore, clock: Clock) -> None:
    @app.get("/sites/{site}/sources")
    async def sources(site: str, _caller: Viewer) -> list[SourceHealth]:
        """How every source does: last success, lag, error."""
        return await store.health(asked_site(sites, site).site, clock.now())
