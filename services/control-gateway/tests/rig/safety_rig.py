"""An actuator's limits and a situation in which all is well, to change one thing of."""

from dataclasses import replace

from time_rig import NOW, SECOND

from headworks.control_gateway.safety import (
    DuePlan,
    Feedback,
    Limits,
    Range,
    Refused,
    Situation,
    decide,
)

LIMITS = Limits(
    minimum=80,
    maximum=580,
    rate_per_s=0.5,
    rate_window_s=300,
    deadband=4,
    plan_stale_after_s=3600,
    feedback_stale_after_s=600,
)
PLAN = DuePlan(300, NOW - 60 * SECOND, NOW - 60 * SECOND, NOW + 60 * SECOND)
FEEDBACK = Feedback(read_back=200, actual=200, at=NOW)
SITUATION = Situation(
    "auto", e_stop=False, recordable=True, plan=PLAN, feedback=FEEDBACK, ramped_until=NOW - 20 * SECOND
)
LAYERS = replace(LIMITS, hardware=Range(50, 650), optimiser=Range(100, 500))
"""The same, with the limits of the PLC and the optimiser around and within."""


def asked(requested: float | None, read_back: int = 200, actual: int = 200) -> Situation:
    return replace(SITUATION, plan=replace(PLAN, requested=requested), feedback=Feedback(read_back, actual, NOW))


def violation(situation: Situation, limits: Limits = LIMITS) -> str:
    decision = decide(limits, situation, NOW)
    assert isinstance(decision, Refused), decision
    [only] = decision.violations
    return only
