"""An alarm's life: raised once on crossing, acknowledged, returned, shelved for a time; noise does not chatter."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headworks.alerts.conditions import Facts, Reading, read
from headworks.alerts.lifecycle import Changed, Denied, Record, Transition, acknowledge, observe, shelve, unshelve
from headworks.alerts.sections import Alarm, EventAlarm, LevelAlarm
from headworks.common.messages import AlarmState, Quality, Sample, Severity
from headworks.waterway.afterbay_site import AfterbaySite

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FT = 0.3048
PLAIN = EventAlarm(title="Stopped", severity=Severity.CRITICAL, event="e_stop")
DELAYED = EventAlarm(title="Lost", severity=Severity.WARNING, event="plc_lost", on_delay="5 min", off_delay="2 min")
S = AlarmState


def holds(value: bool) -> Reading:
    return Reading(value, "pressed" if value else "released")


def lived(alarm: Alarm, *readings: tuple[float, bool]) -> tuple[Record, list[AlarmState]]:
    """The record after readings at minutes, and the states it went through."""
    record, states = Record.new(NOW), []
    for minute, value in readings:
        changed = observe(alarm, record, holds(value), NOW + minute * MINUTE)
        record = changed.record
        if changed.transition:
            states.append(changed.transition.to_state)
    return record, states


def changed(outcome: Changed | Denied) -> Record:
    assert isinstance(outcome, Changed)
    return outcome.record


def test_it_is_raised_once_while_the_condition_holds() -> None:
    record, states = lived(PLAIN, (0, True), (1, True), (2, True))
    assert states == [S.ACTIVE_UNACKNOWLEDGED]
    assert record.text == "pressed"


def test_it_returns_unacknowledged_and_is_raised_again() -> None:
    _, states = lived(PLAIN, (0, True), (1, False), (2, True))
    assert states == [S.ACTIVE_UNACKNOWLEDGED, S.RETURNED_UNACKNOWLEDGED, S.ACTIVE_UNACKNOWLEDGED]


def test_an_acknowledged_one_goes_back_to_normal_by_itself() -> None:
    record, _ = lived(PLAIN, (0, True))
    seen = changed(acknowledge(record, "ann", "on it", NOW))
    assert (seen.state, seen.acknowledged_by) == (S.ACTIVE_ACKNOWLEDGED, "ann")
    after = observe(PLAIN, seen, holds(False), NOW + MINUTE).record
    assert (after.state, after.acknowledged_by) == (S.NORMAL, None)


def test_a_returned_one_is_normal_once_acknowledged() -> None:
    record, _ = lived(PLAIN, (0, True), (1, False))
    assert changed(acknowledge(record, "ann", "", NOW)).state is S.NORMAL


def test_what_is_not_unacknowledged_cannot_be_acknowledged() -> None:
    assert isinstance(acknowledge(Record.new(NOW), "ann", "", NOW), Denied)


@pytest.mark.parametrize(("minutes", "raised"), [(4.9, False), (5, True)])
def test_the_condition_must_hold_for_the_on_delay(minutes: float, raised: bool) -> None:
    assert bool(lived(DELAYED, (0, True), (minutes, True))[1]) is raised


def test_a_gap_starts_the_on_delay_again() -> None:
    assert lived(DELAYED, (0, True), (4, False), (5, True), (9, True))[1] == []


@pytest.mark.parametrize(("minutes", "returned"), [(11.9, False), (12, True)])
def test_the_condition_must_be_gone_for_the_off_delay(minutes: float, returned: bool) -> None:
    states = lived(DELAYED, (0, True), (5, True), (10, False), (minutes, False))[1]
    assert (S.RETURNED_UNACKNOWLEDGED in states) is returned


def test_without_a_reading_it_stays_as_it_is() -> None:
    record, _ = lived(PLAIN, (0, True))
    assert observe(PLAIN, record, None, NOW + MINUTE) == Changed(record)


def test_a_shelved_one_says_nothing_and_comes_back_by_itself() -> None:
    record, _ = lived(PLAIN, (0, True))
    shelved = changed(shelve(record, "ann", "known fault", 30 * MINUTE, NOW))
    quiet = observe(PLAIN, shelved, holds(True), NOW + 29 * MINUTE)
    assert quiet.transition is None
    back = observe(PLAIN, quiet.record, holds(True), NOW + 30 * MINUTE)
    assert back.transition is not None
    assert (back.record.state, back.transition.by) == (S.ACTIVE_UNACKNOWLEDGED, "monitor")
    assert back.record.shelved_until is None


def test_a_shelving_ends_without_a_reading_too() -> None:
    shelved = changed(shelve(Record.new(NOW), "ann", "test", MINUTE, NOW))
    assert observe(PLAIN, shelved, None, NOW + MINUTE).record.state is S.NORMAL


@pytest.mark.parametrize("lasting", [timedelta(), -MINUTE, timedelta(hours=24, seconds=1)])
def test_a_shelving_has_a_time_limit(lasting: timedelta) -> None:
    denied = shelve(Record.new(NOW), "ann", "test", lasting, NOW)
    assert isinstance(denied, Denied)
    assert "at most 1 day" in denied.reason


def test_it_can_be_taken_back_before_its_time_but_only_when_shelved() -> None:
    shelved = changed(shelve(Record.new(NOW), "ann", "test", MINUTE, NOW))
    assert changed(unshelve(shelved, "bob", NOW)).state is S.NORMAL
    assert isinstance(unshelve(Record.new(NOW), "bob", NOW), Denied)
    assert isinstance(shelve(shelved, "ann", "again", MINUTE, NOW), Denied)


@given(st.lists(st.floats(-0.02, 0.02), min_size=1, max_size=120))
def test_noise_about_a_threshold_raises_at_most_one_alarm(site: AfterbaySite, noise_ft: list[float]) -> None:
    """A peer without a deadband fired 20 times in 10 h on such a signal."""
    alarm = LevelAlarm(title="Low", severity=Severity.CRITICAL, series="elevation", below="1168 ft", deadband="0.05 ft")
    known, record, raised = Facts(NOW), Record.new(NOW), 0
    for poll, noise in enumerate(noise_ft):
        at = NOW + 5 * poll * MINUTE
        value_m = (1168.0 + noise) * FT
        known.learn(Sample(series="elevation_m", valid_at=at, value=value_m, quality=Quality.GOOD))
        reading = read(alarm, site, known, {}, at, held=record.holds)
        outcome = observe(alarm, record, reading, at)
        record, raised = outcome.record, raised + (outcome.transition is not None)
    assert raised <= 1


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, transitions are chained and an acknowledged alarm names who did it."""

    def __init__(self) -> None:
        super().__init__()
        self.record, self.now = Record.new(NOW), NOW
        self.transitions: list[Transition] = []

    def take(self, outcome: Changed | Denied) -> None:
        if isinstance(outcome, Changed):
            self.record = outcome.record
            self.transitions += [outcome.transition] if outcome.transition else []

    @rule(value=st.sampled_from([True, False, None]), minutes=st.floats(0, 90))
    def see(self, value: bool | None, minutes: float) -> None:
        self.now += minutes * MINUTE
        self.take(observe(DELAYED, self.record, None if value is None else holds(value), self.now))

    @rule()
    def ack(self) -> None:
        self.take(acknowledge(self.record, "ann", "", self.now))

    @rule(minutes=st.floats(1, 60))
    def put_aside(self, minutes: float) -> None:
        self.take(shelve(self.record, "ann", "why", minutes * MINUTE, self.now))

    @rule()
    def take_back(self) -> None:
        self.take(unshelve(self.record, "ann", self.now))

    @invariant()
    def transitions_are_chained(self) -> None:
        states = [S.NORMAL, *(t.to_state for t in self.transitions)]
        assert [t.from_state for t in self.transitions] == states[:-1]
        assert self.record.state is states[-1]
        assert all(t.from_state is not t.to_state for t in self.transitions)

    @invariant()
    def who_and_until_when_are_known(self) -> None:
        assert (self.record.acknowledged_by is not None) == (self.record.state is S.ACTIVE_ACKNOWLEDGED)
        assert (self.record.shelved_until is not None) == (self.record.state is S.SHELVED)


TestAnyLife = AnyLife.TestCase
