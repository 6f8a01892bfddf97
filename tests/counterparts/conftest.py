"""The C server: built once, and one that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counterparts import LibmodbusPlc, compiled


@pytest.fixture(scope="session")
def libmodbus_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("libmodbus"))


@pytest.fixture(scope="session")
def shared_memory(libmodbus_program: Path) -> Iterator[LibmodbusPlc]:
    """One for tests that only read and write: no fault is ordered of it."""
    with LibmodbusPlc(libmodbus_program) as plc:
        yield plc


@pytest.fixture
def libmodbus_plc(libmodbus_program: Path) -> Iterator[LibmodbusPlc]:
    with LibmodbusPlc(libmodbus_program) as plc:
        yield plc


@pytest.fixture
def rtu_plc(libmodbus_program: Path) -> Iterator[LibmodbusPlc]:
    with LibmodbusPlc(libmodbus_program, "rtu") as plc:
        yield plc
