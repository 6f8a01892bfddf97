"""The link to the NATS server: how it comes, comes back and ends, and when a publish counts as confirmed. It carries bytes.

What the bytes say is for the bus.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.client import JetStreamContext

log = structlog.get_logger(__name__)

LINK_FAULTS = (nats.errors.Error, nats.js.errors.Error, OSError, asyncio.TimeoutError)
PUBLISH_S = 5.0
LEAVE_S = 5.0


class BusUnavailable(Exception):
    """A publish was not confirmed: the bus is away, or it refuses this publisher."""


class BusRefused(BusUnavailable):
    """The server does not let this client publish there."""


def said(error: Exception) -> str:
    """What a fault of the bus tells; of a stream's refusal its own words, which its repr leaves out."""
    told = getattr(error, "description", None)
    return repr(error) if told is None else f"{type(error).__name__}: {told}"


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


class Link:
    """A connection to NATS. Use `async with Link.connect(...) as link`."""

    def __init__(self, client: Client, name: str, refusals: Refusals | None = None) -> None:
        self._client = client
        self._refusals = refusals or Refusals()
        self._jetstream: JetStreamContext = client.jetstream(timeout=PUBLISH_S)
        self._name = name
        self._connecting: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, name: str, seed_file: Path | None = None) -> Self:
        """Connect for good: it waits for the server, and reconnects without end."""
        link = cls.connect_in_background(url, name, seed_file)
        try:
            await link.until_connected()
        except BaseException:
            await link.close()
            raise
        return link

    @classmethod
    def connect_in_background(cls, url: str, name: str, seed_file: Path | None = None) -> Self:
        """The link at once, for who can do without: until its server is there, publishing raises BusUnavailable."""
        client, refusals = Client(), Refusals()
        link = cls(client, name, refusals)

        async def on_error(error: Exception) -> None:
            log.warning("bus error", error=str(error))
            refusals.note(str(error))

        connecting = client.connect(
            url,
            name=name,
            inbox_prefix=f"_INBOX_{name}".encode(),
            nkeys_seed_str=seed_file.read_text().strip() if seed_file else None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,  # type: ignore[arg-type]  # nats-py says int, and only sleeps for it
            connect_timeout=5,
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=on_error,
        )
        link._connecting = asyncio.create_task(connecting)
        return link

    async def until_connected(self) -> None:
        """Wait for the first connection. Raises what makes it impossible, such as a seed that is none."""
        if self._connecting is not None:
            await asyncio.shield(self._connecting)

    async def __aenter__(self) -> Self:
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
            raise BusUnavailable(f"{name}: not confirmed, the bus is away or refuses us ({said(error)})") from error

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
