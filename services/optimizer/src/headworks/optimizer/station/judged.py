"""A back-test that has ended, and how it is scored: apart from the optimizer, on what really came."""

from collections.abc import Sequence
from dataclasses import dataclass

from headworks.common.historian.record import Record as Historian
from headworks.optimizer.station.backtest import Record, Turn
from headworks.optimizer.station.real_station import RealStation
from headworks.optimizer.station.score import Score, days_of, score
from headworks.waterway.series import TUNNEL_VOLUME
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_site import StationSite


@dataclass(frozen=True, slots=True)
class Judged:
    """A back-test that has ended: of what site and record, what was lived through, the turns, and what was asked."""

    site: StationSite
    historian: Historian
    lived: Record
    turns: Sequence[Turn]
    asked: dict[str, object]

    @property
    def count(self) -> int:
        """How many steps."""
        return len(self.lived.inflow_m3)

    @property
    def frequency_hz(self) -> list[tuple[float, ...]]:
        """What was run, shape (steps, pumps)."""
        return [asked_hz for turn in self.turns for asked_hz in turn.frequency_hz]

    def trajectory(self) -> StationTrajectory:
        """What that led to."""
        seed = self.asked["noise_seed"]
        real = RealStation(self.site.pumping_station.station, seed if isinstance(seed, int) else None)
        return real.run(self.lived.initial_volume_m3, self.frequency_hz, self.lived.inflow_m3, self.lived.step_s)


def there(historian: Historian, series: str, row: int) -> float:
    """A value that must be known. Raises ValueError naming it."""
    value = historian.values(series)[row]
    if value is None:
        raise ValueError(f"{series} at {historian.grid.stamps[row]:%Y-%m-%d %H:%M}Z is not known; a back-test needs it")
    return value


def price_series(historian: Historian) -> list[str]:
    """The price columns of a record."""
    return [name for name in historian.series if name.endswith("_eur_per_mwh")]


def prices_of(judged: Judged) -> dict[str, list[float]]:
    """Every price column of the record."""
    names = price_series(judged.historian)
    return {name: [there(judged.historian, name, i) for i in range(judged.count)] for name in names}


def score_of(
    judged: Judged,
    frequency_hz: Sequence[Sequence[float]],
    trajectory: StationTrajectory,
    prices: dict[str, list[float]],
) -> Score:
    """The score of what was run, by the plans or in the record, and of what that led to."""
    rules, lived = judged.site.pumping_station.rules, judged.lived
    return score(
        judged.site.pumping_station.limits(lived.step_s),
        rules.alarm_level,
        rules.dry_day_inflow,
        frequency_hz,
        trajectory,
        lived.before,
        lived.inflow_m3,
        prices,
        days_of([stamp.astimezone(judged.site.zone) for stamp in judged.historian.grid.stamps[: judged.count]]),
        there(judged.historian, TUNNEL_VOLUME, judged.count - 1),
        lived.step_s,
        judged.site.high_high_level_m,
        judged.site.low_low_level_m,
    )
