"""The limits of a pump's runs and its speeds, and a situation in which all is well, to change one thing of."""

from dataclasses import replace
from datetime import datetime, timedelta

from time_rig import NOW, SECOND

from headworks.control_gateway.interlocks import (
    Order,
)
from headworks.control_gateway.pump_safety import (
    Duty,
    Keep,
    RunDecision,
    RunFeedback,
    RunLimits,
    RunSituation,
    decide_run,
)
from headworks.control_gateway.safety import DuePlan, Limits, Mode

LIMITS = RunLimits(
    minimum_run_s=7200, minimum_rest_s=3600, start_every_s=60, start_takes_s=30, feedback_stale_after_s=600
)
SPEEDS = Limits(
    minimum=4780,
    maximum=5000,
    rate_per_s=10,
    rate_window_s=10,
    deadband=2,
    plan_stale_after_s=7200,
    feedback_stale_after_s=600,
)
ON = DuePlan(4900, NOW - 60 * SECOND, NOW - 60 * SECOND, NOW + 60 * SECOND)
OFF = replace(ON, requested=0)
STANDS = RunFeedback(running=False, since=NOW - timedelta(days=1), commanded=False, at=NOW)
RUNS = replace(STANDS, running=True, commanded=True)
FREE = Duty()
WAITS = Keep("it waits for its turn: another pump has just been started")


def situation(
    feedback: RunFeedback | None = STANDS,
    plan: DuePlan | None = ON,
    duty: Duty = FREE,
    *,
    mode: Mode = "auto",
    e_stop: bool = False,
    recordable: bool = True,
    ordered: Order | None = None,
    started_at: datetime | None = None,
) -> RunSituation:
    return RunSituation(mode, e_stop, recordable, plan, feedback, duty, ordered, started_at)


def decided(made: RunSituation, now: datetime = NOW) -> RunDecision:
    return decide_run(LIMITS, SPEEDS, made, now)
