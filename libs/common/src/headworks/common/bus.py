"""The bus: a thin layer over nats-py that publishes and hears the registry's messages.

Delivery is at least once; every message carries its id (Nats-Msg-Id) and its trace. What a consumer cannot handle goes
to the dead letters with the reason; nothing is dropped in silence.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import TypeVar

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.client import JetStreamContext
from pydantic import ValidationError

from headworks.common.handling import RETRY_S, Delivery, Handler, Unreadable, delivery_of, handle
from headworks.common.link import LINK_FAULTS, PUBLISH_S, BusUnavailable, Link, said
from headworks.common.messages import Message
from headworks.common.subjects import DEAD_LETTER_PREFIX, Stream, Subject, stream_subjects
from headworks.common.tasks import end_if_cancelled
from headworks.common.telemetry import outgoing_headers, span

M = TypeVar("M", bound=Message)
log = structlog.get_logger(__name__)

FETCH_S = 5.0
"""After a reconnect an outstanding pull is lost until this time-out, so it is short."""
WRONG_LAST_SEQUENCE = {10071, 10164}
"""The server's words for: the newest message of the subject is another."""


class BusOvertaken(Exception):
    """A publish came after another one that it did not know of."""


class Deliver(StrEnum):
    """Where a new consumer starts in its stream."""

    ALL = "all"
    NEW = "new"
    LAST_PER_SUBJECT = "last_per_subject"


