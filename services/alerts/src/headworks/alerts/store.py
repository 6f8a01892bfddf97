"""Keeps alarms, their journal and their notices; a transition, its message and its notices are one transaction."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.alerts import tables
from headworks.alerts.conditions import Cause
from headworks.alerts.lifecycle import Changed, Denied, Record
from headworks.alerts.sections import Alarm
from headworks.common.database import Database
from headworks.common.messages import AlarmState, AlarmTransition
from headworks.common.outbox import Outbox
from headworks.common.subjects import ALARM

Decide = Callable[[Record], Changed | Denied]


@dataclass(frozen=True, slots=True)
class Addressees:
    """Who is told when an alarm is raised: recipients by channel, and how soon the same alarm may be told again."""

    recipients: Mapping[str, Sequence[str]]
    cooldown: timedelta


class AlarmStore:
    """The alarms of all sites."""

    def __init__(self, database: Database, addressees: Addressees) -> None:
        self.database = database
        self.outbox = Outbox(tables.outbox)
        self._addressees = addressees

    async def records(self, site: str, names: Sequence[str], now: datetime) -> dict[str, Record]:
        """The records of these alarms; one never seen is new."""
        async with self.database.transaction() as connection:
            found = await _rows(connection, site, names, lock=False)
        return {name: found.get(name) or Record.new(now) for name in names}

    async def change(
        self, site: str, alarms: Mapping[str, Alarm], decide: Mapping[str, Decide], now: datetime
    ) -> dict[str, Changed | Denied]:
        """Apply decisions to alarms, each on the record as it is now, and keep what changed, all or nothing."""
        results: dict[str, Changed | Denied] = {}
        async with self.database.transaction() as connection:
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"alarms of {site}"))))
            found = await _rows(connection, site, list(decide), lock=True)
            for name, decision in decide.items():
                before = found.get(name) or Record.new(now)
                result = results[name] = decision(before)
                if isinstance(result, Changed) and (result.record != before or name not in found):
                    await self._keep(connection, site, name, alarms[name], result)
        self.outbox.wake()
        return results

    async def journal(self, site: str, limit: int, alarm: str | None) -> list[AlarmTransition]:
        """The newest transitions."""
        t = tables.journal
        query = select(t.c.entry).where(t.c.site == site).order_by(t.c.entry_id.desc()).limit(limit)
        if alarm is not None:
            query = query.where(t.c.alarm == alarm)
        async with self.database.transaction() as connection:
            entries = (await connection.execute(query)).scalars().all()
        return [AlarmTransition.model_validate(entry) for entry in entries]

    async def _keep(self, connection: AsyncConnection, site: str, name: str, alarm: Alarm, changed: Changed) -> None:
        values = _values(changed.record)
        statement = insert(tables.alarms).values(site=site, alarm=name, **values)
        await connection.execute(statement.on_conflict_do_update(index_elements=["site", "alarm"], set_=values))
        if changed.transition is None:
            return
        message = AlarmTransition(
            transition_id=uuid.uuid4().hex,
            site=site,
            alarm=name,
            at=changed.transition.at,
            severity=alarm.severity,
            title=alarm.title,
            from_state=changed.transition.from_state,
            to_state=changed.transition.to_state,
            by=changed.transition.by,
            text=changed.transition.text,
            value=changed.record.value,
            unit=changed.record.unit,
        )
        await connection.execute(
            insert(tables.journal).values(
                transition_id=message.transition_id,
                site=site,
                alarm=name,
                at=message.at,
                entry=message.model_dump(mode="json"),
            )
        )
        await self.outbox.add(connection, ALARM, message, message.transition_id, site=site, alarm=name)
        if message.to_state is AlarmState.ACTIVE_UNACKNOWLEDGED:
            await self._address(connection, message)

    async def _address(self, connection: AsyncConnection, raised: AlarmTransition) -> None:
        """A notice for each recipient; one within the cooldown is kept too, and says that it was held back."""
        for channel, recipients in self._addressees.recipients.items():
            held_back = await self._told_lately(connection, raised, channel)
            for recipient in recipients:
                await connection.execute(
                    insert(tables.notices).values(
                        site=raised.site,
                        alarm=raised.alarm,
                        channel=channel,
                        recipient=recipient,
                        subject=f"[{raised.severity.upper()}] {raised.title} ({raised.site})"[:200],
                        text=notice_text(raised)[:2000],
                        at=raised.at,
                        status="COOLDOWN" if held_back else "PENDING",
                    )
                )

    async def _told_lately(self, connection: AsyncConnection, raised: AlarmTransition, channel: str) -> bool:
        t = tables.notices
        told = select(func.max(t.c.at)).where(
            t.c.site == raised.site,
            t.c.alarm == raised.alarm,
            t.c.channel == channel,
            t.c.status.in_(("PENDING", "SENT")),
        )
        last: datetime | None = (await connection.execute(told)).scalar()
        return last is not None and raised.at - last < self._addressees.cooldown


def notice_text(raised: AlarmTransition) -> str:
    """What a person reads."""
    return (
        f"{raised.title}\n\n{raised.text}\n\n"
        f"Site: {raised.site}\nAlarm: {raised.alarm}\nSeverity: {raised.severity.value}\n"
        f"Raised at: {raised.at:%Y-%m-%d %H:%M:%S}Z\n"
    )


async def _rows(connection: AsyncConnection, site: str, names: Sequence[str], *, lock: bool) -> dict[str, Record]:
    t = tables.alarms
    query = select(t).where(t.c.site == site, t.c.alarm.in_(names))
    rows = (await connection.execute(query.with_for_update() if lock else query)).all()
    return {row.alarm: _record(row) for row in rows}


def _values(record: Record) -> dict[str, Any]:
    causes = {about: {"text": c.text, "at": c.at.isoformat()} for about, c in record.causes.items()}
    return {
        "state": record.state.value,
        "since": record.since,
        "holds": record.holds,
        "holds_since": record.holds_since,
        "text": record.text[:1000],
        "value": record.value,
        "unit": record.unit,
        "causes": causes,
        "acknowledged_by": record.acknowledged_by,
        "shelved_until": record.shelved_until,
    }


def _record(row: Row[Any]) -> Record:
    return Record(
        state=AlarmState(row.state),
        since=row.since,
        holds=row.holds,
        holds_since=row.holds_since,
        text=row.text,
        value=row.value,
        unit=row.unit,
        causes={about: Cause(c["text"], datetime.fromisoformat(c["at"])) for about, c in row.causes.items()},
        acknowledged_by=row.acknowledged_by,
        shelved_until=row.shelved_until,
    )
