"""The alerts' OpenAPI: alarms and their journal, acknowledge, shelve, notices with every attempt, test notices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from headworks.alerts import lifecycle
from headworks.alerts.lifecycle import Changed, Denied, Record
from headworks.alerts.monitor import Monitor
from headworks.alerts.notices import NoticeDesk
from headworks.alerts.sections import Alarm
from headworks.alerts.store import AlarmStore, Decide
from headworks.common.auth import Engineer, Operator, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import AlarmState, AlarmTransition, Severity
from headworks.common.problems import FieldProblem, Problem
from headworks.common.service import create_app

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such site or alarm"}}
DENIED = NOT_FOUND | {409: {"description": "The alarm's state does not allow it"}}
Limit = Annotated[int, Query(ge=1, le=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Comment(_Body):
    """What the operator has to say; kept in the journal."""

    comment: str | None = Field(default=None, max_length=300)


class Shelving(_Body):
    """Why an alarm is put aside, and for how long."""

    reason: str = Field(min_length=1, max_length=300)
    minutes: float = Field(gt=0, le=lifecycle.LONGEST_SHELVING.total_seconds() / 60)


class TestOrder(_Body):
    """Which channel to test."""

    channel: str


class AlarmView(BaseModel):
    """An alarm as it is now; values in the site's display units."""

    alarm: str
    title: str
    severity: Severity
    state: AlarmState
    since: datetime
    condition_holds: bool
    text: str
    value: float | None
    unit: str
    acknowledged_by: str | None
    shelved_until: datetime | None


class AttemptView(BaseModel):
    """One attempt to hand a notice over."""

    at: datetime
    delivered: bool
    detail: str


class NoticeView(BaseModel):
    """A notice to one person. COOLDOWN: held back, for the same alarm was told shortly before."""

    notice_id: int
    site: str | None
    alarm: str | None
    channel: str
    recipient: str
    subject: str
    text: str
    at: datetime
    status: Literal["PENDING", "SENT", "FAILED", "COOLDOWN"]
    sent_at: datetime | None
    attempts: list[AttemptView]


class TestNotices(BaseModel):
    """The notices that a test made; look them up under /notices."""

    notice_ids: list[int]


def create_api(monitors: Mapping[str, Monitor], store: AlarmStore, desk: NoticeDesk, clock: Clock) -> FastAPI:
    """The API over the sites' monitors."""
    app = create_app("alerts", "Alarms with deadband and life cycle (ISA-18.2), their journal, and notices to people.")
    _add_alarm_routes(app, monitors, store, clock)
    _add_order_routes(app, monitors, store, clock)
    _add_notice_routes(app, desk, clock)
    return app


def _add_alarm_routes(app: FastAPI, monitors: Mapping[str, Monitor], store: AlarmStore, clock: Clock) -> None:
    @app.get("/sites/{site}/alarms", responses=NOT_FOUND)
    async def alarms(site: str, _caller: Viewer) -> list[AlarmView]:
        """Every alarm of the site with its state, whether raised or not."""
        monitor = _known(monitors, site)
        records = await store.records(site, list(monitor.alarms), clock.now())
        return [_view(name, alarm, records[name]) for name, alarm in monitor.alarms.items()]

    @app.get("/sites/{site}/alarms/journal", responses=NOT_FOUND)
    async def journal(
        site: str, _caller: Viewer, limit: Limit = 200, alarm: str | None = None
    ) -> list[AlarmTransition]:
        """Every change of state, newest first."""
        _known(monitors, site, alarm)
        return await store.journal(site, limit, alarm)


def _add_order_routes(app: FastAPI, monitors: Mapping[str, Monitor], store: AlarmStore, clock: Clock) -> None:
    async def order(site: str, name: str, decide: Decide) -> AlarmView:
        alarm = _known(monitors, site, name).alarms[name]
        outcome = (await store.change(site, {name: alarm}, {name: decide}, clock.now()))[name]
        match outcome:
            case Denied(reason=reason):
                raise Problem(409, "The alarm's state does not allow it", f"{name}: {reason}")
            case Changed(record=record):
                return _view(name, alarm, record)

    @app.post("/sites/{site}/alarms/{alarm}/acknowledge", responses=DENIED)
    async def acknowledge(site: str, alarm: str, body: Comment, caller: Operator) -> AlarmView:
        """Say that a person has seen it."""
        now = clock.now()
        return await order(
            site, alarm, partial(lifecycle.acknowledge, by=caller.name, comment=body.comment or "", now=now)
        )

    @app.post("/sites/{site}/alarms/{alarm}/shelve", responses=DENIED)
    async def shelve(site: str, alarm: str, body: Shelving, caller: Operator) -> AlarmView:
        """Put it aside for a time; it comes back by itself."""
        lasting, now = timedelta(minutes=body.minutes), clock.now()
        return await order(
            site, alarm, partial(lifecycle.shelve, by=caller.name, reason=body.reason, lasting=lasting, now=now)
        )

    @app.post("/sites/{site}/alarms/{alarm}/unshelve", responses=DENIED)
    async def unshelve(site: str, alarm: str, caller: Operator) -> AlarmView:
        """Take it back before its time."""
        return await order(site, alarm, partial(lifecycle.unshelve, by=caller.name, now=clock.now()))


def _add_notice_routes(app: FastAPI, desk: NoticeDesk, clock: Clock) -> None:
    @app.get("/notices")
    async def notices(_caller: Viewer, site: str | None = None, limit: Limit = 100) -> list[NoticeView]:
        """Notices, newest first, with every attempt to hand them over."""
        return [NoticeView.model_validate(row) for row in await desk.newest(site, limit)]

    @app.post("/notices/test", status_code=202)
    async def test_notice(body: TestOrder, caller: Engineer) -> TestNotices:
        """Send a test notice to every recipient of a channel."""
        channel = desk.channels.get(body.channel)
        if channel is None or not channel.recipients:
            expected = f"a channel that is set up and has recipients: {sorted(desk.channels)}"
            wrong = FieldProblem(field="channel", value=body.channel, expected=expected)
            raise Problem(422, "No such channel", errors=[wrong])
        return TestNotices(notice_ids=await desk.add_test(body.channel, caller.name, clock.now()))


def _known(monitors: Mapping[str, Monitor], site: str, alarm: str | None = None) -> Monitor:
    """The monitor of a site that has the alarm. Answers 404 where there is none."""
    monitor = monitors.get(site)
    if monitor is None:
        raise Problem(404, "No such site", f"site={site!r}; known are {sorted(monitors)}")
    if alarm is not None and alarm not in monitor.alarms:
        raise Problem(404, "No such alarm", f"alarm={alarm!r}; {site} has {sorted(monitor.alarms)}")
    return monitor


def _view(name: str, alarm: Alarm, record: Record) -> AlarmView:
    return AlarmView(
        alarm=name,
        title=alarm.title,
        severity=alarm.severity,
        state=record.state,
        since=record.since,
        condition_holds=record.holds,
        text=record.text,
        value=record.value,
        unit=record.unit,
        acknowledged_by=record.acknowledged_by,
        shelved_until=record.shelved_until,
    )
