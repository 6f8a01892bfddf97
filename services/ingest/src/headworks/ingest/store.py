"""The bitemporal store: what is valid when, and when we learned it. A later or corrected value is a new row."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ARRAY, DateTime, RowMapping, Select, String, and_, cast, column, exists, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from headworks.common.database import Database
from headworks.common.messages import Award, Basis, Forecast, Quality, Sample
from headworks.common.outbox import Outbox
from headworks.common.subjects import FORECAST, MARKET
from headworks.ingest.standing import Candidate, standing
from headworks.ingest.tables import awards, forecasts, observations, outbox, source_health


class SeriesSummary(BaseModel):
    """A series that is known, and how fresh it is."""

    series: str
    basis: Basis
    newest_valid_at: datetime
    values: int


class SourceHealth(BaseModel):
    """How a source does: last success, how far it lags (0 when it is ahead), what is wrong (None when all is well)."""

    site: str
    source: str
    last_attempt_at: datetime
    last_success_at: datetime | None
    newest_valid_at: datetime | None
    lag_s: float | None
    error: str | None


async def add_samples(
    connection: AsyncConnection, site: str, source: str, samples: Sequence[Sample], known_at: datetime
) -> list[Sample]:
    """Add what is new or has changed; gives back just that, in the order it came."""
    wanted = {(s.series, s.basis.value, s.valid_at): s for s in samples}
    if not wanted:
        return []
    common = {"site": site, "source": source, "known_at": known_at}
    rows = (await connection.execute(_latest(site, list(wanted)))).all()
    known = {(r.series, r.basis, r.valid_at): (r.value, r.quality, r.substituted) for r in rows}
    fresh = [s for k, s in wanted.items() if known.get(k) != (s.value, s.quality.value, s.substituted)]
    if fresh:
        added = [{**s.model_dump(), **common, "basis": s.basis.value, "quality": s.quality.value} for s in fresh]
        await connection.execute(insert(observations).on_conflict_do_nothing(), added)
    return fresh


class SeriesStore:
    """The ingest schema."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(outbox)

    async def add_samples(self, site: str, source: str, samples: Sequence[Sample], known_at: datetime) -> list[Sample]:
        """Add what is new or has changed, all or nothing; gives back just that, in the order it came."""
        async with self._database.transaction() as connection:
            return await add_samples(connection, site, source, samples, known_at)

    async def values(
        self, site: str, series: str, start: datetime, end: datetime, basis: Basis | None, known_at: datetime | None
    ) -> list[Sample]:
        """The values valid in [start, end), as they were known at `known_at` (or are now), by time."""
        t = observations
        query = (
            select(t)
            .ext(distinct_on(t.c.valid_at, t.c.basis))
            .where(t.c.site == site, t.c.series == series, t.c.valid_at >= start, t.c.valid_at < end)
            .order_by(t.c.valid_at, t.c.basis, t.c.known_at.desc())
        )
        if basis is not None:
            query = query.where(t.c.basis == basis.value)
        if known_at is not None:
            query = query.where(t.c.known_at <= known_at)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_sample(row) for row in rows]

    async def latest(self, site: str, series: str, now: datetime, *, good_only: bool) -> Sample | None:
        """The newest value up to now, of any basis, as it is known; of one time the instant comes before the means.

        What is valid later, such as tomorrow's prices, is not among them.
        """
        t, corrected = observations, observations.alias("corrected")
        of_series = (t.c.site == site, t.c.series == series, t.c.valid_at <= now)
        same = [corrected.c[name] == t.c[name] for name in ("site", "series", "basis", "valid_at")]
        rows: list[RowMapping] = []
        async with self._database.transaction() as connection:
            for basis in Basis:
                query = select(t).where(*of_series, t.c.basis == basis.value)
                if good_only:
                    stands = ~exists().where(*same, corrected.c.known_at > t.c.known_at)
                    query = query.where(t.c.quality == Quality.GOOD.value, stands)
                query = query.order_by(t.c.valid_at.desc(), t.c.known_at.desc()).limit(1)
                rows += (await connection.execute(query)).mappings().all()
        return max(map(_sample, rows), key=lambda s: s.valid_at, default=None)

    async def series(self, site: str) -> list[SeriesSummary]:
        """The series that have values."""
        t = observations
        query = (
            select(t.c.series, t.c.basis, func.max(t.c.valid_at).label("newest_valid_at"), func.count().label("values"))
            .where(t.c.site == site)
            .group_by(t.c.series, t.c.basis)
            .order_by(t.c.series, t.c.basis)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [SeriesSummary.model_validate(dict(row)) for row in rows]

    async def add_forecast(self, forecast: Forecast) -> bool:
        """Add an issue and tell the bus of it, both or neither; False when it is known."""
        message_id = f"{forecast.site}:{forecast.series}:{forecast.source}:{forecast.issued_at.isoformat()}"
        async with self._database.transaction() as connection:
            added = await connection.execute(
                insert(forecasts)
                .values(
                    site=forecast.site,
                    series=forecast.series,
                    source=forecast.source,
                    issued_at=forecast.issued_at,
                    known_at=forecast.known_at,
                    forecast=forecast.model_dump(mode="json"),
                )
                .on_conflict_do_nothing()
            )
            if added.rowcount:
                await self.outbox.add(
                    connection, FORECAST, forecast, message_id, site=forecast.site, series=forecast.series
                )
        self.outbox.wake()
        return bool(added.rowcount)

    async def forecast(self, site: str, series: str, issued_at: datetime | None, known_at: datetime) -> Forecast | None:
        """An issue, or the one that stood by what was known at an instant."""
        t = forecasts
        query = (
            select(t.c.source, t.c.forecast_id, t.c.issued_at)
            .ext(distinct_on(t.c.source))
            .where(t.c.site == site, t.c.series == series, t.c.known_at <= known_at)
            .order_by(t.c.source, t.c.issued_at.desc())
        )
        if issued_at is not None:
            query = query.where(t.c.issued_at == issued_at)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
            chosen = standing([Candidate(r.forecast_id, r.source, r.issued_at) for r in rows], known_at)
            if chosen is None:
                return None
            found = select(t.c.forecast).where(t.c.forecast_id == chosen.forecast_id)
            return Forecast.model_validate((await connection.execute(found)).scalar_one())

    async def issues(self, site: str, series: str, limit: int) -> list[datetime]:
        """The newest issue times."""
        t = forecasts
        query = select(t.c.issued_at).distinct().where(t.c.site == site, t.c.series == series)
        async with self._database.transaction() as connection:
            return list((await connection.execute(query.order_by(t.c.issued_at.desc()).limit(limit))).scalars())

    async def add_award(self, award: Award) -> bool:
        """Add an award and tell the bus of it, both or neither; False when the same is known."""
        key = (award.site, award.resource, award.product, award.trade_date)
        lock = text("select pg_advisory_xact_lock(hashtext(:key))")
        message_id = f"{award.site}:award:{award.trade_date}:{award.known_at.isoformat()}"
        async with self._database.transaction() as connection:
            await connection.execute(lock, {"key": f"ingest.award:{key}"})
            known = await self._award(connection, award.site, award.trade_date, None)
            if known is not None and _same(known, award):
                return False
            await connection.execute(
                insert(awards).values(
                    site=award.site,
                    resource=award.resource,
                    product=award.product,
                    trade_date=award.trade_date,
                    known_at=award.known_at,
                    award=award.model_dump(mode="json"),
                )
            )
            await self.outbox.add(connection, MARKET, award, message_id, site=award.site, product="award")
        self.outbox.wake()
        return True

    async def award(self, site: str, trade_date: date, known_at: datetime | None = None) -> Award | None:
        """The award of a trade date, as it was known."""
        async with self._database.transaction() as connection:
            return await self._award(connection, site, trade_date, known_at)

    @staticmethod
    async def _award(
        connection: AsyncConnection, site: str, trade_date: date, known_at: datetime | None
    ) -> Award | None:
        t = awards
        query = select(t.c.award).where(t.c.site == site, t.c.trade_date == trade_date)
        if known_at is not None:
            query = query.where(t.c.known_at <= known_at)
        row = (await connection.execute(query.order_by(t.c.known_at.desc(), t.c.award_id.desc()).limit(1))).first()
        return None if row is None else Award.model_validate(row[0])

    async def note_success(
        self, site: str, source: str, at: datetime, newest_valid_at: datetime | None, flaw: str | None = None
    ) -> None:
        """A source answered; `flaw` says what of it was not as it should be."""
        values = {"last_attempt_at": at, "last_success_at": at, "error": flaw[:1000] if flaw else None}
        if newest_valid_at is not None:
            values["newest_valid_at"] = newest_valid_at
        await self._note(site, source, values)

    async def note_fault(self, site: str, source: str, at: datetime, error: str) -> None:
        """A source did not."""
        await self._note(site, source, {"last_attempt_at": at, "error": error[:1000]})

    async def _note(self, site: str, source: str, values: Mapping[str, object]) -> None:
        statement = insert(source_health).values(site=site, source=source, **values)
        async with self._database.transaction() as connection:
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["site", "source"], set_={**values, "updated_at": func.now()}
                )
            )

    async def health(self, site: str, now: datetime) -> list[SourceHealth]:
        """How every source does."""
        t = source_health
        async with self._database.transaction() as connection:
            query = select(t).where(t.c.site == site).order_by(t.c.source)
            rows = (await connection.execute(query)).mappings().all()
        return [
            SourceHealth(
                site=site,
                source=r["source"],
                last_attempt_at=r["last_attempt_at"],
                last_success_at=r["last_success_at"],
                newest_valid_at=r["newest_valid_at"],
                lag_s=max(0.0, (now - r["newest_valid_at"]).total_seconds()) if r["newest_valid_at"] else None,
                error=r["error"],
            )
            for r in rows
        ]


