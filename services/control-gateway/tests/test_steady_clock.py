"""The steady clock: what a step of the wall clock does not do to it, and how it comes along with a slewed one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from gateway_rig import HandClock
from time_rig import NOW

from headworks.common.clock import Clock
from headworks.control_gateway.steady_clock import SLEW, STEP_S, SteadyClock


@dataclass
class Machine:
    """Its seconds, counted by hand."""

    now_s: float = 1000.0

    def seconds(self) -> float:
        return self.now_s


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@pytest.mark.parametrize("by_s", [-86400.0, -3600.0, 2.0, 3600.0])
def test_a_step_is_told_and_is_not_gone_along_with(clock: HandClock, by_s: float) -> None:
    machine = Machine()
    steady = SteadyClock.beside(clock, machine.seconds)
    machine.now_s += 10
    clock.forward(10)
    assert steady.follow() is None
    clock.forward(by_s)
    machine.now_s += 1
    clock.forward(1)
    assert steady.now() == NOW + s(11)
    assert steady.follow() == s(by_s)
    assert steady.now() == NOW + s(11)


@pytest.mark.parametrize("by_s", [-STEP_S, STEP_S])
def test_what_is_nearer_is_come_up_with_slowly_and_never_backwards(clock: HandClock, by_s: float) -> None:
    machine = Machine()
    steady = SteadyClock.beside(clock, machine.seconds)
    clock.forward(by_s)
    before, looks = steady.now(), 0
    while steady.now() != clock.now():
        machine.now_s += 10
        clock.forward(10)
        assert steady.follow() is None
        assert (steady.now() - before).total_seconds() == pytest.approx(10, abs=10 * SLEW + 1e-6)
        before, looks = steady.now(), looks + 1
    assert looks == pytest.approx(STEP_S / SLEW / 10, abs=2)


def test_it_goes_as_fast_as_a_scaled_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, wall = Machine(), Machine(5000.0)
    monkeypatch.setattr("time.time", wall.seconds)
    steady = SteadyClock.beside(Clock(datetime(2026, 2, 17, tzinfo=UTC), 5000.0, 60.0), machine.seconds)
    machine.now_s += 2
    assert steady.now() == datetime(2026, 2, 17, 0, 2, tzinfo=UTC)
    assert steady.real_seconds(timedelta(minutes=2)) == 2
    wall.now_s += 2 + STEP_S
    assert steady.follow() is None
    wall.now_s += 1
    away = steady.follow()
    assert away is not None
    assert away.total_seconds() == pytest.approx(60 * (1 + STEP_S), abs=0.2)
