"""The bus: a thin layer over nats-py that publishes and hears the registry's messages.

Delivery is at least once; every message carries its id (Nats-Msg-Id) and its trace. What a consumer cannot handle goes
to the dead letters with the reason; nothing is dropped in silence.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import nats
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, PubAck, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from pydantic import ValidationError

from headworks.common.handling import (
    LINK_FAULTS,
    RETRY_S,
    Delivery,
    Handler,
    Transient,
    Unacceptable,
    delivery_of,
    drain,
    hold,
    never,
    until_it_can,
)
from headworks.common.messages import Message
from headworks.common.subjects import DEAD_LETTER_PREFIX, Stream, Subject, stream_subjects
from headworks.common.telemetry import outgoing_headers, span

M = TypeVar("M", bound=Message)
log = structlog.get_logger(__name__)

FETCH_S = 5.0
"""After a reconnect an outstanding pull is lost until this time-out, so it is short."""
PUBLISH_S = 5.0
WRONG_LAST_SEQUENCE = {10071, 10164}
"""The server's words for: the newest message of the subject is another."""
LEAVE_S = 5.0


class BusUnavailable(Exception):
    """A publish was not confirmed: the bus is away, or it refuses this publisher."""


class BusRefused(BusUnavailable):
    """The server does not let this client publish there."""


class BusOvertaken(Exception):
    """A publish came after another one that it did not know of."""


class Deliver(StrEnum):
    """Where a new consumer starts in its stream."""

    ALL = "all"
    NEW = "new"
    LAST_PER_SUBJECT = "last_per_subject"


