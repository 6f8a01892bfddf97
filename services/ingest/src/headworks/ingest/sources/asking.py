"""One question to a source over HTTP: tried again where time can mend it, bounded in size and time, every fault by name."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import stamina

from headworks.common.client import UNANSWERED
from headworks.ingest.sources.fault import SourceFault, Unreachable

MENDABLE = frozenset({429, 502, 503, 504})
ATTEMPTS = 3
LONGEST_WAIT_S = 5.0
TOTAL_S = 60.0
MAX_REPLY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What a source answered, whatever its status."""

    who: str
    status: int
    content_type: str
    content: bytes

    def json(self) -> Any:
        """The content as JSON. Raises SourceFault."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise SourceFault(f"{self.who} answered {self.status} with what is no JSON: {self.start!r}") from error

    @property
    def start(self) -> str:
        """How the content begins, for people."""
        return self.content[:200].decode(errors="replace")


class _Busy(Exception):
    """The source says that it cannot now; `wait_s` when it says for how long."""

    def __init__(self, reply: Reply, wait_s: float | None) -> None:
        super().__init__(f"{reply.who} answered {reply.status}")
        self.reply, self.wait_s = reply, wait_s


async def ask(client: httpx.AsyncClient, request: httpx.Request, who: str) -> Reply:
    """The answer; asked again, thrice in all, while the source is busy or cuts the line. Raises SourceFault."""
    try:
        async for attempt in stamina.retry_context(
            on=_pause, attempts=ATTEMPTS, timeout=TOTAL_S, wait_initial=0.05, wait_max=1.0, wait_jitter=0.1
        ):
            with attempt:
                return await _once(client, request, who)
    except _Busy as busy:
        return busy.reply
    except UNANSWERED as error:
        raise Unreachable(f"{who} does not answer: {error!r}") from error
    raise AssertionError("a retry ends with an answer or an error")


def _pause(error: Exception) -> bool | float:
    """Whether time can mend it; the wait in seconds where the source asks for one. A time-out was long enough."""
    if isinstance(error, _Busy):
        return True if error.wait_s is None else min(error.wait_s, LONGEST_WAIT_S)
    return isinstance(error, httpx.ConnectError | httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError)


async def _once(client: httpx.AsyncClient, request: httpx.Request, who: str) -> Reply:
    async with asyncio.timeout(TOTAL_S):
        response = await client.send(request, stream=True)
        try:
            content = await _bounded(response, who)
        finally:
            await response.aclose()
    reply = Reply(who, response.status_code, response.headers.get("content-type", ""), content)
    if reply.status in MENDABLE:
        wait = response.headers.get("retry-after", "")
        raise _Busy(reply, float(wait) if wait.isdecimal() else None)
    return reply


async def _bounded(response: httpx.Response, who: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_REPLY_BYTES:
            raise SourceFault(f"{who} answered with more than {MAX_REPLY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