def _same(known: Award, award: Award) -> bool:
    return (known.resource, known.product, known.intervals) == (award.resource, award.product, award.intervals)


def _latest(site: str, keys: Sequence[tuple[str, str, datetime]]) -> Select[Any]:
    """What is known of each (series, basis, valid_at) now. The keys go as arrays: a list of parameters has its limit."""
    t, columns = observations, zip(*keys, strict=True)
    types: dict[str, TypeEngine[Any]] = {"series": String(), "basis": String(), "valid_at": DateTime(timezone=True)}
    arrays = [cast(list(values), ARRAY(kind)) for values, kind in zip(columns, types.values(), strict=True)]
    wanted = func.unnest(*arrays).table_valued(*(column(n, k) for n, k in types.items())).render_derived("wanted")
    same = and_(*(t.c[name] == wanted.c[name] for name in types))
    return (
        select(t)
        .ext(distinct_on(t.c.series, t.c.basis, t.c.valid_at))
        .join(wanted, same)
        .where(t.c.site == site)
        .order_by(t.c.series, t.c.basis, t.c.valid_at, t.c.known_at.desc())
    )


def _sample(row: RowMapping) -> Sample:
    return Sample(
        series=row["series"],
        valid_at=row["valid_at"],
        value=row["value"],
        quality=Quality(row["quality"]),
        basis=Basis(row["basis"]),
        substituted=row["substituted"],
        source=row["source"],
    )
