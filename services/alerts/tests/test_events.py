"""What other services say, as causes that begin and end; late news does not undo newer news."""

from datetime import UTC, datetime, timedelta

import pytest

from headworks.alerts.conditions import Cause
from headworks.alerts.events import CauseChange, of_reply, of_run, of_setpoint, of_state
from headworks.common.messages import (
    ControlMode,
    ControlState,
    Interlock,
    Outcome,
    PlanReply,
    Quantity,
    Refusal,
    ResourceState,
    RunFinished,
    RunStatus,
    Setpoint,
    TrippedInterlock,
)

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


def setpoint(outcome: Outcome) -> Setpoint:
    return Setpoint(
        setpoint_id="1", site="abay", resource="OXPH", at=NOW, outcome=outcome, unit="MW", requested=9.0, enforced=2.0,
        read_back=2.5, violations=("9.0 MW is above 5.8 MW",), reason="no answer",
    )  # fmt: skip


def state(*, link_up: bool = True, refused: bool = False, e_stop: bool = False) -> ControlState:
    resource = ResourceState(
        resource="OXPH", unit="MW", plan_id=None, requested=None, setpoint=None, read_back=None, actual=None,
        plan_age_s=None, link_up=link_up, fail_safe=False, refused=refused,
    )  # fmt: skip
    by = "ann" if e_stop else None
    return ControlState(site="abay", at=NOW, mode=ControlMode.AUTO, e_stop=e_stop, e_stop_by=by, resources=(resource,))


@pytest.mark.parametrize(
    ("status", "texts"),
    [
        (RunStatus.FAILED, ["run r1: FAILED: no elevation"]),
        (RunStatus.INFEASIBLE, ["run r1: INFEASIBLE: no elevation"]),
        (RunStatus.SOLVED, [None]),
        (RunStatus.RELAXED, [None]),
        (RunStatus.CANCELLED, []),
    ],
)
def test_a_failed_run_is_a_cause_until_one_succeeds(status: RunStatus, texts: list[str | None]) -> None:
    finished = RunFinished(run_id="r1", site="abay", at=NOW, status=status, reason="no elevation")
    assert [change.text for change in of_run(finished)] == texts


def test_a_refused_submission_names_the_first_reason_and_counts_the_rest() -> None:
    refusals = tuple(Refusal(field=f"intervals.{i}", value=9.0, expected="at most 5.8 MW") for i in range(3))
    reply = PlanReply(submission_id="s1", publisher="vendor", site="abay", at=NOW, accepted=False, refusals=refusals)
    [change] = of_reply(reply)
    assert change == CauseChange(
        "plan_refused", "vendor", NOW, "vendor's s1: intervals.0=9.0, expected at most 5.8 MW and 2 more"
    )


def test_an_accepted_submission_ends_the_refusal_of_its_publisher_alone() -> None:
    accepted = PlanReply(submission_id="s2", publisher="vendor", site="abay", at=NOW, accepted=True)
    [change] = of_reply(accepted)
    before = {"vendor": Cause("refused", NOW), "other": Cause("refused", NOW)}
    assert set(change.applied(before)) == {"other"}


@pytest.mark.parametrize(
    ("outcome", "event", "text"),
    [
        (Outcome.READ_BACK_DIFFERS, "read_back_differs", "OXPH: wrote 2.0 MW, the PLC holds 2.5"),
        (Outcome.LINK_LOST, "plc_lost", "OXPH: no answer"),
        (Outcome.REFUSED, "setpoint_refused", "OXPH: 9.0 MW is above 5.8 MW"),
    ],
)
def test_what_went_wrong_with_a_setpoint_is_a_cause_until_one_is_verified(
    outcome: Outcome, event: str, text: str
) -> None:
    [begun] = of_setpoint(setpoint(outcome))
    assert (begun.event, begun.about, begun.text) == (event, "OXPH", text)
    ended = [change for change in of_setpoint(setpoint(Outcome.VERIFIED)) if change.event == event]
    assert [change.text for change in ended] == [None]


@pytest.mark.parametrize("outcome", [Outcome.INTENDED, Outcome.HELD])
def test_an_intended_or_held_setpoint_says_nothing(outcome: Outcome) -> None:
    assert list(of_setpoint(setpoint(outcome))) == []


