"""The whole system as processes, for tests that see what a user sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_system import AWARD_DAY, SPEED, System

from headworks.common.stack import Options, Stack


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, sites_folder: Path) -> Iterator[System]:
    """A system with a plan in force."""
    folder = tmp_path_factory.mktemp("stack") / "run"
    stack = Stack(folder, Options(sites=sites_folder, epoch=AWARD_DAY, speed=SPEED))
    running = System(stack)
    try:
        for _step in stack.start():
            pass
        running.wait(lambda: running.resource()["plan_id"] is not None, "a first plan is in force", 60)
        yield running
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n")  # noqa: T201 - for CI's reader
        raise
    finally:
        stack.stop()


@pytest.fixture(autouse=True)
def _healed(system: System) -> Iterator[None]:
    """Every test leaves the outside world whole."""
    yield
    for target in ("pi", "hydroforecast", "caiso", "plc", "smtp"):
        system.fault(target, "none")
