"""Keeps the registry of vendors. Every change is written down with who made it, in one transaction; nothing is deleted."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.database import Database
from headworks.common.messages import Refusal
from headworks.plans.tables import submissions
from headworks.plans.vendor_tables import vendor_changes, vendor_intake, vendor_keys, vendors
from headworks.plans.vendors import DAY, Quota, Taken, Terms, Vendor, quota_refusals
from headworks.plans.waiting_room import approvals

Withdraw = Callable[[AsyncConnection], Awaitable[int]]
"""Takes a vendor's plans out of force in the registry's own transaction; how many there were."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A name or a key that the registry has already: what it is, and whose."""

    field: str
    value: str
    expected: str = "one that the registry has never had"


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, when."""

    by: str
    at: datetime


class VendorStore:
    """The vendors of the plans schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str, public_key: str, terms: Terms, change: Change) -> Vendor | InUse:
        """A new vendor with its first key. A name is given once, also when its vendor's access was revoked."""
        row = {"name": name, **_columns(terms), "added_by": change.by, "added_at": change.at}
        async with self._database.transaction() as connection:
            added = await connection.execute(upsert(vendors).values(row).on_conflict_do_nothing())
            if not added.rowcount:
                return InUse("name", name)
            if await _has_planned(connection, name):
                await connection.rollback()
                return InUse("name", name, "one that nobody has planned under: this one is a person's or a service's")
            if not await _add_key(connection, name, public_key, change):
                await connection.rollback()
                return InUse("public_key", public_key)
            await _note(connection, name, "added", change, {**terms.model_dump(mode="json"), "public_key": public_key})
            return await _existing(connection, name)

    async def find(self, name: str) -> Vendor | None:
        """A vendor by its name, with access or without."""
        async with self._database.transaction() as connection:
            return await _find(connection, name)

    async def all(self) -> list[Vendor]:
        """Every vendor there ever was, by name."""
        async with self._database.transaction() as connection:
            return [_vendor(row) for row in (await connection.execute(_query().order_by(vendors.c.name))).mappings()]

    async def with_key(self, public_key: str) -> Vendor | None:
        """The vendor that a key lets in now."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_query().where(vendor_keys.c.public_key == public_key))).mappings().first()
        return _vendor(row) if row is not None else None

    async def change(self, name: str, terms: Terms, change: Change, withdraw: Withdraw | None = None) -> Vendor | None:
        """Other terms; None for one without access. Into shadow: its plans are withdrawn, in the same transaction."""
        t = vendors
        async with self._database.transaction() as connection:
            changed = update(t).where(t.c.name == name, t.c.revoked_at.is_(None)).values(_columns(terms))
            if not (await connection.execute(changed)).rowcount:
                return None
            await _note(connection, name, "changed", change, terms.model_dump(mode="json"))
            if terms.shadow and withdraw is not None:
                await withdraw(connection)
            return await _existing(connection, name)

    async def rotate(self, name: str, public_key: str, change: Change) -> Vendor | InUse | None:
        """Another key in place of the one before, which ends at once; None for a vendor without access."""
        async with self._database.transaction() as connection:
            known = await _find(connection, name, for_update=True)
            if known is None or known.revoked_at is not None:
                return None
            await _end_key(connection, name, change)
            if not await _add_key(connection, name, public_key, change):
                await connection.rollback()
                return InUse("public_key", public_key)
            await _note(connection, name, "rotated", change, {"public_key": public_key})
            return await _existing(connection, name)

    async def revoke(
        self, name: str, reason: str, change: Change, withdraw: Withdraw | None = None
    ) -> tuple[Vendor, int] | None:
        """End a vendor's access and withdraw its plans, all at once; None when it has none. Says how many plans there were."""
        t = vendors
        async with self._database.transaction() as connection:
            ended = update(t).where(t.c.name == name, t.c.revoked_at.is_(None)).values(revoked_at=change.at)
            if not (await connection.execute(ended)).rowcount:
                return None
            await _end_key(connection, name, change)
            await _note(connection, name, "revoked", change, {"reason": reason})
            withdrawn = 0 if withdraw is None else await withdraw(connection)
            return await _existing(connection, name), withdrawn

    async def take(self, vendor: Vendor, submission_id: str, intervals: int, now: datetime) -> tuple[Refusal, ...]:
        """Count a submission within the vendor's quota, or say why it is too much; two at once cannot both be the last one.

        One that waited for an approval comes twice, and counts once.
        """
        t = vendor_intake
        async with self._database.transaction() as connection:
            await connection.execute(select(vendors.c.name).where(vendors.c.name == vendor.name).with_for_update())
            of_late = select(t.c.at, t.c.intervals).where(
                t.c.vendor == vendor.name, t.c.at > now - DAY, t.c.submission_id != submission_id
            )
            taken = [Taken(row.at, row.intervals) for row in await connection.execute(of_late.order_by(t.c.at))]
            refusals = quota_refusals(vendor.quota, taken, intervals, now)
            if not refusals:
                row = {"vendor": vendor.name, "submission_id": submission_id, "at": now, "intervals": intervals}
                await connection.execute(upsert(t).values(row).on_conflict_do_nothing())
        return refusals


