"""A solve in a process of its own, that can be killed: the site and case come in as JSON, progress and the answer go out.

One JSON object a line on stdout: {"gap": …} now and then, and {"solution": …} at the end. The process ends when its stdin
does: it cannot outlive the worker that asked.
"""

import asyncio
import contextlib
import gc
import json
import math
import os
import signal
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TextIO, TypeGuard, TypeVar, assert_never

from pydantic import JsonValue

from headworks.optimizer.afterbay.case import Case
from headworks.optimizer.station.case import StationInputs
from headworks.optimizer.values import Answer, Status, Value
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite, parse_site
from headworks.waterway.station_site import StationSite

LINE_LIMIT = 16 << 20
CANCEL_EVERY_S = 0.5
COMMAND = (sys.executable, "-m", "headworks.optimizer.solve_process")

A = TypeVar("A", bound=Answer)
OnGap = Callable[[float | None], Awaitable[None]]
Cancelled = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long [s] the whole may take, and how long the process may be silent, before it is given up."""

    total_s: float
    silent_s: float


@dataclass(frozen=True, slots=True)
class Asked(Generic[A]):
    """The site's file as text, the case of its kind, and the type of its answer."""

    site_text: str
    case: Value
    answer: type[A]


async def solve_apart(
    asked: Asked[A],
    patience: Patience,
    on_gap: OnGap,
    cancelled: Cancelled,
    command: Sequence[str] = COMMAND,
) -> A:
    """Solve in a child process. `on_gap` hears of progress; `cancelled` is asked twice a second. Faults are FAILED answers."""
    # A session of its own: what the child starts (CBC) ends with it.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT, start_new_session=True
    )
    asking = asyncio.create_task(_ask(process, asked, patience.silent_s, on_gap))
    watching = asyncio.create_task(_until(cancelled))
    try:
        await asyncio.wait({asking, watching}, timeout=patience.total_s, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        if watching.done():
            watching.result()
            return asked.answer(status=Status.CANCELLED, reason="cancelled")
        return asked.answer(status=Status.FAILED, reason=f"the solver gave no answer within {patience.total_s:g} s")
    finally:
        asking.cancel()
        watching.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _until(cancelled: Cancelled) -> None:
    while not await cancelled():
        await asyncio.sleep(CANCEL_EVERY_S)


async def _ask(process: Process, asked: Asked[A], silent_s: float, on_gap: OnGap) -> A:
    """Send the case and listen for the answer."""
    assert process.stdin is not None
    try:
        content = {"site": asked.site_text, "case": asked.case.model_dump(mode="json")}
        process.stdin.write(json.dumps(content).encode() + b"\n")
        await process.stdin.drain()
        return await _listen(process, asked.answer, silent_s, on_gap)
    except TimeoutError:
        return asked.answer(status=Status.FAILED, reason=f"the solver made no progress within {silent_s:g} s")
    except (BrokenPipeError, ConnectionResetError) as error:
        return asked.answer(status=Status.FAILED, reason=f"the solver's process ended: {error!r}")


async def _listen(process: Process, answer: type[A], silent_s: float, on_gap: OnGap) -> A:
    assert process.stdout is not None
    while True:
        line = b""
        try:
            async with asyncio.timeout(silent_s):
                line = await process.stdout.readline()
            if not line:
                code = await process.wait()
                return answer(status=Status.FAILED, reason=f"the solver's process ended with {code}")
            said = _read(line, answer)
        except ValueError as error:
            reason = f"the solver's process said what nobody can read: {line[:80]!r} ({str(error)[:200]})"
            return answer(status=Status.FAILED, reason=reason)
        if isinstance(said, Answer):
            return said
        await on_gap(said)


def _read(line: bytes, answer: type[A]) -> A | float | None:
    """An answer or a gap. Raises ValueError on anything else."""
    message = json.loads(line)
    if isinstance(message, dict) and "solution" in message:
        return answer.model_validate(message["solution"])
    if isinstance(message, dict) and message.keys() == {"gap"} and _is_a_gap(message["gap"]):
        return message["gap"]
    raise ValueError("neither a gap nor a solution")


def _is_a_gap(said: object) -> TypeGuard[float | None]:
    return said is None or (isinstance(said, float | int) and math.isfinite(said))


def main() -> None:
    """Read one case from stdin, solve it, and write the answer."""
    # Whatever a library prints goes to the log: stdout carries nothing but our lines.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # One solve, then the process ends: what the collector would find is not worth its 3 to 15 ms within a solve.
    gc.disable()
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()

    def progress(gap: float | None) -> bool:
        _say(answers, {"gap": gap})
        return False

    answer = _solved(parse_site(asked["site"]), asked["case"], Throttled(progress))
    _say(answers, {"solution": answer.model_dump(mode="json")})


def _solved(site: AnySite, case: JsonValue, progress: Callable[[float | None], bool]) -> Answer:
    """The answer of the site's kind. The solvers are loaded here: while they are, the parent may already end us."""
    match site:
        case AfterbaySite():
            from headworks.optimizer.afterbay.solve import solve_case

            return solve_case(site, Case.model_validate(case), progress)
        case StationSite():
            from headworks.optimizer.station.planning import solve_inputs

            return solve_inputs(site, StationInputs.model_validate(case), progress)
    assert_never(site)


def _end_with_stdin() -> None:
    """End this process, and what it has started, when the one that asked is gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


class Throttled:
    """Passes progress on at most four times a second; solvers call far more often."""

    def __init__(self, progress: Callable[[float | None], bool]) -> None:
        self._progress = progress
        self._next_s = 0.0

    def __call__(self, gap: float | None) -> bool:
        """Pass on, or not yet."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + 0.25
        return self._progress(gap)


def _say(answers: TextIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
