"""What an afterbay's run needs to know, asked of ingest."""

import asyncio
from datetime import datetime, timedelta

from headworks.common.ingest import IngestClient
from headworks.common.messages import Basis, Sample
from headworks.optimizer.afterbay.inputs import FORECAST_SERIES, HELD_SERIES, Known
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.mfra import PATTERN_DAYS
from headworks.waterway.timegrid import local_date

HOURLY_WINDOW = timedelta(hours=26)
HOURLY = (names.ELEVATION, names.OXPH_POWER, names.MFRA_POWER, *names.GAUGES)
LATEST = (names.ELEVATION, names.FLOAT_ELEVATION, names.OXPH_POWER, names.MFRA_POWER, names.MODE, *names.GAUGES)


async def known_of(site: AfterbaySite, ingest: IngestClient, now: datetime) -> Known:
    """All that is known at `now`. Raises IngestAway."""
    name, today = site.site, local_date(now, site.zone)
    hourly, latest, forecasts, awards = await asyncio.gather(
        asyncio.gather(*(_hourly(name, ingest, series, now) for series in HOURLY)),
        asyncio.gather(*(ingest.latest(name, series) for series in LATEST)),
        asyncio.gather(*(ingest.forecast(name, series) for series in (*FORECAST_SERIES, *HELD_SERIES))),
        asyncio.gather(*(ingest.award(name, today + timedelta(days=d)) for d in range(3))),
    )
    return Known(
        hourly=dict(zip(HOURLY, hourly, strict=True)),
        latest={sample.series: sample for sample in latest if sample is not None},
        forecasts={forecast.series: forecast for forecast in forecasts if forecast is not None},
        awards=[award for award in awards if award is not None],
    )


async def _hourly(site: str, ingest: IngestClient, series: str, now: datetime) -> list[Sample]:
    """Values of whole hours: instants of the elevation, means of the rest; two months of MFRA for its pattern."""
    window = timedelta(days=PATTERN_DAYS) if series == names.MFRA_POWER else HOURLY_WINDOW
    basis = Basis.INSTANT if series == names.ELEVATION else Basis.HOUR_MEAN
    samples = await ingest.values(site, series, now - window, now, basis)
    return [s for s in samples if s.valid_at.minute == 0 and s.valid_at.second == 0]
