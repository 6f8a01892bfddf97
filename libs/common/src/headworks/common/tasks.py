"""Tasks: jobs that run beside others, a wait that loses no cancellation, and an end that is one.

Python 3.11's `asyncio.wait_for` can lose a cancellation that comes together with its outcome, and libraries use it. A task
group cancels its tasks once only, so what runs for ever runs `together` instead. Where a loop waits on such a library, it asks
`end_if_cancelled` after each turn: else it goes on until it is cancelled again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

CANCEL_AGAIN_S = 6.0
"""Longer than a consumer needs to end what it handles."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel until all have ended, even when cancelled meanwhile. What they raised stays in them."""
    cancelled: asyncio.CancelledError | None = None
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        try:
            await asyncio.wait(waiting, timeout=CANCEL_AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def together(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs until all are done. The first that fails ends the others, as a cancellation does; raises what it raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await end(*tasks)
    _raise_first(tasks)


def end_if_cancelled() -> None:
    """Raise the cancellation of this task that a library lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextlib.asynccontextmanager
async def in_background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run jobs while the body runs, then end them. Raises what one of them raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        await end(*tasks)
    _raise_first(tasks)


def _raise_first(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if not task.cancelled():
            task.result()


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
