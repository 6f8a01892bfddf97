"""The upstream forecast takes the best tier it has, and says for every hour which."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from headworks.waterway.mfra import MfraHour, MfraSource, mfra_forecast, summary
from headworks.waterway.timegrid import TimeGrid

PACIFIC = ZoneInfo("America/Los_Angeles")
HOUR = timedelta(hours=1)
START = datetime(2026, 2, 17, 8, tzinfo=UTC)  # local midnight
HISTORY = {START - k * HOUR: 100.0 for k in range(1, 24 * 60)}


def forecast(
    hours: int, awards: dict[datetime, float], history: dict[datetime, float], last: float | None = None
) -> tuple[MfraHour, ...]:
    found = mfra_forecast(TimeGrid(START, HOUR, hours), PACIFIC, awards_mw=awards, history_mw=history, last_mw=last)
    assert found is not None
    return found


def award(hours: int, power_mw: float = 40.0) -> dict[datetime, float]:
    return {START + t * HOUR: power_mw for t in range(hours)}


def test_a_whole_day_ahead_award_then_the_blend_then_the_pattern() -> None:
    hours = forecast(72, award(24), HISTORY)
    assert [h.source for h in hours[:24]] == [MfraSource.DA_AWARD] * 24
    assert [h.source for h in hours[24:48]] == [MfraSource.BLEND] * 24
    assert [h.source for h in hours[48:]] == [MfraSource.PATTERN] * 24
    assert hours[24].power_mw == pytest.approx(40 * 23 / 24 + 100 / 24)
    assert hours[47].power_mw == pytest.approx(100.0)
    assert hours[0].confidence > hours[30].confidence > hours[60].confidence
    assert summary(hours) == "award 24 h, blend 24 h, pattern 24 h"


def test_the_award_persists_to_the_end_of_the_first_day() -> None:
    assert summary(forecast(24, award(18), HISTORY)) == "award 18 h, persistence 6 h"
    assert forecast(24, award(18), HISTORY)[20].power_mw == 40.0


def test_an_award_of_less_than_half_of_the_days_hours_is_not_used() -> None:
    assert summary(forecast(24, award(11), HISTORY)) == "pattern 24 h"
    assert summary(forecast(24, award(12), HISTORY)) == "award 12 h, persistence 12 h"


def test_a_gap_within_the_award_is_marked() -> None:
    holed = {start: power for start, power in award(24).items() if start != START + 5 * HOUR}
    assert forecast(24, holed, HISTORY)[5].source is MfraSource.PATTERN


def test_the_pattern_is_the_median_of_sixty_days_by_weekday_and_hour() -> None:
    history = {START - timedelta(weeks=k): power for k, power in ((1, 10.0), (2, 30.0), (3, 20.0), (9, 500.0))}
    assert forecast(1, {}, history)[0] == MfraHour(20.0, MfraSource.PATTERN, 45)


def test_persistence_is_the_last_resort_and_nothing_is_made_up() -> None:
    assert summary(forecast(6, {}, {}, last=55.0)) == "persistence 6 h"
    assert mfra_forecast(TimeGrid(START, HOUR, 2), PACIFIC, awards_mw={}, history_mw={}, last_mw=None) is None


def test_a_persons_value_stands_above_all() -> None:
    grid = TimeGrid(START, HOUR, 2)
    hours = mfra_forecast(
        grid, PACIFIC, awards_mw=award(2), history_mw={}, last_mw=None, manual_mw={START + HOUR: 12.0}
    )
    assert hours is not None
    assert [(h.power_mw, h.source) for h in hours] == [(40.0, MfraSource.DA_AWARD), (12.0, MfraSource.MANUAL)]
