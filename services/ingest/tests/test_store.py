"""The bitemporal store on a real PostgreSQL: as of any known_at, nothing rewritten, delivered twice stored once."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from headworks.common.database import Database
from headworks.common.messages import Award, AwardInterval, Basis, Forecast, ForecastStep, Quality, Sample
from headworks.ingest.store import SeriesStore
from headworks.ingest.tables import outbox

NOW = datetime(2026, 2, 17, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = date(2026, 2, 17)


def sample(
    value: float | None, *, at: datetime = NOW, quality: Quality = Quality.GOOD, basis: Basis = Basis.INSTANT
) -> Sample:
    return Sample(series="elevation_m", valid_at=at, value=value, quality=quality, basis=basis)


def given_by(source: str, what: Sample) -> Sample:
    """As it is read: with who gave it."""
    return what.model_copy(update={"source": source})


async def values(
    store: SeriesStore, known_at: datetime | None = None, basis: Basis | None = None
) -> list[float | None]:
    found = await store.values("abay", "elevation_m", NOW - 9 * HOUR, NOW + 9 * HOUR, basis, known_at)
    return [s.value for s in found]


# ---------------------------------------------------------------- observations


async def test_a_corrected_value_is_seen_from_when_it_was_known_and_history_stays(store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0)], NOW + MINUTE)
    await store.add_samples("abay", "pi", [sample(356.5)], NOW + HOUR)
    assert await values(store, NOW) == []
    assert await values(store, NOW + MINUTE) == [357.0]
    assert await values(store, NOW + HOUR - MINUTE) == [357.0]
    assert await values(store, NOW + HOUR) == [356.5]
    assert await values(store) == [356.5]


async def test_a_late_value_was_not_known_before(store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0, at=NOW + HOUR)], NOW + HOUR)
    await store.add_samples("abay", "pi", [sample(356.0)], NOW + 2 * HOUR)
    assert await values(store, NOW + HOUR) == [357.0]
    assert await values(store) == [356.0, 357.0]


async def test_delivered_again_nothing_is_added_and_only_what_changed_is_fresh(store: SeriesStore) -> None:
    first = [sample(357.0), sample(356.0, at=NOW - HOUR)]
    assert await store.add_samples("abay", "pi", first, NOW) == first
    assert await store.add_samples("abay", "pi", first, NOW + MINUTE) == []
    changed = [sample(357.0), sample(356.1, at=NOW - HOUR)]
    assert await store.add_samples("abay", "pi", changed, NOW + 2 * MINUTE) == [changed[1]]
    [summary] = await store.series("abay")
    assert (summary.values, summary.newest_valid_at) == (3, NOW)
    assert await store.add_samples("abay", "pi", [], NOW) == []


async def test_a_long_history_comes_in_one_delivery(store: SeriesStore) -> None:
    many = [sample(1.0, at=NOW - i * HOUR) for i in range(11_000)]
    assert len(await store.add_samples("abay", "pi", many, NOW)) == 11_000
    assert await store.add_samples("abay", "pi", many, NOW + MINUTE) == []


async def test_a_change_of_quality_or_of_how_it_was_made_up_is_a_change(store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0)], NOW)
    suspect = sample(357.0, quality=Quality.SUSPECT)
    assert await store.add_samples("abay", "pi", [suspect], NOW + MINUTE) == [suspect]
    held = suspect.model_copy(update={"substituted": "held"})
    assert await store.add_samples("abay", "pi", [held], NOW + 2 * MINUTE) == [held]
    [found] = await store.values("abay", "elevation_m", NOW, NOW + HOUR, None, None)
    assert found == given_by("pi", held)


async def test_a_value_that_goes_back_to_what_it_was_is_a_change_too(store: SeriesStore) -> None:
    for minutes, value in enumerate([1.0, 2.0, 1.0]):
        await store.add_samples("abay", "pi", [sample(value)], NOW + minutes * MINUTE)
    assert [(await values(store, NOW + m * MINUTE))[0] for m in range(3)] == [1.0, 2.0, 1.0]


async def test_the_window_is_half_open(store: SeriesStore) -> None:
    stamps = [NOW - HOUR, NOW, NOW + HOUR]
    await store.add_samples("abay", "pi", [sample(1.0, at=at) for at in stamps], NOW + 2 * HOUR)
    found = await store.values("abay", "elevation_m", NOW - HOUR, NOW + HOUR, None, None)
    assert [s.valid_at for s in found] == stamps[:2]


async def test_hour_means_and_instants_are_kept_apart(store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(1.0), sample(2.0, basis=Basis.HOUR_MEAN)], NOW)
    assert await values(store, basis=Basis.INSTANT) == [1.0]
    assert await values(store, basis=Basis.HOUR_MEAN) == [2.0]
    assert sorted(v or 0 for v in await values(store)) == [1.0, 2.0]


async def test_sites_are_kept_apart(store: SeriesStore) -> None:
    await store.add_samples("other", "pi", [sample(1.0)], NOW)
    assert await values(store) == []
    assert await store.series("abay") == []


async def test_the_latest_good_value_is_found_behind_missing_and_suspect_ones(store: SeriesStore) -> None:
    assert await store.latest("abay", "elevation_m", NOW, good_only=False) is None
    await store.add_samples("abay", "pi", [sample(357.0, at=NOW - HOUR)], NOW - HOUR)
    missing = sample(None, quality=Quality.MISSING)
    await store.add_samples("abay", "pi", [sample(1.0, at=NOW - MINUTE, quality=Quality.SUSPECT), missing], NOW)
    assert await store.latest("abay", "elevation_m", NOW, good_only=False) == given_by("pi", missing)
    assert await store.latest("abay", "elevation_m", NOW, good_only=True) == given_by(
        "pi", sample(357.0, at=NOW - HOUR)
    )


async def test_a_good_value_that_was_corrected_to_bad_is_good_no_more(store: SeriesStore) -> None:
    await store.add_samples("abay", "pi", [sample(357.0, at=NOW - HOUR)], NOW - HOUR)
    await store.add_samples("abay", "pi", [sample(400.0)], NOW)
    await store.add_samples("abay", "pi", [sample(None, quality=Quality.BAD)], NOW + MINUTE)
    assert await store.latest("abay", "elevation_m", NOW, good_only=True) == given_by(
        "pi", sample(357.0, at=NOW - HOUR)
    )


async def test_the_latest_value_is_none_of_the_future(store: SeriesStore) -> None:
    prices = [sample(10.0 * h, at=NOW + h * HOUR, basis=Basis.HOUR_MEAN) for h in (0, 1)]
    await store.add_samples("abay", "entsoe", prices, NOW - HOUR)
    prices = [given_by("entsoe", price) for price in prices]
    for good_only in (True, False):
        assert await store.latest("abay", "elevation_m", NOW - MINUTE, good_only=good_only) is None
        assert await store.latest("abay", "elevation_m", NOW + HOUR - MINUTE, good_only=good_only) == prices[0]
        assert await store.latest("abay", "elevation_m", NOW + HOUR, good_only=good_only) == prices[1]


# ---------------------------------------------------------------- forecasts


def forecast(issued_h: float, value: float, source: str = "hydroforecast-short-term") -> Forecast:
    issued_at = NOW + issued_h * HOUR
    steps = tuple(
        ForecastStep(valid_at=issued_at + h * HOUR, value=value, quantiles={"0.1": value - 1, "0.9": value + 1})
        for h in range(3)
    )
    return Forecast(
        site="abay",
        series="r4_flow_m3s",
        source=source,
        issued_at=issued_at,
        known_at=issued_at + MINUTE,
        step_s=3600,
        steps=steps,
    )


async def test_forecasts_are_found_by_issue_and_as_they_were_known(store: SeriesStore) -> None:
    old, new = forecast(0, 1.0), forecast(6, 2.0)
    assert await store.add_forecast(old)
    assert await store.add_forecast(new)
    assert await store.forecast("abay", "r4_flow_m3s", None, NOW + 7 * HOUR) == new
    assert await store.forecast("abay", "r4_flow_m3s", None, NOW + 6 * HOUR) == old
    assert await store.forecast("abay", "r4_flow_m3s", None, NOW) is None
    assert await store.forecast("abay", "r4_flow_m3s", old.issued_at, NOW + 7 * HOUR) == old
    assert await store.forecast("abay", "r4_flow_m3s", NOW + HOUR, NOW + 7 * HOUR) is None
    assert await store.issues("abay", "r4_flow_m3s", 10) == [new.issued_at, old.issued_at]
    assert await store.issues("abay", "r4_flow_m3s", 1) == [new.issued_at]


async def test_an_issue_delivered_again_is_stored_and_told_once(store: SeriesStore, database: Database) -> None:
    assert await store.add_forecast(forecast(0, 1.0))
    assert not await store.add_forecast(forecast(0, 9.0))
    found = await store.forecast("abay", "r4_flow_m3s", None, NOW + HOUR)
    assert found is not None
    assert found.steps[0].value == 1.0
    assert await told(database) == ["forecast.abay.r4_flow_m3s"]


async def test_the_first_source_is_back_at_once_when_a_held_value_stood_in(store: SeriesStore) -> None:
    primary, held = forecast(0, 1.0), forecast(3, 5.0, source="held")
    await store.add_forecast(held)
    assert await store.forecast("abay", "r4_flow_m3s", None, NOW + 4 * HOUR) == held
    await store.add_forecast(primary)
    assert await store.forecast("abay", "r4_flow_m3s", None, NOW + 4 * HOUR) == primary


async def test_two_sources_of_one_issue_count_as_one_issue(store: SeriesStore) -> None:
    await store.add_forecast(forecast(0, 1.0, source="cnrfc"))
    await store.add_forecast(forecast(0, 2.0))
    assert await store.issues("abay", "r4_flow_m3s", 10) == [NOW]
    found = await store.forecast("abay", "r4_flow_m3s", NOW, NOW + HOUR)
    assert found is not None
    assert found.source == "hydroforecast-short-term"


async def told(database: Database) -> list[str]:
    async with database.transaction() as connection:
        return list((await connection.execute(select(outbox.c.subject).order_by(outbox.c.outbox_id))).scalars())


# ---------------------------------------------------------------- awards


def award(power_mw: float, known_at: datetime = NOW, resource: str = "MDFKRL_2_PROJCT") -> Award:
    intervals = (AwardInterval(start=NOW, end=NOW + HOUR, power_mw=power_mw),)
    return Award(site="abay", resource=resource, product="EN", trade_date=DAY, known_at=known_at, intervals=intervals)


async def test_an_award_is_stored_and_told_once_and_a_corrected_one_is_a_new_row(
    store: SeriesStore, database: Database
) -> None:
    assert await store.add_award(award(40))
    assert not await store.add_award(award(40, NOW + MINUTE))
    assert await store.add_award(award(35, NOW + HOUR))
    assert await store.award("abay", DAY) == award(35, NOW + HOUR)
    assert await store.award("abay", DAY, NOW + HOUR - MINUTE) == award(40)
    assert await store.award("abay", DAY, NOW - MINUTE) is None
    assert await store.award("abay", DAY + timedelta(days=1)) is None
    assert await told(database) == ["market.abay.award"] * 2


async def test_the_same_hours_of_another_resource_are_another_award(store: SeriesStore) -> None:
    await store.add_award(award(40))
    assert await store.add_award(award(40, NOW + MINUTE, resource="OXBOW_6_DRUM"))


async def test_an_award_fetched_by_two_at_once_is_stored_once(store: SeriesStore) -> None:
    added = await asyncio.gather(*(store.add_award(award(40, NOW + i * MINUTE)) for i in range(5)))
    assert sorted(added) == [False] * 4 + [True]


# ---------------------------------------------------------------- health


async def test_a_source_keeps_its_last_success_while_it_fails_and_its_error_goes_with_the_next(
    store: SeriesStore,
) -> None:
    await store.note_success("abay", "pi", NOW, NOW - MINUTE)
    await store.note_fault("abay", "pi", NOW + HOUR, "x" * 2000)
    [failing] = await store.health("abay", NOW + HOUR)
    assert (failing.last_success_at, failing.last_attempt_at) == (NOW, NOW + HOUR)
    assert failing.lag_s == 3660
    assert failing.error == "x" * 1000
    await store.note_success("abay", "pi", NOW + 2 * HOUR, None)
    [well] = await store.health("abay", NOW + 2 * HOUR)
    assert (well.error, well.newest_valid_at, well.last_success_at) == (None, NOW - MINUTE, NOW + 2 * HOUR)


@pytest.mark.parametrize(("newest", "lag_s"), [(None, None), (NOW + HOUR, 0.0), (NOW - HOUR, 3600.0)])
async def test_a_source_that_never_worked_lags_by_an_unknown_and_one_ahead_by_nothing(
    store: SeriesStore, newest: datetime | None, lag_s: float | None
) -> None:
    await store.note_success("abay", "caiso", NOW, newest, "a flaw")
    [found] = await store.health("abay", NOW)
    assert (found.lag_s, found.error) == (lag_s, "a flaw")
