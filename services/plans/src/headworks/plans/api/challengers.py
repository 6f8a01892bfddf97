"""How challengers did: their scores by day beside the champion's, and runs that score days on request."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict

from headworks.common.auth import Engineer, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import Day, Id, Name
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.challengers.replay import DayScore
from headworks.plans.challengers.runs import Challengers, ScoreRun, latest_day
from headworks.plans.vendor_store import VendorStore
from headworks.waterway.site_file import AnySite

MOST_DAYS = 366
USUAL = timedelta(days=30)
SiteOf = Annotated[Name, Query(description="the site's name")]


class DaysToScore(BaseModel):
    """Which days of a site to score, again if they were before."""

    model_config = ConfigDict(extra="forbid")
    site: Name
    first_day: Day
    last_day: Day


def add_challenger_routes(
    app: FastAPI, challengers: Challengers, registry: VendorStore, sites: Mapping[str, AnySite], clock: Clock
) -> None:
    """The challengers' routes."""

    async def known(publisher: str, site: str) -> AnySite:
        if await registry.find(publisher) is None:
            raise Problem(404, "No such vendor", f"the registry has no vendor {publisher}")
        if site not in sites:
            wrong = FieldProblem(field="site", value=site, expected=f"one of {', '.join(sorted(sites))}")
            raise Problem(422, "The request is not valid", errors=[wrong])
        return sites[site]

    @app.get("/challengers/{publisher}/scores")
    async def scores(
        publisher: Name, site: SiteOf, _caller: Viewer, first_day: Day | None = None, last_day: Day | None = None
    ) -> list[DayScore]:
        """The scored days, in order; the last thirty where no days are given."""
        last = last_day or latest_day(clock.now(), await known(publisher, site))
        await known(publisher, site)
        return await challengers.scores(publisher, site, first_day or last - USUAL, last)

    @app.post("/challengers/{publisher}/scores", status_code=202)
    async def score(publisher: Name, body: DaysToScore, caller: Engineer) -> ScoreRun:
        """Score days that are over; ask for the run by its id to see how far it is."""
        of_site = await known(publisher, body.site)
        latest, first = latest_day(clock.now(), of_site), challengers.first_day(of_site)
        if body.first_day < first:
            expected = f"{first} at least: challengers' plans of earlier days are not kept"
            wrong = FieldProblem(field="body.first_day", value=body.first_day.isoformat(), expected=expected)
            raise Problem(422, "The request is not valid", errors=[wrong])
        if not body.first_day <= body.last_day <= latest or body.last_day - body.first_day >= timedelta(days=MOST_DAYS):
            expected = f"from first_day on, {latest} at most (the last day that is over), {MOST_DAYS} days at most"
            wrong = FieldProblem(field="body.last_day", value=body.last_day.isoformat(), expected=expected)
            raise Problem(422, "The request is not valid", errors=[wrong])
        return await challengers.request(publisher, body.site, body.first_day, body.last_day, caller.name)

    @app.get("/challengers/runs/{run_id}", responses={404: {"description": "No such run"}})
    async def run(run_id: Id, _caller: Viewer) -> ScoreRun:
        """A run, with how many of its days are done."""
        found = await challengers.run(run_id)
        if found is None:
            raise Problem(404, "No such run", f"run_id={run_id}")
        return found
