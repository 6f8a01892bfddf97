"""A newest lease that cannot be read: it counts as held for as long as one lasts, then it is claimed over; never two lead."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from headworks.common.bus import Bus, Deliver
from headworks.common.clock import Clock
from headworks.common.embedded.nats import NatsServer
from headworks.common.messages import Lease
from headworks.common.subjects import LEASE
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.fencing import Term
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.leadership import Leadership
from headworks.control_gateway.lease import Seen, Unread, is_free, next_epoch, seconds
from headworks.control_gateway.sharing import SharedOrders
from headworks.control_gateway.stop_orders import StopOrders

VALID_S = 2.0
LEASE_OF_A = Lease(site="abay", gateway="a", epoch=7, valid_s=3.0, orders=1)
Without = Literal["stop", "continue"]


def leadership(folder: Path, name: str, without_bus: Without = "stop") -> Leadership:
    auditor = Auditor(Journal(folder / name, gateway=name), Clock())
    return Leadership(
        site="abay",
        gateway=name,
        valid_s=VALID_S,
        term=Term(without_bus),
        fences={},
        orders=SharedOrders(name, StopOrders(EStopBoard(folder / name), {}, auditor)),
        auditor=auditor,
        reaches=lambda: True,
        changed=lambda: None,
    )


async def watch_for_two(both: list[Leadership], seen_two: list[float]) -> None:
    """Note each instant at which both would write by the clock."""
    while True:
        now_s = seconds()
        if sum(each.term.held is not None and now_s < each.term.held.until_s for each in both) > 1:
            seen_two.append(now_s)
        await asyncio.sleep(0.002)


async def hear(bus: Bus, claimed: list[tuple[Lease, datetime]], unread: list[datetime]) -> None:
    """Every lease as the stream has it, and when what cannot be read stood there."""
    heard = bus.follow(LEASE, deliver=Deliver.NEW, passed_over=lambda passed: unread.append(passed.published_at))
    async for lease, delivery in heard:
        claimed.append((lease, delivery.published_at))


@pytest.mark.parametrize("without_bus", ["stop", "continue"])
async def test_an_unreadable_lease_is_outlived_and_never_two_lead(
    tmp_path: Path, nats_server: NatsServer, bus: Bus, without_bus: Without
) -> None:
    both = [leadership(tmp_path, name, without_bus) for name in ("a", "b")]
    two: list[float] = []
    claimed: list[tuple[Lease, datetime]] = []
    unread: list[datetime] = []
    async with (
        await Bus.connect(nats_server.url, "a") as of_a,
        await Bus.connect(nats_server.url, "b") as of_b,
        in_background(
            *(each.orders.share(of) for each, of in zip(both, (of_a, of_b), strict=True)),
            *(each.keep(of) for each, of in zip(both, (of_a, of_b), strict=True)),
            watch_for_two(both, two),
            hear(bus, claimed, unread),
        ),
    ):
        await eventually(lambda: any(each.leads for each in both) and len(claimed) > 1)
        epoch = claimed[-1][0].epoch
        for garbage in (b"garbage", b'{"of": "a newer version"}'):
            before = len(unread)
            await bus.publish_raw(LEASE.at(site="abay"), garbage, {})
            await eventually(lambda before=before: len(unread) > before)
            after = len(claimed)
            await eventually(lambda after=after: len(claimed) > after + 1, timeout_s=20)
            first, at = claimed[after]
            assert (at - unread[-1]).total_seconds() >= VALID_S, "never earlier: it may be a newer version's true lease"
            assert first.epoch == next_epoch(next_epoch(epoch)), "the unreadable one may have had the epoch in between"
            await eventually(lambda: any(each.leads for each in both))
            epoch = first.epoch
    assert two == []
    noted = [
        link.body["event_type"] for link in both[0].auditor.journal.unshipped_links(1000)[0] if link.kind == "audit"
    ]
    assert noted.count("lease_unreadable") == 2


async def test_one_that_is_written_again_and_again_is_never_claimed_over(
    tmp_path: Path, nats_server: NatsServer, bus: Bus
) -> None:
    """As a newer version's holder would renew it."""
    here, claimed, unread = leadership(tmp_path, "a"), [], []  # type: ignore[var-annotated]  # as hear takes them
    async with (
        await Bus.connect(nats_server.url, "a") as of_a,
        in_background(here.orders.share(of_a), hear(bus, claimed, unread)),
    ):
        await bus.publish_raw(LEASE.at(site="abay"), b'{"of": "a newer version"}', {})
        async with in_background(here.keep(of_a)):
            begun_s = seconds()
            while seconds() - begun_s < 2.5 * VALID_S:
                known = len(unread)
                await bus.publish_raw(LEASE.at(site="abay"), b'{"of": "a newer version"}', {})
                await eventually(lambda known=known: len(unread) > known)
            assert (here.leads, claimed) == (False, [])
            await eventually(lambda: here.leads)


async def test_a_stream_that_was_emptied_is_claimed_anew_and_never_two_lead(
    tmp_path: Path, nats_server: NatsServer, bus: Bus
) -> None:
    both = [leadership(tmp_path, name) for name in ("a", "b")]
    two: list[float] = []
    async with (
        await Bus.connect(nats_server.url, "a") as of_a,
        await Bus.connect(nats_server.url, "b") as of_b,
        in_background(
            *(each.orders.share(of) for each, of in zip(both, (of_a, of_b), strict=True)),
            *(each.keep(of) for each, of in zip(both, (of_a, of_b), strict=True)),
            watch_for_two(both, two),
        ),
    ):
        for _ in range(2):
            await eventually(lambda: any(each.leads for each in both), timeout_s=20)
            await bus._jetstream.purge_stream("LEASES")
            await eventually(lambda: not any(each.leads for each in both))
        await eventually(lambda: any(each.leads for each in both), timeout_s=20)
    assert two == []


@pytest.mark.parametrize(
    ("now_s", "free"),
    [(10.0, False), (13.0, False), (13.001, True)],
)
def test_an_unread_lease_is_free_once_it_is_as_old_as_a_lease_lasts(now_s: float, free: bool) -> None:
    assert is_free(Unread(LEASE_OF_A, 2, 10.0, 3.0), now_s) is free


def test_it_stands_for_the_epoch_after_the_last_that_was_read_however_often_it_is_written(tmp_path: Path) -> None:
    assert Unread(None, 2, 10.0, 3.0).epoch == 0
    here = leadership(tmp_path, "a")
    here.heard(LEASE_OF_A, 1)
    for place in range(2, 50):
        here.unread(place)
    assert isinstance(here.seen, Unread)
    assert (here.seen.epoch, here.seen.place, here.seen.valid_s) == (8, 49, 3.0)
    assert here.leader is None, "nobody can say who leads"
    here.heard(LEASE_OF_A, 50)
    assert here.leader == "a"


def test_hearing_the_same_one_again_does_not_make_it_younger(tmp_path: Path, clock_s: Callable[[], float]) -> None:
    here = leadership(tmp_path, "a")
    here.clock_s = clock_s
    here.unread(3)
    first = here.seen
    here.unread(3)
    assert here.seen is first
    assert not isinstance(first, Seen)


@pytest.fixture
def clock_s() -> Callable[[], float]:
    """One second later at each look."""
    at = iter(range(1000))
    return lambda: float(next(at))
