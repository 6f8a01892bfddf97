"""How a message is handled: what a handler may answer, tries while something is away, and an orderly end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from nats.aio.msg import Msg
from pydantic import ValidationError

from headworks.common.database import DatabaseUnavailable
from headworks.common.link import LINK_FAULTS
from headworks.common.messages import Message
from headworks.common.subjects import Subject
from headworks.common.telemetry import span

M = TypeVar("M", bound=Message)
log = structlog.get_logger(__name__)

RETRY_S = 1.0
IN_PROGRESS_S = 10.0
DRAIN_S = 5.0
"""How long a handler may go on when its consumer is told to stop."""


class Unacceptable(Exception):
    """Raised by a handler: this message can never be handled, and why. It goes to the dead letters."""


class TryLater(Exception):
    """Raised by a handler: something it needs is away; time can mend it. The handler is called again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message came: its subject, its place in the stream, and which try of its handler this is (from 1).

    `deliveries` leaves out the tries within one delivery, so it grows only when a handler or its process failed.
    """

    subject: str
    message_id: str
    sequence: int
    attempt: int
    published_at: datetime
    deliveries: int = 1


Handler = Callable[[M, Delivery], Awaitable[None]]
Unreadable = Callable[[bytes, ValidationError, Delivery], Awaitable[None]]
"""What is done about a message that is none of its subject's. Raises Unacceptable to have it among the dead letters."""
Work = Callable[[Delivery], Awaitable[None]]
PASSING = (TryLater, DatabaseUnavailable, OSError)
"""A handler's errors that time can mend."""
Bury = Callable[[Msg, str], Awaitable[None]]
"""Keeps a message that cannot be handled, with the reason, and ends its delivery."""


async def handle(
    raw: Msg,
    subject: Subject[M],
    handler: Handler[M],
    max_attempts: int,
    bury: Bury,
    unreadable: Unreadable | None = None,
) -> None:
    """Handle a message that came, and tell the server how it ended: done, again later, or buried with the reason."""
    delivery = delivery_of(raw)
    if delivery.attempt > max_attempts:
        await bury(raw, f"given up after {max_attempts} tries that ended without an answer")
        return
    keep_alive = asyncio.create_task(hold(raw))
    with span(f"handle {subject.pattern}", raw.headers):
        work = asyncio.create_task(until_it_can(_work(raw, subject, handler, unreadable), delivery))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await drain(raw, work)
        raise
    except Unacceptable as refusal:
        await bury(raw, str(refusal))
    except Exception as error:  # whatever a handler raises, the message comes again, then is kept
        log.exception("handler failed", subject=raw.subject, attempt=delivery.attempt)
        if delivery.attempt >= max_attempts:
            await bury(raw, repr(error))
        else:
            await raw.nak(delay=RETRY_S)
    else:
        await raw.ack()
    finally:
        keep_alive.cancel()


def _work(raw: Msg, subject: Subject[M], handler: Handler[M], unreadable: Unreadable | None) -> Work:
    """What is to be done about a message: its handler's work, or that of one that cannot be read."""
    try:
        message = subject.message.model_validate_json(raw.data)
    except ValidationError as error:
        return partial(unreadable or _give_up(subject), raw.data, error)
    return partial(handler, message)


def _give_up(subject: Subject[M]) -> Unreadable:
    async def give_up(_data: bytes, error: ValidationError, _delivery: Delivery) -> None:
        raise not_readable(subject, error)

    return give_up


def not_readable(subject: Subject[M], error: ValidationError) -> Unacceptable:
    """Why a message is none of its subject's, for the dead letters."""
    return Unacceptable(f"not a {subject.message.__name__}: {error}")


async def drain(raw: Msg, work: asyncio.Task[None]) -> None:
    """Let a handler come to its end, and say so; one that takes longer gives its message back."""
    done, _ = await asyncio.wait({work}, timeout=DRAIN_S)
    if not done:
        work.cancel()
        await asyncio.wait({work})
    with contextlib.suppress(*LINK_FAULTS):
        if work.cancelled() or work.exception() is not None:
            await raw.nak()
        else:
            await raw.ack()


def delivery_of(raw: Msg) -> Delivery:
    """How a message of the server came."""
    meta = raw.metadata
    headers = raw.headers or {}
    message_id = headers.get("Nats-Msg-Id") or f"{meta.stream}:{meta.sequence.stream}"
    deliveries = meta.num_delivered
    return Delivery(raw.subject, message_id, meta.sequence.stream, deliveries, meta.timestamp, deliveries)


async def until_it_can(work: Work, delivery: Delivery) -> None:
    """Do the work again while what it needs is away. The message is held, so that an outage uses up no delivery."""
    tries = 0
    while True:
        try:
            return await work(replace(delivery, attempt=delivery.attempt + tries))
        except PASSING as error:
            tries += 1
            log.warning("handler tries later", subject=delivery.subject, tries=tries, error=repr(error))
            await asyncio.sleep(RETRY_S)


async def hold(raw: Msg) -> None:
    """Hold a message while its handler works, so that it is not given to another."""
    while True:
        await asyncio.sleep(IN_PROGRESS_S)
        with contextlib.suppress(*LINK_FAULTS):
            await raw.in_progress()
