"""Wires the alerts service and runs it."""

import asyncio
import os
from datetime import timedelta

import structlog
from fastapi import FastAPI

from headworks.alerts.api import create_api
from headworks.alerts.channels.email import Email
from headworks.alerts.channels.outcome import Channel
from headworks.alerts.monitor import Monitor
from headworks.alerts.notices import NoticeDesk
from headworks.alerts.sections import alarms_of
from headworks.alerts.settings import AlertsSettings
from headworks.alerts.store import Addressees, AlarmStore
from headworks.common.bus import Bus
from headworks.common.clock import Clock, clock_from_environment
from headworks.common.database import Database
from headworks.common.service import Task, prepare, run
from headworks.common.sites import read_sites

log = structlog.get_logger(__name__)


async def main() -> None:
    """Watch and tell until told to stop."""
    settings = AlertsSettings()
    prepare("alerts", settings)
    clock, sites = clock_from_environment(os.environ), read_sites(settings.sites)
    database, channels = Database(settings.database_url), channels_of(settings)
    addressees = Addressees(
        {name: channel.recipients for name, channel in channels.items()},
        timedelta(minutes=settings.notice_cooldown_min),
    )
    store, desk = AlarmStore(database, addressees), NoticeDesk(database, channels)
    monitors = {name: Monitor(site, alarms_of(site), store, clock) for name, site in sites.items()}
    async with await Bus.connect(settings.nats_url, "alerts", settings.nats_seed_file) as bus:
        tasks: dict[str, Task] = {
            "outbox": lambda: store.outbox.relay(database, bus),
            "outbox-clearing": lambda: store.outbox.keep_cleared(database, settings.outbox_retention_days),
            **desk.tasks(),
        }
        for monitor in monitors.values():
            tasks |= monitor.tasks(bus)

        async def bus_ready() -> bool:
            return bus.is_connected

        ready = {"database": database.is_ready, "bus": bus_ready}
        await run("alerts", settings, create_api(monitors, store, desk, clock), tasks, ready)
    await database.close()


def channels_of(settings: AlertsSettings) -> dict[str, Channel]:
    """The channels that are set up. The browser hears the bus itself and needs none."""
    if settings.smtp_host is None:
        log.warning("no mail server is set (HEADWORKS_SMTP_HOST): alarms reach browsers alone")
        return {}
    password = settings.smtp_password_file.read_text().strip() if settings.smtp_password_file else None
    recipients = tuple(address.strip() for address in settings.mail_to.split(",") if address.strip())
    if not recipients:
        raise ValueError("HEADWORKS_MAIL_TO='' must name at least one address, or leave HEADWORKS_SMTP_HOST unset")
    email = Email(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        recipients=recipients,
        start_tls=settings.smtp_start_tls,
        username=settings.smtp_username,
        password=password,
        timeout_s=settings.smtp_timeout_s,
    )
    return {"email": email}


def documented_api() -> FastAPI:
    """The API for its document: nothing is connected."""
    database = Database(AlertsSettings().database_url)
    return create_api({}, AlarmStore(database, Addressees({}, timedelta())), NoticeDesk(database, {}), Clock())


if __name__ == "__main__":
    asyncio.run(main())
