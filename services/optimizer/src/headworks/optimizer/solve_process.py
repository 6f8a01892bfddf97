"""A solve in a process of its own, that can be killed: the site and case come in as JSON, progress and the answer go out.

One JSON object a line on stdout: {"gap": …} now and then, and {"solution": …} at the end.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headworks.optimizer.case import Case, Solution, Status
from headworks.waterway.site import Site, parse_site

LINE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long [s] the whole may take, and how long the process may be silent, before it is given up."""

    total_s: float
    silent_s: float


async def solve_apart(
    site_text: str,
    case: Case,
    patience: Patience,
    on_gap: Callable[[float | None], Awaitable[bool]],
) -> Solution:
    """Solve in a child process. `on_gap` hears of progress and returns True to cancel. Faults are FAILED solutions."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headworks.optimizer.solve_process", stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"site": site_text, "case": case.model_dump(mode="json")}).encode() + b"\n")
        await process.stdin.drain()
        async with asyncio.timeout(patience.total_s):
            return await _listen(process, patience, on_gap)
    except TimeoutError:
        return Solution(status=Status.FAILED, reason=f"the solver made no progress within {patience.silent_s} s")
    except (BrokenPipeError, ConnectionResetError) as error:
        return Solution(status=Status.FAILED, reason=f"the solver's process ended: {error!r}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listen(
    process: asyncio.subprocess.Process, patience: Patience, on_gap: Callable[[float | None], Awaitable[bool]]
) -> Solution:
    assert process.stdout is not None
    while True:
        line = await asyncio.wait_for(process.stdout.readline(), patience.silent_s)
        if not line:
            code = await process.wait()
            return Solution(status=Status.FAILED, reason=f"the solver's process ended with {code}")
        message = json.loads(line)
        if "solution" in message:
            return Solution.model_validate(message["solution"])
        if await on_gap(message["gap"]):
            return Solution(status=Status.CANCELLED, reason="cancelled")


def main() -> None:
    """Read one case from stdin, solve it, and write the answer."""
    from headworks.optimizer.solve import solve_case

    asked = json.loads(sys.stdin.readline())
    site: Site = parse_site(asked["site"])

    def progress(gap: float | None) -> bool:
        _say({"gap": gap})
        return False

    solution = solve_case(site, Case.model_validate(asked["case"]), Throttled(progress))
    _say({"solution": solution.model_dump(mode="json")})


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


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
