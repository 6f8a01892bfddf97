"""What was measured, forecast and awarded."""

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from headworks.common.messages.base import Day, Instant, Message, Name


class Quality(StrEnum):
    """How far a value may be trusted; a MISSING one has no value."""

    GOOD = "GOOD"
    SUSPECT = "SUSPECT"
    BAD = "BAD"
    MISSING = "MISSING"


class Basis(StrEnum):
    """What a value stands for: the instant valid_at, or the mean of the hour or quarter hour that begins there."""

    INSTANT = "instant"
    HOUR_MEAN = "hour_mean"
    QUARTER_HOUR_MEAN = "15min_mean"

    @property
    def span(self) -> timedelta:
        """How long a value of this basis holds from valid_at on; nothing for an instant."""
        return _SPANS[self]


_SPANS = {
    Basis.INSTANT: timedelta(0),
    Basis.HOUR_MEAN: timedelta(hours=1),
    Basis.QUARTER_HOUR_MEAN: timedelta(minutes=15),
}
MEANS = {span: basis for basis, span in _SPANS.items() if basis is not Basis.INSTANT}
"""The spans whose means can be kept, and as what."""


class Sample(Message):
    """One measured value of a series, with where it came from."""

    series: Name
    valid_at: Instant
    value: float | None = Field(description="SI or MW as the series' name says; None when missing or bad")
    quality: Quality
    basis: Basis = Basis.INSTANT
    substituted: str | None = Field(default=None, description="how the value was made up, when it was")
    source: str | None = Field(
        default=None, description="who gave it; None within Measurements, which name theirs once for all"
    )


class Measurements(Message):
    """Samples that one source gave in one poll. known_at is when we learned them."""

    site: Name
    source: Name
    known_at: Instant
    samples: tuple[Sample, ...]


class ForecastStep(Message):
    """The mean over [valid_at, valid_at + step) and its quantiles, keyed '0.1', '0.9', …"""

    valid_at: Instant
    value: float
    quantiles: dict[str, float] = Field(default_factory=dict)


class Forecast(Message):
    """One issue of a forecast. `substituted` says what stands in when the first source had none."""

    site: Name
    series: Name
    source: Name
    issued_at: Instant
    known_at: Instant
    step_s: float = Field(gt=0)
    steps: tuple[ForecastStep, ...] = Field(min_length=1)
    substituted: str | None = None


class AwardInterval(Message):
    """Power awarded over [start, end)."""

    start: Instant
    end: Instant
    power_mw: float


class Award(Message):
    """A day-ahead market award of a resource for one local trade date (23, 24 or 25 hours)."""

    site: Name
    market: Literal["DAM", "RTM"] = "DAM"
    resource: Name
    product: Name
    trade_date: Day
    known_at: Instant
    intervals: tuple[AwardInterval, ...]
