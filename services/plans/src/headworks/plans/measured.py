"""What ingest knows of a site, as the simulations need it: good values by time, and what flowed in."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from headworks.common.ingest import IngestClient
from headworks.common.messages import Basis, Quality, Sample
from headworks.waterway import series as names
from headworks.waterway.afterbay import Mode
from headworks.waterway.afterbay_balance import MeasuredHour
from headworks.waterway.afterbay_site import AfterbaySite

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
ByTime = Mapping[datetime, float]


def good(samples: Sequence[Sample]) -> dict[datetime, float]:
    """Good values by when they are valid."""
    return {s.valid_at: s.value for s in samples if s.quality is Quality.GOOD and s.value is not None}


def by_quarter(samples: Sequence[Sample]) -> dict[datetime, float]:
    """Good means by quarter hour; an hour's mean holds for its four, where they have none of their own."""
    values: dict[datetime, float] = {}
    for sample in sorted(samples, key=lambda s: s.basis.span, reverse=True):
        if sample.quality is Quality.GOOD and sample.value is not None:
            steps = max(1, sample.basis.span // QUARTER)
            values.update(dict.fromkeys((sample.valid_at + t * QUARTER for t in range(steps)), sample.value))
    return values


class AfterbayRecord:
    """An afterbay's measured hours over a span."""

    def __init__(
        self, site: AfterbaySite, elevation_m: ByTime, means: Mapping[str, ByTime], float_m: ByTime, mode: ByTime
    ):
        self._site, self.elevation_m, self.means = site, elevation_m, means
        self._float_m, self._mode = sorted(float_m.items()), sorted(mode.items())

    def hour(self, at: datetime) -> MeasuredHour:
        """The hour that begins there."""
        means = {name: values[at] for name, values in self.means.items() if at in values}
        return MeasuredHour(self.elevation_m.get(at), self.elevation_m.get(at + HOUR), means, self.mode_at(at))

    def float_at(self, at: datetime) -> float:
        """The operator's float as last seen by then; the site file's before it was ever seen."""
        return _held(self._float_m, at, self._site.afterbay.reservoir.float_elevation)

    def mode_at(self, at: datetime) -> Mode:
        """The mode as last seen by then; GEN before it was ever seen, as in the optimizer."""
        number = _held(self._mode, at, -1.0)
        return Mode(self._site.afterbay.inflow.modes.get(int(number), Mode.GEN.value))


def _held(seen: Sequence[tuple[datetime, float]], at: datetime, before: float) -> float:
    return next((value for when, value in reversed(seen) if when <= at), before)


async def afterbay_record(site: AfterbaySite, ingest: IngestClient, start: datetime, end: datetime) -> AfterbayRecord:
    """What is known of [start, end]. Raises IngestAway."""
    hourly = (names.OXPH_POWER, names.MFRA_POWER, *names.GAUGES)
    until = end + timedelta(seconds=1)
    elevation, *means = await asyncio.gather(
        ingest.values(site.site, names.ELEVATION, start, until, Basis.INSTANT),
        *(ingest.values(site.site, name, start, until, Basis.HOUR_MEAN) for name in hourly),
    )
    float_m, mode = await asyncio.gather(
        *(ingest.values(site.site, name, start - timedelta(days=2), until, Basis.INSTANT)
          for name in (names.FLOAT_ELEVATION, names.MODE))
    )  # fmt: skip
    by_series = {name: good(samples) for name, samples in zip(hourly, means, strict=True)}
    return AfterbayRecord(site, good(elevation), by_series, good(float_m), good(mode))
