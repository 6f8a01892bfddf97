"""Starts and stops of three pumps, whatever comes: no run or rest is too short unasked, and level interlocks always act."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from interlocks_rig import LIMITS as CALLING
from pump_safety_rig import LIMITS, SPEEDS, situation
from time_rig import NOW, SECOND

from headworks.control_gateway.interlocks import (
    LevelReading,
    Order,
    PumpSeen,
    Tripped,
    called,
    is_needed,
    level_of,
    tripped,
)
from headworks.control_gateway.pump_safety import (
    Duty,
    RunDecision,
    RunFeedback,
    Start,
    Stop,
    decide_run,
)
from headworks.control_gateway.safety import DuePlan

NAMES = ("A", "B", "C")
INTERLOCKS = replace(CALLING, order=NAMES)
STEP_S = 60.0


@dataclass
class Machine:
    """A pump that does what it is told within a step, or, broken, never runs."""

    running: bool = False
    commanded: bool = False
    since: datetime = NOW
    ordered: Order | None = None
    broken: bool = False

    def settle(self, now: datetime) -> None:
        runs = self.commanded and not self.broken
        if runs != self.running:
            self.running, self.since = runs, now
        if self.ordered is not None and self.ordered.on == self.running:
            self.ordered = None


@dataclass
class StationModel:
    """Three pumps under the decisions of the gateway. `forced` says whether a pump's last change was forced."""

    now: datetime = NOW
    machines: dict[str, Machine] = field(default_factory=lambda: {name: Machine() for name in NAMES})
    interlock: Tripped = field(default_factory=Tripped)
    started_at: datetime | None = None
    log: list[tuple[str, RunDecision, float]] = field(default_factory=list)

    def step(self, level: int | None, plans: dict[str, float | None], *, e_stop: bool) -> None:
        self.now += timedelta(seconds=STEP_S)
        for machine in self.machines.values():
            machine.settle(self.now)
        readings = [] if level is None else [LevelReading(level, self.now)]
        known = level_of(INTERLOCKS, readings, self.now)
        self.interlock = tripped(INTERLOCKS, self.interlock, known)
        for name in NAMES:
            self._decide(name, plans[name], known, e_stop=e_stop)

    def _decide(self, name: str, requested: float | None, level: int | None, *, e_stop: bool) -> None:
        machine, now = self.machines[name], self.now
        pumps = [self._seen(other) for other in NAMES]
        duty = Duty(
            low_low=self.interlock.low_low,
            high_high=self.interlock.high_high,
            called=called(INTERLOCKS, self.interlock, pumps, now) == name,
            needed=is_needed(INTERLOCKS, name, pumps, now),
            level_known=level is not None,
        )
        plan = None if requested is None else DuePlan(requested, now, now, now + SECOND)
        feedback = RunFeedback(machine.running, machine.since, machine.commanded, now)
        made = situation(feedback, plan, duty, e_stop=e_stop, ordered=machine.ordered, started_at=self.started_at)
        decision = decide_run(LIMITS, SPEEDS, made, now)
        self.log.append((name, decision, (now - machine.since).total_seconds()))
        if isinstance(decision, Start | Stop):
            machine.commanded = isinstance(decision, Start)
            machine.ordered = Order(machine.commanded, now)
            self.started_at = now if machine.commanded else self.started_at

    def _seen(self, name: str) -> PumpSeen:
        machine = self.machines[name]
        rested = not machine.running and (self.now - machine.since).total_seconds() >= LIMITS.minimum_rest_s
        return PumpSeen(name, machine.running, machine.commanded, self.now, True, rested, machine.ordered)


levels = st.none() | st.integers(0, 14100)
requests = st.fixed_dictionaries({name: st.sampled_from([None, 0, 4900, 5000, 3000, -1]) for name in NAMES})
stretches = st.lists(
    st.tuples(st.integers(1, 40), levels, requests, st.sampled_from([False] * 9 + [True])), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(stretches)
def test_no_run_or_rest_is_too_short_unless_it_is_forced(
    made: list[tuple[int, int | None, dict[str, float | None], bool]],
) -> None:
    station = StationModel()
    for steps, level, plans, e_stop in made:
        for _ in range(steps):
            station.step(level, plans, e_stop=e_stop)
    for _name, decision, lasted_s in station.log:
        if isinstance(decision, Stop) and not decision.forced:
            assert lasted_s >= LIMITS.minimum_run_s
        if isinstance(decision, Start) and not decision.forced:
            assert lasted_s >= LIMITS.minimum_rest_s


@settings(max_examples=150, deadline=None)
@given(stretches, st.integers(0, 199))
def test_low_low_always_stops_and_e_stop_too(
    made: list[tuple[int, int | None, dict[str, float | None], bool]], low: int
) -> None:
    station = StationModel()
    for steps, level, plans, e_stop in made:
        for _ in range(steps):
            station.step(level, plans, e_stop=e_stop)
        for level_then, e_stop_then in ((low, False), (7500, True)):
            for _ in range(2):
                station.step(level_then, plans, e_stop=e_stop_then)
            assert not any(machine.running or machine.commanded for machine in station.machines.values())


@settings(max_examples=150, deadline=None)
@given(stretches, st.integers(7401, 14100), st.sampled_from([None, *NAMES]))
def test_high_high_always_brings_the_pumps_it_asks_for_even_when_one_fails(
    made: list[tuple[int, int | None, dict[str, float | None], bool]], high: int, broken: str | None
) -> None:
    station = StationModel()
    if broken:
        station.machines[broken].broken = True
    for steps, level, plans, e_stop in made:
        for _ in range(steps):
            station.step(level, plans, e_stop=e_stop)
    for _ in range(12):
        station.step(high, made[-1][2], e_stop=False)
    assert sum(machine.running for machine in station.machines.values()) >= INTERLOCKS.high_high_pumps


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.none() | st.integers(401, 14100), requests), min_size=1, max_size=12))
def test_at_a_level_that_lets_pumps_run_the_station_is_never_without_one(
    made: list[tuple[int, int | None, dict[str, float | None]]],
) -> None:
    station = StationModel()
    station.step(2000, made[0][2], e_stop=False)
    station.step(2000, made[0][2], e_stop=False)
    for steps, level, plans in made:
        for _ in range(steps):
            station.step(level, plans, e_stop=False)
            assert any(machine.running for machine in station.machines.values())