def _columns(terms: Terms) -> dict[str, Any]:
    return {
        "sites": list(terms.sites),
        **terms.quota.model_dump(),
        "max_priority": terms.max_priority,
        "shadow": terms.shadow,
        "preflight": terms.preflight,
    }


def _query() -> Select[Any]:
    """Vendors with the key that connects now."""
    valid = (vendor_keys.c.vendor == vendors.c.name) & vendor_keys.c.ended_at.is_(None)
    return select(vendors, vendor_keys.c.public_key).join(vendor_keys, valid, isouter=True)


def _vendor(row: RowMapping) -> Vendor:
    quota = Quota(**{name: row[name] for name in Quota.model_fields})
    plain = {name: row[name] for name in Vendor.model_fields if name != "quota"}
    return Vendor(**{**plain, "sites": tuple(row["sites"])}, quota=quota)


async def _find(connection: AsyncConnection, name: str, *, for_update: bool = False) -> Vendor | None:
    query = _query().where(vendors.c.name == name)
    query = query.with_for_update(of=vendors) if for_update else query
    row = (await connection.execute(query)).mappings().first()
    return _vendor(row) if row is not None else None


async def _existing(connection: AsyncConnection, name: str) -> Vendor:
    vendor = await _find(connection, name)
    assert vendor is not None
    return vendor


async def _has_planned(connection: AsyncConnection, name: str) -> bool:
    """Whether plans of that publisher were accepted, or wait for an approval: they would be the vendor's from then on."""
    planned = select(submissions.c.publisher).where(submissions.c.publisher == name, submissions.c.accepted)
    waits = select(approvals.c.publisher).where(approvals.c.publisher == name)
    return bool((await connection.execute(select(planned.exists() | waits.exists()))).scalar_one())


async def _add_key(connection: AsyncConnection, name: str, public_key: str, change: Change) -> bool:
    """False for a key that was ever known: one that was revoked must not come back under another name."""
    row = {"public_key": public_key, "vendor": name, "added_at": change.at}
    return bool((await connection.execute(upsert(vendor_keys).values(row).on_conflict_do_nothing())).rowcount)


async def _end_key(connection: AsyncConnection, name: str, change: Change) -> None:
    t = vendor_keys
    await connection.execute(update(t).where(t.c.vendor == name, t.c.ended_at.is_(None)).values(ended_at=change.at))


async def _note(
    connection: AsyncConnection, name: str, change: str, made: Change, content: Mapping[str, object]
) -> None:
    row = {"vendor": name, "at": made.at, "by": made.by, "change": change, "content": dict(content)}
    await connection.execute(insert(vendor_changes).values(row))
