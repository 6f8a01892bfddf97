"""The afterbay's control section, a journal entry to write, and a standing clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headworks.common.clock import Clock
from headworks.common.messages import Outcome, Setpoint
from headworks.common.sites import read_sites
from headworks.control_gateway.limits import Actuator, ControlSection, actuators_of, control_section
from headworks.waterway.site import Site

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


@pytest.fixture(scope="session")
def site(sites_folder: Path) -> Site:
    return read_sites(sites_folder)["abay"]


@pytest.fixture(scope="session")
def section(site: Site) -> ControlSection:
    return control_section(site)


@pytest.fixture(scope="session")
def actuator(site: Site, section: ControlSection) -> Actuator:
    [only] = actuators_of(site, section)
    return only


@pytest.fixture
def clock() -> Clock:
    """It stands at 2026-02-17 08:00 UTC."""
    return Clock(NOW, wall_epoch_s=0.0, speed=1e-12)


@pytest.fixture
def entry() -> Callable[[str], Setpoint]:
    def make(setpoint_id: str) -> Setpoint:
        return Setpoint(
            setpoint_id=setpoint_id,
            site="abay",
            resource="OXPH",
            at=NOW,
            outcome=Outcome.VERIFIED,
            unit="MW",
            requested=2.0,
            enforced=2.0,
            read_back=2.0,
        )

    return make
