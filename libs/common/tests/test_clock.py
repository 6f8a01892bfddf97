"""Plant time is real by default; a scaled clock needs all of its description, and says what is missing."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from headworks.common.clock import Clock, clock_from_environment

EPOCH = datetime(2026, 2, 17, 8, tzinfo=UTC)


def test_without_a_description_the_clock_is_the_machines() -> None:
    before = datetime.now(UTC)
    assert before <= clock_from_environment({}).now() <= datetime.now(UTC)
    assert clock_from_environment({"HEADWORKS_CLOCK_EPOCH": ""}) == Clock()


def test_a_scaled_clock_runs_from_its_epoch_at_its_speed() -> None:
    wall = time.time() - 10
    variables = {"EPOCH": EPOCH.isoformat(), "WALL_EPOCH": str(wall), "SPEED": "144"}
    clock = clock_from_environment({f"HEADWORKS_CLOCK_{name}": value for name, value in variables.items()})
    passed = clock.now() - EPOCH
    assert timedelta(seconds=1440) <= passed < timedelta(seconds=1440 + 144 * 5)
    assert clock.real_seconds(timedelta(hours=1)) == 25.0


def test_an_epoch_of_another_zone_is_the_same_instant() -> None:
    variables = {"HEADWORKS_CLOCK_EPOCH": "2026-02-17T00:00:00-08:00", "HEADWORKS_CLOCK_WALL_EPOCH": "0"}
    assert clock_from_environment(variables).epoch == EPOCH


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"EPOCH": "2026-02-17T08:00:00"}, "HEADWORKS_CLOCK_EPOCH=.* has no time zone; write it as"),
        ({"EPOCH": "yesterday"}, "yesterday"),
        ({"EPOCH": "2026-02-17T08:00:00Z"}, "HEADWORKS_CLOCK_WALL_EPOCH is missing"),
        ({"EPOCH": "2026-02-17T08:00:00Z", "WALL_EPOCH": "0", "SPEED": "0"}, r"HEADWORKS_CLOCK_SPEED=0.0 must lie"),
        ({"EPOCH": "2026-02-17T08:00:00Z", "WALL_EPOCH": "0", "SPEED": "nan"}, "HEADWORKS_CLOCK_SPEED=nan must lie"),
        ({"EPOCH": "2026-02-17T08:00:00Z", "WALL_EPOCH": "0", "SPEED": "100001"}, "must lie between 0 and 100000"),
    ],
)
def test_half_a_description_is_refused_by_name(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clock_from_environment({f"HEADWORKS_CLOCK_{name}": value for name, value in variables.items()})
