"""The whole system as processes, for tests that see what a user sees. A module says which sites and how fast by SETUP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_rig import ARGUMENTS, WAIT_MS, chromium
from e2e_system import ABAY, Setup, System
from playwright.sync_api import Browser, expect, sync_playwright

from headworks.common.stack import Options, Stack

HERE = Path(__file__).parent
HUNG_S = 900
"""When a test counts as hung: its own waits, and its system's start, say sooner and better what they waited for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests here their time: a whole system shares the machine with other tests."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(HUNG_S))


@pytest.fixture(scope="module")
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sites_folder: Path
) -> Iterator[System]:
    """A system with a plan in force."""
    setup: Setup = getattr(request.module, "SETUP", ABAY)
    folder = tmp_path_factory.mktemp("stack")
    sites = folder / "sites"
    sites.mkdir()
    name = f"{setup.site}.yaml"
    (sites / name).write_text(setup.site_file(sites_folder / name), encoding="utf-8")
    stack = Stack(folder / "run", Options(sites=sites, epoch=setup.epoch, speed=setup.speed))
    running = System(stack, setup.site)
    try:
        for _step in stack.start():
            pass
        running.wait(running.all_planned, "a first plan is in force", 120)
        yield running
    except BaseException:
        for log in sorted(stack.folder.glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n")  # noqa: T201 - for CI's reader
        raise
    finally:
        stack.stop()


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test leaves the outside world whole, and every process of ours alive."""
    if "system" not in request.fixturenames:
        yield
        return
    system: System = request.getfixturevalue("system")
    before = system.stack.dead()
    yield
    system.heal()
    assert [process for process in system.stack.dead() if process not in before] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    there = chromium()
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=there, args=ARGUMENTS)
        yield started
        started.close()
