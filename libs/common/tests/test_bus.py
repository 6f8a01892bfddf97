"""The bus: at-least-once delivery, dead letters with their reason, and life after an outage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.js.errors import NotFoundError

from headworks.common.bus import Bus, BusOvertaken, Deliver
from headworks.common.dead_letters import DeadLetter, dead_letters
from headworks.common.embedded.nats import NatsServer
from headworks.common.handling import Delivery, TryLater, Unacceptable
from headworks.common.link import BusUnavailable
from headworks.common.messages import (
    ControlMode,
    ControlState,
    GenericTargets,
    Lease,
    PlanInterval,
    PlanSubmission,
    ResourceType,
    SolveJob,
    TargetType,
)
from headworks.common.subjects import CONTROL_STATE, LEASE, PLAN_SUBMISSION, SOLVE_JOB
from headworks.common.tasks import in_background
from headworks.common.testing import eventually, stored


def job(run_id: str) -> SolveJob:
    return SolveJob(
        run_id=run_id, site="abay", requested_at=datetime(2026, 2, 17, tzinfo=UTC), requested_by="test", reason="test"
    )


@asynccontextmanager
async def consuming(bus: Bus, handler: Callable[[SolveJob, Delivery], Awaitable[None]]) -> AsyncIterator[None]:
    async with in_background(bus.consume(SOLVE_JOB, handler, durable="workers", max_attempts=2)):
        yield


async def letters_of(bus: Bus) -> list[DeadLetter]:
    return [letter async for letter in dead_letters(bus._jetstream)]


async def test_a_message_published_twice_with_one_id_is_handled_once(bus: Bus) -> None:
    seen: list[str] = []

    async def handler(message: SolveJob, _delivery: Delivery) -> None:
        seen.append(message.run_id)

    for run_id in ("r1", "r1", "r2"):
        await bus.publish(SOLVE_JOB, job(run_id), message_id=run_id, site="abay")
    async with consuming(bus, handler):
        await eventually(lambda: "r2" in seen)
    assert seen == ["r1", "r2"]


async def test_a_handler_that_fails_is_tried_again_then_its_message_is_kept_with_the_reason(bus: Bus) -> None:
    tries: list[int] = []

    async def handler(_message: SolveJob, delivery: Delivery) -> None:
        tries.append(delivery.attempt)
        raise KeyError("storage curve")

    await bus.publish(SOLVE_JOB, job("r1"), site="abay")
    async with consuming(bus, handler):
        await eventually(lambda: tries == [1, 2])
        await eventually(lambda: _has_dead_letter(bus, "storage curve"))


async def _has_dead_letter(bus: Bus, reason: str) -> bool:
    return any(reason in letter.reason for letter in await letters_of(bus))


async def test_an_outage_longer_than_all_attempts_loses_no_message(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headworks.common.bus.RETRY_S", 0.01)
    monkeypatch.setattr("headworks.common.handling.RETRY_S", 0.01)
    tries: list[tuple[int, int]] = []

    async def handler(_message: SolveJob, delivery: Delivery) -> None:
        tries.append((delivery.attempt, delivery.deliveries))
        if delivery.attempt < 20:
            raise TryLater("the database is away")

    await bus.publish(SOLVE_JOB, job("r1"), site="abay")
    async with consuming(bus, handler):
        await eventually(lambda: len(tries) == 20)
    assert tries == [(attempt, 1) for attempt in range(1, 21)]
    assert await letters_of(bus) == []


async def test_in_order_none_is_handled_before_the_one_ahead_of_it_is_done_with(bus: Bus) -> None:
    handled: list[str] = []

    async def handler(message: SolveJob, delivery: Delivery) -> None:
        handled.append(message.run_id)
        if message.run_id == "r1" and delivery.attempt == 1:
            raise KeyError("tried again")

    for run in ("r1", "r2"):
        await bus.publish(SOLVE_JOB, job(run), site="abay")
    async with in_background(bus.consume(SOLVE_JOB, handler, durable="ordered", in_order=True)):
        await eventually(lambda: len(handled) == 3)
    assert handled == ["r1", "r1", "r2"]


async def test_garbage_is_buried_and_what_follows_is_handled(bus: Bus) -> None:
    seen: list[str] = []

    async def handler(message: SolveJob, _delivery: Delivery) -> None:
        if message.run_id == "refused":
            raise Unacceptable("no such site")
        seen.append(message.run_id)

    await bus.publish_raw("jobs.solve.abay", b"\x00{not json", {})
    await bus.publish(SOLVE_JOB, job("refused"), site="abay")
    await bus.publish(SOLVE_JOB, job("good"), site="abay")
    async with consuming(bus, handler):
        await eventually(lambda: seen == ["good"])
    letters = await letters_of(bus)
    assert [letter.subject for letter in letters] == ["jobs.solve.abay", "jobs.solve.abay"]
    assert "not a SolveJob" in letters[0].reason
    assert letters[1].reason == "no such site"


async def test_publishing_without_a_server_is_an_error_and_works_again_afterwards(
    bus: Bus, nats_server: NatsServer
) -> None:
    seen: list[str] = []

    async def handler(message: SolveJob, _delivery: Delivery) -> None:
        seen.append(message.run_id)

    async with consuming(bus, handler):
        nats_server.stop()
        await eventually(lambda: not bus.is_connected)
        with pytest.raises(BusUnavailable, match="not connected"):
            await bus.publish(SOLVE_JOB, job("lost"), site="abay")
        nats_server.start()
        await eventually(lambda: bus.is_connected)
        await bus.publish(SOLVE_JOB, job("kept"), site="abay")
        await eventually(lambda: seen == ["kept"], timeout_s=20)


async def test_a_bus_in_the_background_is_there_before_its_server_and_hears_as_soon_as_that_is(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    seen: list[str] = []

    async def handler(message: SolveJob, _delivery: Delivery) -> None:
        seen.append(message.run_id)

    try:
        async with Bus.connect_in_background(server.url, "early") as early, consuming(early, handler):
            assert not early.is_connected
            with pytest.raises(BusUnavailable):
                await early.publish(SOLVE_JOB, job("too-early"), site="abay")
            server.start()
            await early.declare_streams()
            assert early.is_connected
            await early.publish(SOLVE_JOB, job("r1"), site="abay")
            await eventually(lambda: seen == ["r1"])
    finally:
        server.stop()


async def test_a_bus_that_never_found_its_server_can_be_left_at_any_moment(tmp_path: Path) -> None:
    url = NatsServer(tmp_path / "nats").url
    for turns in range(12):
        async with asyncio.timeout(5), Bus.connect_in_background(url, "alone") as alone:
            for _ in range(turns):
                await asyncio.sleep(0)
            assert not alone.is_connected


async def test_a_follower_starts_at_the_last_of_each_subject(bus: Bus) -> None:
    for site, mode in (("abay", ControlMode.OFF), ("abay", ControlMode.AUTO), ("other", ControlMode.MANUAL)):
        state = ControlState(site=site, at=datetime(2026, 2, 17, tzinfo=UTC), mode=mode, e_stop=False, resources=())
        await bus.publish(CONTROL_STATE, state, site=site)
    seen: list[tuple[str, str]] = []
    async for message, _delivery in bus.follow(CONTROL_STATE, deliver=Deliver.LAST_PER_SUBJECT):
        seen.append((message.site, message.mode))
        if len(seen) == 2:
            break
    assert seen == [("abay", "auto"), ("other", "manual")]


async def test_a_consumer_told_to_stop_ends_what_it_handles(bus: Bus) -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), []

    async def handler(message: SolveJob, _delivery: Delivery) -> None:
        begun.set()
        await go_on.wait()
        ended.append(message.run_id)

    await bus.publish(SOLVE_JOB, job("first"), site="abay")
    consumer = asyncio.create_task(bus.consume(SOLVE_JOB, handler, durable="workers"))
    await begun.wait()
    consumer.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert ended == ["first"]
    await bus.publish(SOLVE_JOB, job("second"), site="abay")
    async with consuming(bus, handler):
        await eventually(lambda: ended == ["first", "second"])


async def test_a_handler_that_does_not_end_gives_its_message_to_the_next_at_once(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.common.handling.DRAIN_S", 0.01)
    begun = asyncio.Event()

    async def endless(_message: SolveJob, _delivery: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    await bus.publish(SOLVE_JOB, job("first"), site="abay")
    consumer = asyncio.create_task(bus.consume(SOLVE_JOB, endless, durable="workers"))
    await begun.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    seen: list[tuple[str, int]] = []

    async def handler(message: SolveJob, delivery: Delivery) -> None:
        seen.append((message.run_id, delivery.attempt))

    async with consuming(bus, handler):
        await eventually(lambda: seen == [("first", 2)], timeout_s=5)


async def test_a_bus_that_is_away_can_be_left(nats_server: NatsServer) -> None:
    for _ in range(5):
        leaving = await Bus.connect(nats_server.url, "test")
        nats_server.stop()
        await leaving.close()
        assert not leaving.is_connected
        nats_server.start()


async def test_of_two_that_publish_after_the_same_message_one_is_taken(bus: Bus) -> None:
    def lease(gateway: str, epoch: int = 1) -> Lease:
        return Lease(site="abay", gateway=gateway, epoch=epoch, valid_s=3, orders=0)

    first = await bus.publish_after(LEASE, lease("a"), 0, site="abay")
    with pytest.raises(BusOvertaken, match="0 is not the newest"):
        await bus.publish_after(LEASE, lease("b"), 0, site="abay")
    second = await bus.publish_after(LEASE, lease("b", 2), first, site="abay")
    for last in (first, second + 1):
        with pytest.raises(BusOvertaken):
            await bus.publish_after(LEASE, lease("a", 3), last, site="abay")
    assert await bus.publish_after(LEASE, lease("a", 3), 0, site="elsewhere") > second
    async for kept, delivery in bus.follow(LEASE, deliver=Deliver.ALL, site="abay"):
        assert (kept.gateway, delivery.sequence) == ("b", second), "the newest alone is kept"
        break


async def test_who_publishes_after_another_is_told_that_the_bus_is_away(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.stop()
    message = Lease(site="abay", gateway="a", epoch=1, valid_s=3, orders=0)
    with pytest.raises(BusUnavailable):
        await bus.publish_after(LEASE, message, 0, timeout_s=0.5, site="abay")


def plan(submission_id: str) -> PlanSubmission:
    at = datetime(2026, 2, 17, 8, tzinfo=UTC)
    interval = PlanInterval(
        resource="OXPH",
        resource_type=ResourceType.TURBINE,
        interval_start=at,
        interval_end=at.replace(hour=9),
        targets=GenericTargets(target_type=TargetType.POWER, target_value=2.0),
    )
    return PlanSubmission(
        submission_id=submission_id, publisher="acme", site="abay", created_at=at, intervals=(interval,)
    )


async def waiting(bus: Bus) -> list[str]:
    return [each.submission_id for each in await stored(bus, PLAN_SUBMISSION)]


async def submit(bus: Bus, submission_id: str) -> None:
    await bus.publish(PLAN_SUBMISSION, plan(submission_id), publisher="acme", site="abay")


async def test_a_submission_is_kept_before_anybody_heard_one_and_until_all_who_hear_it_are_done(bus: Bus) -> None:
    handled: list[str] = []

    async def handler(message: PlanSubmission, _delivery: Delivery) -> None:
        handled.append(message.submission_id)

    await submit(bus, "s1")
    await bus.make_consumer(PLAN_SUBMISSION, durable="plans-acme", in_order=True, publisher="acme")
    async with in_background(bus.consume(PLAN_SUBMISSION, handler, durable="plans")):
        await eventually(lambda: handled == ["s1"])
    assert await waiting(bus) == ["s1"], "the other consumer has not had it"
    async with in_background(
        bus.consume(PLAN_SUBMISSION, handler, durable="plans-acme", in_order=True, publisher="acme")
    ):
        await eventually(lambda: handled == ["s1", "s1"])

    async def is_gone() -> bool:
        return await waiting(bus) == []

    await eventually(is_gone)


async def test_a_stream_of_the_release_before_keeps_what_waits_and_lets_go_what_was_handled(
    nats_server: NatsServer,
) -> None:
    async def handler(message: PlanSubmission, _delivery: Delivery) -> None:
        if message.submission_id == "s2":
            raise TryLater("the database is away")

    async with await Bus.connect(nats_server.url, "test") as bus:
        await bus._jetstream.add_stream(
            name="PLAN_SUBMISSIONS", subjects=["plans.submit.*.*"], max_age=7 * 86_400, max_bytes=1 << 30
        )
        for submission_id in ("s1", "s2", "s3"):
            await submit(bus, submission_id)

        async def waits_at_the_second() -> bool:
            told = await bus._jetstream.consumer_info("PLAN_SUBMISSIONS", "plans")
            return told.ack_floor is not None and told.ack_floor.stream_seq == 1

        async with in_background(bus.consume(PLAN_SUBMISSION, handler, durable="plans")):
            await eventually(lambda: _holds(waits_at_the_second))
        assert await waiting(bus) == ["s1", "s2", "s3"]
        for _ in range(2):
            await bus.declare_streams()
            assert await waiting(bus) == ["s2", "s3"]


async def _holds(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await condition()
    except NotFoundError:  # the consumer is not made yet
        return False


async def test_whose_backlog_is_full_is_told_and_nobody_s_message_goes_for_another(bus: Bus) -> None:
    most = PLAN_SUBMISSION.stream.max_per_subject if PLAN_SUBMISSION.stream else 0
    for number in range(most):
        await submit(bus, f"s{number}")
    with pytest.raises(BusUnavailable, match="maximum messages per subject exceeded"):
        await submit(bus, "one-too-many")
    with pytest.raises(BusUnavailable, match="message size exceeds maximum allowed"):
        await bus.publish_raw("plans.submit.rival.abay", b"x" * ((2 << 20) + 1), {})
    await bus.publish_raw("plans.submit.rival.abay", b"x" * (2 << 20), {})
    told = await bus._jetstream.stream_info("PLAN_SUBMISSIONS", subjects_filter="plans.submit.>")
    assert told.state.subjects == {"plans.submit.acme.abay": most, "plans.submit.rival.abay": 1}
    assert told.config.discard == "new"
