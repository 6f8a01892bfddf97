"""A solve apart: its answer is the solver's; a child that dies, hangs or talks nonsense is a FAILED run, and is gone."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from headworks.common.testing import eventually
from headworks.optimizer.afterbay.case import Case, IntegerOptions, Options, Solution
from headworks.optimizer.afterbay.example_cases import calm_winter, spilling_storm
from headworks.optimizer.afterbay.solve import solve_case
from headworks.optimizer.solve_process import COMMAND, Asked, Patience, Throttled, solve_apart
from headworks.optimizer.station.case import StationSolution
from headworks.optimizer.station.example_cases import dry_day
from headworks.optimizer.values import Status
from headworks.waterway.afterbay_site import AfterbaySite

PATIENT = Patience(total_s=60, silent_s=30)
HARD = Options(
    integer_options=IntegerOptions(spill_above_power_only=True, max_setpoint_changes=20, min_hours_between_changes=3),
    mip_gap=0.0,
    time_limit_s=60,
)


def child(program: str) -> Sequence[str]:
    """A stand-in for the solver's process."""
    return (sys.executable, "-c", f"import os, sys, time\nsys.stdin.readline()\n{program}")


async def apart(
    text: str, case: Case, command: Sequence[str] = COMMAND, patience: Patience = PATIENT, *, cancel: bool = False
) -> tuple[Solution, list[float | None]]:
    """The solution, and the gaps that were told; `cancel` asks to stop at the first of them."""
    gaps: list[float | None] = []

    async def on_gap(gap: float | None) -> None:
        gaps.append(gap)

    async def cancelled() -> bool:
        return cancel and bool(gaps)

    return await solve_apart(Asked(text, case, Solution), patience, on_gap, cancelled, command), gaps


async def test_the_answer_is_the_solvers_own(site: AfterbaySite, site_file_text: str) -> None:
    case = calm_winter(hours=24)
    found, _ = await apart(site_file_text, case)
    here = solve_case(site, case)
    assert found.status is Status.SOLVED
    assert (found.hours, found.objective_by_term, found.bindings) == (here.hours, here.objective_by_term, here.bindings)


async def test_a_station_is_solved_by_its_own_kind(station_text: str) -> None:
    text = station_text.replace("horizon: 24 h", "horizon: 3 h")

    async def on_gap(_gap: float | None) -> None:
        """Nothing is told."""

    async def cancelled() -> bool:
        return False

    found = await solve_apart(Asked(text, dry_day(), StationSolution), PATIENT, on_gap, cancelled)
    assert found.status is Status.SOLVED
    assert [step.start for step in found.steps[:2]] == [dry_day().start, dry_day().start + timedelta(minutes=15)]


async def test_progress_is_told_and_a_cancelled_solve_ends_with_its_process(site_file_text: str) -> None:
    found, gaps = await apart(site_file_text, spilling_storm(options=HARD), cancel=True)
    assert (found.status, found.reason) == (Status.CANCELLED, "cancelled")
    assert gaps
    assert not solvers()


async def cancelled_at(text: str, pid_file: Path, command: Sequence[str]) -> int:
    """Cancel a silent child once it has written a process's id to the file, and read that."""

    async def on_gap(_gap: float | None) -> None:
        """Nothing is told."""

    async def cancelled() -> bool:
        return pid_file.exists() and bool(pid_file.read_text())

    found = await solve_apart(Asked(text, calm_winter(hours=1), Solution), PATIENT, on_gap, cancelled, command)
    assert found.status is Status.CANCELLED
    return int(pid_file.read_text())


