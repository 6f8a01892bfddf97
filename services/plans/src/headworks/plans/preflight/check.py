"""Preflight of a submission: which site it is for, what is known, the simulation, and what is said where there can be none."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal, assert_never

from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.ingest import IngestAway, IngestClient
from headworks.common.messages import PlanSubmission, Refusal
from headworks.plans.measured import HOUR
from headworks.plans.preflight.afterbay import fly_afterbay
from headworks.plans.preflight.conditions import afterbay_state, station_state
from headworks.plans.preflight.flight import Flown, NotFlown, asked, beside, horizon, off_the_grid, without_a_value
from headworks.plans.preflight.station import fly_station
from headworks.plans.store import PlanStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site import explain
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite


class PublishersSection(BaseModel):
    """The `publishers` section of a site file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    when_not_simulated: Literal["refuse", "note"]


def publishers_section(site: AnySite) -> PublishersSection:
    """What a site says of publishers from outside. Raises ValueError naming the field."""
    try:
        return PublishersSection.model_validate(site.section("publishers"))
    except ValidationError as error:
        raise ValueError(f"site {site.site}: publishers: {explain(error)}") from error


class Preflight:
    """Simulates submissions from outside on the model of their site."""

    def __init__(self, sites: Mapping[str, AnySite], store: PlanStore, ingest: IngestClient) -> None:
        """Raises ValueError for a site file whose section cannot be read."""
        self._sites, self._store, self._ingest = sites, store, ingest
        self._sections = {name: publishers_section(site) for name, site in sites.items()}

    async def of(self, submission: PlanSubmission, now: datetime) -> Flown:
        """What was found, or what the site says of a plan that could not be simulated: refused, or taken with a note."""
        try:
            flown = await self._fly(submission, now)
        except IngestAway as error:
            flown = NotFlown(str(error))
        match flown:
            case Flown():
                return flown
            case NotFlown(why):
                if self._sections[submission.site].when_not_simulated == "note":
                    return Flown((), (f"not simulated: {why}",))
                return Flown((Refusal(field="preflight", value="not simulated", expected=f"what it needs: {why}"),), ())
            case _:
                assert_never(flown)

    async def _fly(self, submission: PlanSubmission, now: datetime) -> Flown | NotFlown:
        site = self._sites[submission.site]
        step_s = HOUR.total_seconds() if isinstance(site, AfterbaySite) else HOUR.total_seconds() / 4
        start = datetime.fromtimestamp(now.timestamp() // step_s * step_s, now.tzinfo)
        steps = horizon(submission.intervals, start, step_s)
        in_force = await self._store.effective(submission.site, None, start, start + steps * step_s / 3600 * HOUR)
        own = asked(submission.intervals)
        if isinstance(own, str):
            return NotFlown(own)
        planned, without = beside(own, in_force), beside({}, in_force)
        wrong = off_the_grid(planned, step_s) if isinstance(site, StationSite) else None
        if wrong is not None:
            return Flown((wrong,), ())
        match site:
            case AfterbaySite():
                afterbay = await afterbay_state(site, self._ingest, now, steps)
                unit = planned.get(site.afterbay.unit.resource, [])
                return afterbay if isinstance(afterbay, NotFlown) else fly_afterbay(site, afterbay, unit)
            case StationSite():
                station = await station_state(site, self._ingest, now, steps)
                if isinstance(station, NotFlown):
                    return station
                unread = without_a_value(own, in_force)
                return fly_station(site, replace(station, notes=(*station.notes, *unread)), planned, without)
            case _:
                assert_never(site)
