"""The world's clock: the services' three variables, read by the world itself."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from headworks.simulators.clock import WorldClock, world_clock

EPOCH = "2026-02-17T08:00:00+00:00"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EPOCH", "WALL_EPOCH", "SPEED"):
        monkeypatch.delenv(f"HEADWORKS_CLOCK_{name}", raising=False)


def test_without_variables_it_is_real_time() -> None:
    before = datetime.now(UTC)
    assert before - timedelta(milliseconds=1) <= world_clock().now() <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_it_runs_from_the_epoch_at_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_CLOCK_EPOCH", "2026-02-17T00:00:00-08:00")
    monkeypatch.setenv("HEADWORKS_CLOCK_WALL_EPOCH", "1000")
    monkeypatch.setenv("HEADWORKS_CLOCK_SPEED", "144")
    assert world_clock() == WorldClock(datetime.fromisoformat(EPOCH), 1000.0, 144.0)
    wall_s = time.time()
    instant = WorldClock(datetime.fromisoformat(EPOCH), wall_s - 10, 144).now()
    assert instant - datetime.fromisoformat(EPOCH) >= timedelta(seconds=1440)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("EPOCH", "2026-02-17T08:00:00", "HEADWORKS_CLOCK_EPOCH='2026-02-17T08:00:00' has no time zone"),
        ("SPEED", "0", r"HEADWORKS_CLOCK_SPEED=0\.0 must be above 0"),
        ("SPEED", "-1", r"HEADWORKS_CLOCK_SPEED=-1\.0 must be above 0"),
        ("SPEED", "nan", "HEADWORKS_CLOCK_SPEED=nan must be above 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(f"HEADWORKS_CLOCK_{name}", value)
    with pytest.raises(ValueError, match=says):
        world_clock()