async def test_a_silent_child_is_cancelled_too(site_file_text: str, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = child(f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    assert not psutil.pid_exists(await cancelled_at(site_file_text, pid_file, command))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("os._exit(7)", "the solver's process ended with 7"),
        ("os.kill(os.getpid(), 9)", "the solver's process ended with -9"),
        ("pass", "the solver's process ended with 0"),
        ("print('Welcome to the solver')", "said what nobody can read: b'Welcome to the solver"),
        ("print('[1, 2]')", "neither a gap nor a solution"),
        ('print(\'{"gap": "wide"}\')', "neither a gap nor a solution"),
        ("print('{\"gap\": Infinity}')", "neither a gap nor a solution"),
        ('print(\'{"solution": {"status": "GREAT"}}\')', "said what nobody can read"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)) + b'\\n')", "said what nobody can read"),
        ("sys.stdout.write('x' * (17 << 20)); sys.stdout.flush(); time.sleep(600)", "said what nobody can read"),
    ],
)
async def test_a_child_that_dies_or_talks_nonsense_is_a_failed_run(
    site_file_text: str, program: str, reason: str
) -> None:
    found, _ = await apart(site_file_text, calm_winter(hours=1), child(program))
    assert found.status is Status.FAILED
    assert reason in found.reason
    assert len(found.reason) < 1000


async def test_a_child_that_does_not_listen_is_a_failed_run(site_file_text: str) -> None:
    found, _ = await apart(site_file_text, calm_winter(), (sys.executable, "-c", "raise SystemExit(3)"))
    assert found.status is Status.FAILED
    assert "the solver's process ended" in found.reason


@pytest.mark.parametrize(
    ("program", "patience", "reason"),
    [
        ("time.sleep(600)", Patience(total_s=60, silent_s=0.3), "no progress within 0.3 s"),
        (
            "while True: print('{\"gap\": 0.5}', flush=True); time.sleep(0.05)",
            Patience(total_s=0.5, silent_s=60),
            "no answer within 0.5 s",
        ),
    ],
)
async def test_patience_ends(site_file_text: str, program: str, patience: Patience, reason: str) -> None:
    found, _ = await apart(site_file_text, calm_winter(hours=1), child(program), patience)
    assert found.status is Status.FAILED
    assert reason in found.reason


async def test_what_the_child_has_started_ends_with_it(site_file_text: str, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = (
        f"import subprocess\nstarted = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(started.pid))\ntime.sleep(600)"
    )
    started = await cancelled_at(site_file_text, pid_file, child(program))
    await eventually(lambda: not psutil.pid_exists(started) or psutil.Process(started).status() == "zombie")


async def test_a_solver_does_not_outlive_the_worker_that_asked(site_file_text: str) -> None:
    asked = json.dumps({"site": site_file_text, "case": spilling_storm(options=HARD).model_dump(mode="json")})
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asked.encode() + b"\n")
    process.stdin.flush()
    assert b"gap" in await asyncio.to_thread(process.stdout.readline)
    process.stdin.close()  # as when the worker is gone
    assert await asyncio.to_thread(process.wait, 5) == -9
    process.stdout.close()


async def test_what_a_library_prints_does_not_spoil_the_answer(site_file_text: str) -> None:
    program = (
        "import os, sys, headworks.optimizer.afterbay.solve as s\n"
        "real = s.solve_case\n"
        "def noisy(*a):\n    print('banner'); os.write(1, b'native banner\\n'); return real(*a)\n"
        "s.solve_case = noisy\n"
        "from headworks.optimizer.solve_process import main\n"
        "main()"
    )
    found, _ = await apart(site_file_text, calm_winter(hours=2), (sys.executable, "-c", program))
    assert found.status is Status.SOLVED


def test_progress_is_passed_on_now_and_then() -> None:
    told: list[float | None] = []

    def progress(gap: float | None) -> bool:
        told.append(gap)
        return False

    throttled = Throttled(progress)
    assert [throttled(gap) for gap in (0.5, 0.4, 0.3)] == [False] * 3
    assert told == [0.5]


def solvers() -> list[psutil.Process]:
    """Our own children that still solve."""
    return [p for p in psutil.Process(os.getpid()).children(recursive=True) if "solve_process" in " ".join(p.cmdline())]
