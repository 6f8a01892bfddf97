"""What the tests of a worker share, whatever kind of site it solves: the queue, its ends, and what the bus then has."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from headworks.common.dead_letters import dead_letters
from headworks.common.handling import Delivery
from headworks.common.messages import Message
from headworks.common.subjects import SOLVE_JOB, Subject
from headworks.common.tasks import in_background
from headworks.common.testing import eventually, stored
from headworks.optimizer.store import Run, RunStore
from headworks.optimizer.worker import MAX_DELIVERIES, Worker

M = TypeVar("M", bound=Message)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """The worker on the queue, as main.py puts it there."""
    consuming = worker.bus.consume(SOLVE_JOB, worker.on_job, durable="workers", max_attempts=MAX_DELIVERIES + 1)
    async with in_background(consuming):
        yield


async def end_of(store: RunStore, run_id: str = "abay-1") -> Run:
    """The run, once it has ended."""
    found: list[Run] = []

    async def over() -> bool:
        run = await store.find(run_id)
        found[:] = [run] if run is not None and run.finished_at is not None else []
        return bool(found)

    await eventually(over, timeout_s=60)
    return found[0]


async def heard(worker: Worker, subject: Subject[M]) -> list[M]:
    """All that the worker has said on a subject, once its outbox is empty."""

    async def all_sent() -> bool:
        return not await worker.store._database.fetch("select 1 from optimizer.outbox where sent_at is null")

    await eventually(all_sent)
    return await stored(worker.bus, subject)


def stuck(pid_file: Path) -> Sequence[str]:
    """A solver that says its pid and never answers."""
    program = f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    return (sys.executable, "-c", program)


def pid_in(pid_file: Path) -> int:
    """The pid that a stuck solver has said; 0 before."""
    return int(pid_file.read_text()) if pid_file.exists() and pid_file.read_text() else 0


def delivery(deliveries: int) -> Delivery:
    """A job as it comes for the n-th time."""
    return Delivery(
        "jobs.solve.abay", "abay-1", 1, deliveries, datetime.fromisoformat("2026-02-17T18:20:00Z"), deliveries
    )


async def reasons_of(worker: Worker) -> list[str]:
    """Why messages lie among the dead letters."""
    return [letter.reason async for letter in dead_letters(worker.bus._jetstream)]


async def buried(worker: Worker) -> bool:
    """Whether any message does."""
    return bool(await reasons_of(worker))
