"""One running system for all proofs of a session; what they do to it is their own business."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_system import ABAY, System

from headworks.common.stack import Options, Stack


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, sites_folder: Path) -> Iterator[System]:
    """A system with a plan in force."""
    stack = Stack(tmp_path_factory.mktemp("proof") / "run", Options(sites=sites_folder, epoch=ABAY.epoch, speed=60))
    system = System(stack, ABAY.site)
    try:
        for _step in stack.start():
            pass
        system.wait(system.all_planned, "a first plan is in force", 60)
        yield system
    finally:
        stack.stop()
