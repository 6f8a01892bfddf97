"""Tasks end when told to, whatever a library does with a cancellation, and what they raised is heard."""

import asyncio
import time

import pytest

from headworks.common import tasks
from headworks.common.tasks import end, end_if_cancelled, in_background, together, wait_at_most


async def loses_one_cancellation() -> None:
    """As Python 3.11's wait_for does when its wait is over in the same moment."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def test_a_lost_cancellation_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_S", 0.01)
    task = asyncio.create_task(loses_one_cancellation())
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()


async def test_a_loop_that_asks_hears_of_a_cancellation_that_a_library_lost() -> None:
    turns = []

    async def job(answer: asyncio.Future[None]) -> None:
        for _ in range(2):
            end_if_cancelled()
            await asyncio.wait_for(answer, timeout=60)
            turns.append("whole")

    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(job(answer))
    await asyncio.sleep(0)
    answer.set_result(None)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert len(turns) <= 1, "Python 3.11 loses it, 3.12 does not"


async def test_what_a_job_raised_is_heard() -> None:
    async def fails() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        async with in_background(fails(), loses_nothing()):
            await asyncio.sleep(0.01)


async def test_jobs_together_end_whatever_they_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_S", 0.01)
    ended = []

    async def job() -> None:
        try:
            await loses_one_cancellation()
        finally:
            ended.append("job")

    running = asyncio.create_task(together(job(), job()))
    await asyncio.sleep(0.01)
    await end(running)
    assert running.cancelled()
    assert ended == ["job", "job"]


async def test_jobs_together_end_with_the_first_that_fails() -> None:
    others = []

    async def fails() -> None:
        raise RuntimeError("broken")

    async def other() -> None:
        try:
            await loses_nothing()
        finally:
            others.append("ended")

    with pytest.raises(RuntimeError, match="broken"):
        await together(other(), fails())
    assert others == ["ended"]


async def test_jobs_together_are_awaited() -> None:
    done = []

    async def job(after_s: float) -> None:
        await asyncio.sleep(after_s)
        done.append(after_s)

    await together(job(0.3), job(0.01))
    assert done == [0.01, 0.3]


async def loses_nothing() -> None:
    await asyncio.Event().wait()


async def test_a_wait_ends_with_its_event_or_its_time() -> None:
    event = asyncio.Event()
    began_s = time.monotonic()
    await wait_at_most(event, 0.05)
    assert time.monotonic() - began_s >= 0.04
    event.set()
    await wait_at_most(event, 60.0)
    assert time.monotonic() - began_s < 30


async def test_a_cancellation_that_comes_with_the_event_is_kept() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait_at_most(event, 60.0))
    await asyncio.sleep(0)
    event.set()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