def test_the_state_ends_what_is_over_and_nothing_else() -> None:
    well = {change.event: change.text for change in of_state(state())}
    over = {"interlock": None, "fail_safe": None, "heartbeat_lost": None, "discovery": None}
    assert well == over | {"e_stop": None, "plc_lost": None, "setpoint_refused": None}
    ill = {change.event: change.text for change in of_state(state(link_up=False, refused=True, e_stop=True))}
    assert ill == over | {"e_stop": "pressed by ann"}


def test_what_discovery_found_wrong_is_a_cause_until_it_is_mended() -> None:
    wrong = state().model_copy(update={"findings": ("abay.yaml cannot be read", "plans name GATE_1")})
    [text] = [change.text for change in of_state(wrong) if change.event == "discovery"]
    assert text == "abay.yaml cannot be read; plans name GATE_1"


@pytest.mark.parametrize(
    ("interlock", "level_m", "text"),
    [
        (Interlock.LOW_LOW, 0.25, "low-low: pumps stop whatever the plan says, at 0.25 m"),
        (Interlock.HIGH_HIGH, 7.9, "high-high: pumps start whatever the plan says, at 7.90 m"),
        (Interlock.HIGH_HIGH, None, "high-high: pumps start whatever the plan says, at a level that is not known"),
    ],
)
def test_an_interlock_is_a_cause_while_it_stands(interlock: Interlock, level_m: float | None, text: str) -> None:
    tripped = state().model_copy(update={"interlock": interlock, "level_m": level_m})
    assert [change.text for change in of_state(tripped) if change.event == "interlock"] == [text]


def test_a_verified_speed_ends_nothing_of_the_run_command() -> None:
    differs = setpoint(Outcome.READ_BACK_DIFFERS).model_copy(update={"quantity": Quantity.RUN, "unit": "on"})
    causes: dict[str, Cause] = {}
    for change in (*of_setpoint(differs), *of_setpoint(setpoint(Outcome.VERIFIED))):
        if change.event == "read_back_differs":
            causes = change.applied(causes)
    assert list(causes) == ["OXPH run command"]


def test_the_state_ends_a_refusal_of_either() -> None:
    refused = setpoint(Outcome.REFUSED).model_copy(update={"quantity": Quantity.RUN})
    [begun] = of_setpoint(refused)
    ended = {change.about for change in of_state(state()) if change.event == "setpoint_refused"}
    assert begun.about in ended
    assert "OXPH" in ended


def test_late_news_does_not_undo_newer_news() -> None:
    newer = {"OXPH": Cause("lost", NOW)}
    late = CauseChange("plc_lost", "OXPH", NOW - timedelta(seconds=1), None)
    assert late.applied(newer) == newer
    assert CauseChange("plc_lost", "OXPH", NOW, None).applied(newer) == {}


def test_an_e_stop_of_one_actuator_is_told_with_its_name() -> None:
    alone = state().resources[0].model_copy(update={"e_stop_by": "ann: hot bearing"})
    pressed = state().model_copy(update={"resources": (alone,)})
    told = {change.event: change.text for change in of_state(pressed)}
    assert told["e_stop"] == "pressed for OXPH by ann: hot bearing"


def test_a_fail_safe_interlocks_by_condition_and_a_lost_heartbeat_are_causes_while_they_last() -> None:
    usual = state()
    [resource] = usual.resources
    safe = resource.model_copy(update={"fail_safe": True, "leads_because": "no plan update for 1200 s"})
    tripped = TrippedInterlock(name="low_afterbay", since=NOW, why="elevation < 1166 ft for 5 min")
    changes = {"resources": (safe,), "interlocks": (tripped,), "heartbeat_lost": ("oxph-plc",)}
    texts = {change.event: change.text for change in of_state(usual.model_copy(update=changes))}
    assert texts["fail_safe"] == "OXPH: no plan update for 1200 s"
    assert texts["interlock"] == "low_afterbay: elevation < 1166 ft for 5 min"
    assert texts["heartbeat_lost"] == "oxph-plc does not hold the heartbeat"
    over = {change.event: change.text for change in of_state(usual)}
    assert [over[event] for event in ("fail_safe", "interlock", "heartbeat_lost")] == [None, None, None]