class Refusals:
    """The server refuses a publish in a message of its own; the publish itself would only run into its time-out."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def note(self, error: str) -> None:
        """Learn of an error of the server; the client library has lowered its letters."""
        found = re.search(r'permissions violation for publish to "(.+)"', error)
        for refusal in self._waiting.get(found.group(1), ()) if found else ():
            if not refusal.done():
                refusal.set_result(None)

    async def unless_refused(self, name: str, publishing: Awaitable[PubAck]) -> None:
        """Wait for a publish. Raises BusRefused as soon as it is refused."""
        refusal = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(name.lower(), set())
        waiting.add(refusal)
        work = asyncio.ensure_future(publishing)
        try:
            await asyncio.wait({work, refusal}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise BusRefused(f"{name}: the server does not let this client publish there")
            work.result()
        finally:
            work.cancel()
            waiting.discard(refusal)
            if not waiting:
                self._waiting.pop(name.lower(), None)


class Bus:
    """A connection to NATS. Use `async with Bus.connect(...) as bus`."""

    def __init__(self, client: Client, name: str, refusals: "Refusals | None" = None) -> None:
        self._client = client
        self._refusals = refusals or Refusals()
        self._jetstream: JetStreamContext = client.jetstream(timeout=PUBLISH_S)
        self._name = name
        self._connecting: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, name: str, seed_file: Path | None = None) -> "Bus":
        """Connect for good: it waits for the server, and reconnects without end."""
        bus = cls.connect_in_background(url, name, seed_file)
        try:
            await bus.until_connected()
        except BaseException:
            await bus.close()
            raise
        return bus

    @classmethod
    def connect_in_background(cls, url: str, name: str, seed_file: Path | None = None) -> "Bus":
        """The bus at once, for who can do without: until its server is there, publishing raises BusUnavailable."""
        client, refusals = Client(), Refusals()
        bus = cls(client, name, refusals)

        async def on_error(error: Exception) -> None:
            log.warning("bus error", error=str(error))
            refusals.note(str(error))

        connecting = client.connect(
            url,
            name=name,
            inbox_prefix=f"_INBOX_{name}".encode(),
            nkeys_seed_str=seed_file.read_text().strip() if seed_file else None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,  # type: ignore[arg-type]  # it is slept for: half a second is as good as one
            connect_timeout=5,
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=on_error,
        )
        bus._connecting = asyncio.create_task(connecting)
        return bus

    async def until_connected(self) -> None:
        """Wait for the first connection. Raises what makes it impossible, such as a seed that is none."""
        if self._connecting is not None:
            await asyncio.shield(self._connecting)

    async def __aenter__(self) -> "Bus":
        return self

    async def __aexit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Send what is buffered and leave."""
        if self._connecting is not None and not self._connecting.done():
            while not self._connecting.done():  # a refused connection may swallow one cancellation
                self._connecting.cancel()
                await asyncio.wait({self._connecting}, timeout=0.1)
            with contextlib.suppress(AssertionError):  # there is nothing to close where connecting had not begun
                await self._client.close()
            return
        # In a task of its own: a link that breaks in this very moment cancels whoever waits in the client.
        leaving = asyncio.create_task(self._leave())
        await asyncio.wait({leaving}, timeout=LEAVE_S)
        if not leaving.done():
            leaving.cancel()
            await asyncio.wait({leaving})
        if not leaving.cancelled():
            leaving.result()

    async def _leave(self) -> None:
        with contextlib.suppress(*LINK_FAULTS):
            await self._client.drain()
        if not self._client.is_closed:
            with contextlib.suppress(*LINK_FAULTS):
                await self._client.close()

    @property
    def is_connected(self) -> bool:
        """Whether the server is there now."""
        return self._client.is_connected

    async def declare_streams(self) -> None:
        """Make the registry's streams, or bring them up to date."""
        await self.until_connected()
        for stream, subjects in stream_subjects().items():
            config = _stream_config(stream, subjects)
            try:
                await self._jetstream.update_stream(config)
            except nats.js.errors.NotFoundError:
                await self._jetstream.add_stream(config)

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

    async def publish_raw(self, name: str, body: bytes, headers: dict[str, str], *, in_stream: bool = True) -> None:
        """Publish bytes on a subject's name. Raises BusUnavailable when it is not confirmed, BusRefused when not allowed."""
        if not self._client.is_connected:
            raise BusUnavailable(f"{name}: not connected to the bus")
        try:
            if in_stream:
                publishing = self._jetstream.publish(name, body, timeout=PUBLISH_S, headers=headers or None)
                await self._refusals.unless_refused(name, publishing)
            else:
                await self._client.publish(name, body, headers=headers or None)
        except LINK_FAULTS as error:
            raise BusUnavailable(f"{name}: not confirmed, the bus is away or refuses us ({error!r})") from error

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
            raise BusUnavailable(f"{subject.at(**parts)}: {error!r}") from error
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
        transient: Transient = never,
        in_order: bool = False,
        **parts: str,
    ) -> None:
        """Hear a subject for ever, one message at a time; run it as a task. Restarts go on where the durable left off.

        A message is tried `max_attempts` times. While a handler raises an error that `transient` says time can mend (or
        OSError, TryLater), the message is held and tried again without a limit; those tries count in `Delivery.attempt` alone.
        Told to stop, a handler may come to its end within DRAIN_S; else its message goes to the next consumer at once.
        With `in_order` no message is handled before the one ahead of it is done with, even where that is tried again.
        """
        if subject.stream is None:
            raise ValueError(f"{subject.pattern} is in no stream; use listen()")
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=subject.filter(**parts),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=-1,
            max_ack_pending=1 if in_order else 100,
            deliver_policy=DeliverPolicy(deliver.value),
        )
        await self.until_connected()
        while True:
            try:
                pull = await self._jetstream.pull_subscribe(
                    config.filter_subject or "", durable=durable, stream=subject.stream.name, config=config
                )
                await self._work(pull, subject, handler, max_attempts, transient)
            except LINK_FAULTS as error:
                log.warning("consumer starts again", durable=durable, error=repr(error))
                await asyncio.sleep(RETRY_S)

    async def _work(
        self,
        pull: JetStreamContext.PullSubscription,
        subject: Subject[M],
        handler: Handler[M],
        max_attempts: int,
        transient: Transient,
    ) -> None:
        try:
            while True:
                try:
                    fetched = await pull.fetch(1, timeout=FETCH_S)
                except (TimeoutError, nats.errors.TimeoutError):
                    continue
                for raw in fetched:
                    await self._handle(raw, subject, handler, max_attempts, transient)
        finally:
            with contextlib.suppress(*LINK_FAULTS):
                await pull.unsubscribe()

    async def _handle(
        self,
        raw: Msg,
        subject: Subject[M],
        handler: Handler[M],
        max_attempts: int,
        transient: Transient,
    ) -> None:
        delivery = delivery_of(raw)
        if delivery.attempt > max_attempts:
            await self._bury(raw, f"given up after {max_attempts} tries that ended without an answer")
            return
        try:
            message = subject.message.model_validate_json(raw.data)
        except ValidationError as error:
            await self._bury(raw, f"not a {subject.message.__name__}: {error}")
            return
        keep_alive = asyncio.create_task(hold(raw))
        with span(f"handle {subject.pattern}", raw.headers):
            work = asyncio.create_task(until_it_can(handler, message, delivery, transient))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await drain(raw, work)
            raise
        except Unacceptable as refusal:
            await self._bury(raw, str(refusal))
        except Exception as error:  # whatever a handler raises, the message comes again, then is kept
            log.exception("handler failed", subject=raw.subject, attempt=delivery.attempt)
            if delivery.attempt >= max_attempts:
                await self._bury(raw, repr(error))
            else:
                await raw.nak(delay=RETRY_S)
        else:
            await raw.ack()
        finally:
            keep_alive.cancel()

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
        self, subject: Subject[M], *, deliver: Deliver = Deliver.NEW, **parts: str
    ) -> AsyncIterator[tuple[M, Delivery]]:
        """Messages as they come, for watchers that keep no place; goes on after an outage from the last one seen."""
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

    async def answer(self, name: str, answering: Callable[[bytes], Awaitable[bytes | None]]) -> None:
        """Answer the raw requests on a subject for ever; run it as a task. Of several answerers of one name one gets each.

        None leaves a request without an answer. A fault of the answering is logged, and the next request is taken.
        """
        await self.until_connected()
        subscription = await self._client.subscribe(name, queue=self._name)
        try:
            async for raw in subscription.messages:
                try:
                    answered = await answering(raw.data)
                    if answered is not None:
                        await raw.respond(answered)
                except Exception:  # one request that cannot be answered must not keep the others from theirs
                    log.exception("request not answered", subject=name)
        finally:
            with contextlib.suppress(*LINK_FAULTS):
                await subscription.unsubscribe()

    async def ask(self, name: str, body: bytes, *, within_s: float) -> AsyncIterator[bytes]:
        """Every answer to a raw request that comes in time, as it comes: one of each server of a cluster, say.

        Raises BusUnavailable while not connected.
        """
        if not self._client.is_connected:
            raise BusUnavailable(f"{name}: not connected to the bus")
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        deadline = asyncio.get_running_loop().time() + within_s
        try:
            await self._client.publish(name, body, reply=inbox)
            while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
                try:
                    yield (await subscription.next_msg(timeout=left_s)).data
                except nats.errors.TimeoutError:
                    return
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
        duplicate_window=stream.duplicate_window.total_seconds(),
    )