class Bus(Link):
    """A link that carries the registry's messages. Use `async with Bus.connect(...) as bus`."""

    async def declare_streams(self) -> None:
        """Make the registry's streams, or bring them up to date."""
        await self.until_connected()
        for stream, subjects in stream_subjects().items():
            config = _stream_config(stream, subjects)
            if stream.kept_for is not None:
                await self._keep_for(stream.kept_for, config)
            try:
                await self._jetstream.update_stream(config)
            except nats.js.errors.NotFoundError:
                await self._jetstream.add_stream(config)

    async def _keep_for(self, durable: str, config: StreamConfig) -> None:
        """Make a stream's consumer before it is a stream by interest: not one message may come while it keeps none."""
        assert config.name is not None
        assert config.subjects is not None
        [heard] = config.subjects
        consumer = _consumer_config(durable, heard)
        try:
            await self._jetstream.add_consumer(config.name, consumer)
        except nats.js.errors.NotFoundError:
            await self._jetstream.add_stream(config.evolve(retention=RetentionPolicy.LIMITS))
            await self._jetstream.add_consumer(config.name, consumer)

    async def publish(self, subject: Subject[M], message: M, *, message_id: str | None = None, **parts: str) -> None:
        """Publish and wait until the stream has it. Raises BusUnavailable.

        With a `message_id`, publishing again within the stream's window stores it once.
        """
        with span(f"publish {subject.pattern}"):
            headers = outgoing_headers() | ({"Nats-Msg-Id": message_id} if message_id else {})
            await self.publish_raw(
                subject.at(**parts),
                message.model_dump_json().encode(),
                headers,
                in_stream=subject.stream is not None,
            )

    async def publish_after(
        self, subject: Subject[M], message: M, last: int | None, *, timeout_s: float = PUBLISH_S, **parts: str
    ) -> int:
        """Publish if the subject's newest message stands at `last` (0: there is none; None: anywhere). The place it then has.

        Raises BusOvertaken when another message is the newest, BusUnavailable when it is not confirmed in time: then it may
        have arrived all the same.
        """
        if not self._client.is_connected:
            raise BusUnavailable(f"{subject.at(**parts)}: not connected to the bus")
        headers = None if last is None else {"Nats-Expected-Last-Subject-Sequence": str(last)}
        body = message.model_dump_json().encode()
        try:
            async with asyncio.timeout(timeout_s):
                stored = await self._jetstream.publish(subject.at(**parts), body, timeout=timeout_s, headers=headers)
        except nats.js.errors.APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise BusOvertaken(f"{subject.at(**parts)}: {last} is not the newest") from error
            raise BusUnavailable(f"{subject.at(**parts)}: {said(error)}") from error
        except LINK_FAULTS as error:
            raise BusUnavailable(f"{subject.at(**parts)}: not confirmed ({error!r})") from error
        return stored.seq

    async def consume(
        self,
        subject: Subject[M],
        handler: Handler[M],
        *,
        durable: str,
        deliver: Deliver = Deliver.ALL,
        max_attempts: int = 5,
        ack_wait_s: float = 30,
        in_order: bool = False,
        unreadable: Unreadable | None = None,
        **parts: str,
    ) -> None:
        """Hear a subject for ever, one message at a time; run it as a task. Restarts go on where the durable left off.

        A message is tried `max_attempts` times. While a handler raises an error that time can mend (`handling.PASSING`), the
        message is held and tried again without a limit; those tries count in `Delivery.attempt` alone.
        Told to stop, a handler may come to its end within DRAIN_S; else its message goes to the next consumer at once.
        With `in_order` no message is handled before the one ahead of it is done with, even where that is tried again.
        What is no message of the subject goes to `unreadable`, as others to the handler; without one to the dead letters.
        """
        if subject.stream is None:
            raise ValueError(f"{subject.pattern} is in no stream; use listen()")
        config = _consumer_config(durable, subject.filter(**parts), deliver, ack_wait_s, in_order=in_order)
        await self.until_connected()
        while True:
            try:
                pull = await self._jetstream.pull_subscribe(
                    config.filter_subject or "", durable=durable, stream=subject.stream.name, config=config
                )
                await self._work(pull, subject, handler, max_attempts, unreadable)
            except (
                *LINK_FAULTS,
                BusUnavailable,
            ) as error:  # the latter where a message could not be buried: it comes again
                log.warning("consumer starts again", durable=durable, error=repr(error))
                await asyncio.sleep(RETRY_S)

    async def make_consumer(self, subject: Subject[M], *, durable: str, in_order: bool = False, **parts: str) -> None:
        """Make a durable consumer that `consume` then works for, if there is none: what comes from now on is kept for it.

        Raises BusUnavailable.
        """
        assert subject.stream is not None
        config = _consumer_config(durable, subject.filter(**parts), in_order=in_order)
        try:
            await self._jetstream.add_consumer(subject.stream.name, config)
        except LINK_FAULTS as error:
            raise BusUnavailable(f"consumer {durable} not made: {said(error)}") from error

    async def _work(
        self,
        pull: JetStreamContext.PullSubscription,
        subject: Subject[M],
        handler: Handler[M],
        max_attempts: int,
        unreadable: Unreadable | None,
    ) -> None:
        try:
            while True:
                end_if_cancelled()
                try:
                    fetched = await pull.fetch(1, timeout=FETCH_S)
                except (TimeoutError, nats.errors.TimeoutError):
                    continue
                for raw in fetched:
                    await handle(raw, subject, handler, max_attempts, self._bury, unreadable)
        finally:
            with contextlib.suppress(*LINK_FAULTS):
                await pull.unsubscribe()

    async def _bury(self, raw: Msg, reason: str) -> None:
        """Copy the message to the dead letters with the reason, once for all consumers of this client, then end its delivery."""
        log.error("message buried", subject=raw.subject, reason=reason)
        headers = {
            "Headworks-Subject": raw.subject,
            "Headworks-Reason": " ".join(reason.split())[:1000],
            "Headworks-Consumer": self._name,
            "Nats-Msg-Id": f"dead:{raw.metadata.stream}:{raw.metadata.sequence.stream}:{self._name}",
        }
        await self.publish_raw(f"{DEAD_LETTER_PREFIX}.{raw.subject}", raw.data, headers)
        await raw.term()

    async def follow(
        self,
        subject: Subject[M],
        *,
        deliver: Deliver = Deliver.NEW,
        passed_over: Callable[[Delivery], None] = lambda _delivery: None,
        **parts: str,
    ) -> AsyncIterator[tuple[M, Delivery]]:
        """Messages as they come, for watchers that keep no place; goes on after an outage from the last one seen.

        What cannot be read is logged, told to `passed_over`, and left out.
        """
        if subject.stream is None:
            raise ValueError(f"{subject.pattern} is in no stream; use listen()")
        last_sequence: int | None = None
        await self.until_connected()
        while True:
            try:
                async for raw in self._ephemeral(subject, deliver, last_sequence, parts):
                    delivery = delivery_of(raw)
                    last_sequence = delivery.sequence
                    try:
                        message = subject.message.model_validate_json(raw.data)
                    except ValidationError as error:
                        log.warning("message passed over", subject=raw.subject, error=str(error))
                        passed_over(delivery)
                        continue
                    yield message, delivery
            except nats.js.errors.BadRequestError:
                raise
            except LINK_FAULTS as error:
                log.warning("follower starts again", subject=subject.pattern, error=repr(error))
                await asyncio.sleep(RETRY_S)

    async def _ephemeral(
        self, subject: Subject[M], deliver: Deliver, last_sequence: int | None, parts: dict[str, str]
    ) -> AsyncIterator[Msg]:
        assert subject.stream is not None
        config = ConsumerConfig(
            # With a name the filter stands in the API's subject, where the server's permissions see it.
            name=f"{self._name}-{secrets.token_hex(8)}",
            filter_subject=subject.filter(**parts),
            ack_policy=AckPolicy.NONE,
            inactive_threshold=30,
            deliver_policy=DeliverPolicy(deliver.value),
        )
        if last_sequence is not None:
            config.deliver_policy, config.opt_start_seq = DeliverPolicy.BY_START_SEQUENCE, last_sequence + 1
        info = await self._jetstream.add_consumer(subject.stream.name, config)
        pull = await self._jetstream.pull_subscribe_bind(info.name, stream=subject.stream.name)
        try:
            while True:
                try:
                    fetched = await pull.fetch(100, timeout=FETCH_S)
                except (TimeoutError, nats.errors.TimeoutError):
                    await pull.consumer_info()
                    continue
                for raw in fetched:
                    yield raw
        finally:
            with contextlib.suppress(*LINK_FAULTS):
                await pull.unsubscribe()

    async def listen(self, subject: Subject[M], **parts: str) -> AsyncIterator[M]:
        """Messages of a subject that is in no stream, while we listen."""
        await self.until_connected()
        subscription = await self._client.subscribe(subject.filter(**parts))
        try:
            async for raw in subscription.messages:
                try:
                    yield subject.message.model_validate_json(raw.data)
                except ValidationError as error:
                    log.warning("message passed over", subject=raw.subject, error=str(error))
        finally:
            with contextlib.suppress(*LINK_FAULTS):
                await subscription.unsubscribe()


def _stream_config(stream: Stream, subjects: list[str]) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        description=stream.description,
        subjects=subjects,
        retention=RetentionPolicy(stream.retention.value),
        storage=StorageType.FILE,
        max_age=stream.max_age.total_seconds(),
        max_bytes=stream.max_bytes,
        max_msgs_per_subject=stream.max_per_subject,
        max_msg_size=stream.max_message_bytes,
        discard=DiscardPolicy.NEW if stream.refuses_when_full else DiscardPolicy.OLD,
        discard_new_per_subject=stream.refuses_when_full and stream.max_per_subject > 0,
        duplicate_window=stream.duplicate_window.total_seconds(),
    )


def _consumer_config(
    durable: str, heard: str, deliver: Deliver = Deliver.ALL, ack_wait_s: float = 30, *, in_order: bool = False
) -> ConsumerConfig:
    return ConsumerConfig(
        name=durable,
        durable_name=durable,
        filter_subject=heard,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait_s,
        max_deliver=-1,
        max_ack_pending=1 if in_order else 100,
        deliver_policy=DeliverPolicy(deliver.value),
    )
