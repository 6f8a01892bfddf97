"""What a station's run needs to know, asked of ingest and of the runs before it."""

import asyncio
from datetime import datetime, timedelta

from headworks.common.ingest import IngestClient
from headworks.common.messages import Basis, ControlState, Quality, Sample
from headworks.optimizer.station.case import StationSolution
from headworks.optimizer.station.inputs import Known, PastPlan, station_grid
from headworks.optimizer.station.skill import JUDGED, SKILL, PastForecast
from headworks.optimizer.station.strategies import default_document
from headworks.optimizer.store import RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.waterway import series as names
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid

RECORD = timedelta(days=14)
LEVELS = timedelta(days=2)
"""Beyond it an emptied tunnel is long ago anyway."""
INSTANTS = timedelta(hours=6)
MEANS = timedelta(days=3)
"""Running hours of so long are evened out."""
PRICES_BEFORE = timedelta(days=8)
"""Prices that are not known yet are expected from the last week's."""
PRICES_AHEAD = timedelta(hours=48)
PRICE_BASES = (Basis.QUARTER_HOUR_MEAN, Basis.HOUR_MEAN)
LAST_PLANS = 6
"""The newest plans may begin where this run does; those before them say what was expected of the last hour."""


async def known_of(
    site: StationSite,
    ingest: IngestClient,
    store: RunStore,
    strategies: StrategyStore,
    control: ControlState | None,
    now: datetime,
) -> Known:
    """All that is known at `now`, with what the gateway said last. Raises IngestAway."""
    name, grid = site.site, station_grid(site, now)
    start, resources = grid.start, [pump.resource for pump in site.pumping_station.pumps]
    level, levels, pumps, inflow, prices, outside = await asyncio.gather(
        ingest.latest(name, names.TUNNEL_LEVEL),
        ingest.values(name, names.TUNNEL_LEVEL, now - LEVELS, now, Basis.INSTANT),
        asyncio.gather(*(_frequencies(name, ingest, resource, now) for resource in resources)),
        ingest.values(name, names.TUNNEL_INFLOW, start - RECORD, start, Basis.QUARTER_HOUR_MEAN),
        asyncio.gather(
            *(
                ingest.values(name, names.PRICE, start - PRICES_BEFORE, start + PRICES_AHEAD, basis)
                for basis in PRICE_BASES
            )
        ),
        ingest.forecast(name, names.TUNNEL_INFLOW),
    )
    return Known(
        level=level,
        levels=_good(levels),
        frequency={pump: newest for pump, (newest, _) in zip(resources, pumps, strict=True) if newest is not None},
        frequencies={pump: _good(samples) for pump, (_, samples) in zip(resources, pumps, strict=True)},
        inflow=inflow,
        prices=[sample for of_basis in prices for sample in of_basis],
        outside=outside,
        plans=await past_plans(site, store),
        past_forecasts=await past_forecasts(site, store, grid),
        strategies=await strategies.newest(name) or default_document(site),
        control=control,
    )


async def _frequencies(
    site: str, ingest: IngestClient, resource: str, now: datetime
) -> tuple[Sample | None, list[Sample]]:
    """A pump's newest good frequency; and instants of the last hours, means of the days before them."""
    series = names.pump_series(resource, "frequency")
    newest, means, instants = await asyncio.gather(
        ingest.latest(site, series),
        ingest.values(site, series, now - MEANS, now, Basis.QUARTER_HOUR_MEAN),
        ingest.values(site, series, now - INSTANTS, now, Basis.INSTANT),
    )
    return newest, [*means, *instants]


def _good(samples: list[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.quality is Quality.GOOD and sample.value is not None]


async def past_plans(site: StationSite, store: RunStore) -> list[PastPlan]:
    """The newest plans that were submitted, newest first."""
    plans = []
    for run in await store.newest(site.site, LAST_PLANS, submitted=True):
        solution = await store.solution(run.run_id, StationSolution)
        if solution is not None:
            plans.append(PastPlan(run.run_id, solution.steps, solution.flush_window, solution.flushed))
    return plans


async def past_forecasts(site: StationSite, store: RunStore, grid: TimeGrid) -> list[PastForecast]:
    """What the runs of the last day expected of the hours after them."""
    steps = JUDGED // grid.step
    rows = await store.first_inflows(site.site, grid.start - SKILL - JUDGED, steps)
    return [PastForecast(start, grid.step, flows) for start, flows in rows]
