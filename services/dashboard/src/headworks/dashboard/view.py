"""The view of a site: what every site has and what its kind adds, asked for at once."""

import asyncio
from typing import Annotated

from pydantic import Field

from headworks.dashboard.afterbay import answers as afterbay_answers
from headworks.dashboard.afterbay import view as afterbay_view
from headworks.dashboard.afterbay.shapes import AfterbayView
from headworks.dashboard.parts import Moment
from headworks.dashboard.services import Services
from headworks.dashboard.station import answers as station_answers
from headworks.dashboard.station import view as station_view
from headworks.dashboard.station.shapes import StationView
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite

View = Annotated[AfterbayView | StationView, Field(discriminator="model")]


async def view_of(site: AnySite, services: Services, moment: Moment) -> AfterbayView | StationView:
    """Everything the page shows. A part whose service is away is null and named in `not_known`, with why."""
    match site:
        case AfterbaySite():
            return await _afterbay(site, services, moment)
        case StationSite():
            return await _station(site, services, moment)


async def _afterbay(site: AfterbaySite, services: Services, moment: Moment) -> AfterbayView:
    async with asyncio.TaskGroup() as group:
        common = group.create_task(services.common(site.site, afterbay_answers.JOURNAL_ENTRIES))
        own = group.create_task(afterbay_answers.ask(services, site, moment.now))
    return afterbay_view.build(site, common.result(), own.result(), moment)


async def _station(site: StationSite, services: Services, moment: Moment) -> StationView:
    async with asyncio.TaskGroup() as group:
        common = group.create_task(services.common(site.site, station_answers.JOURNAL_ENTRIES))
        own = group.create_task(station_answers.ask(services, site, moment.now))
    return station_view.build(site, common.result(), own.result(), moment)
