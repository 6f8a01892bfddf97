"""Who leads an actuator now: an interlock stands over a person's override, that over the plan, and that over a fail-safe. Pure.

Above all of these stand e-stop and the mode, which the decisions themselves ask (safety.py, pump_safety.py), and of pumps the
level interlocks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from headworks.control_gateway.safety import DuePlan, Hold, Refused
from headworks.control_gateway.trips import Interlock


class Leader(StrEnum):
    """Who leads. Of `local` and `plant` the PLC's own control does: handed over by the gateway, or by somebody at the plant."""

    PLAN = "plan"
    FAIL_SAFE = "fail_safe"
    LOCAL = "local"
    PLANT = "plant"
    OVERRIDE = "override"
    INTERLOCK = "interlock"


@dataclass(frozen=True, slots=True)
class Wishes:
    """All who would lead an actuator. `silent` says why its plan is not followed; `local` that somebody at the
    plant leads.

    `undetermined` names an interlock of which nobody can say yet whether it is tripped.
    """

    plan: DuePlan | None = None
    silent: str | None = None
    fail_safe: DuePlan | None = None
    hands_to_local: bool = False
    local: str | None = None
    override: DuePlan | None = None
    override_by: str = ""
    interlock: Interlock | None = None
    interlock_why: str = ""
    undetermined: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads, what is due from it as a setpoint, and why it leads.

    `run` is what a pump is started and stopped by. `barred` stands instead of any write, `stops` says that a pump must stand.
    What is no `news` is not journalled.
    """

    by: Leader
    due: DuePlan | None
    why: str = ""
    run: DuePlan | None = None
    barred: Hold | Refused | None = None
    stops: bool = False
    news: bool = True

    @property
    def by_the_plc(self) -> bool:
        """Whether the PLC's own control leads: then nothing is written but the stop of an e-stop."""
        return self.by in {Leader.LOCAL, Leader.PLANT}


NO_PLAN = "no plan is in force"


def leading(resource: str, wishes: Wishes, now: datetime) -> Lead:
    """Who leads the actuator, and what is due."""
    if wishes.local is not None:
        return _by_the_plc(Leader.PLANT, wishes.local)
    if wishes.interlock is not None:
        return _by_interlock(resource, wishes.interlock, wishes, now)
    return _without_interlock(wishes)


def _without_interlock(wishes: Wishes) -> Lead:
    if wishes.undetermined is not None:
        why = f"interlock {wishes.undetermined}: its points have not been read yet"
        return Lead(Leader.INTERLOCK, None, why, barred=Hold(why), news=False)
    if wishes.override is not None:
        return Lead(Leader.OVERRIDE, wishes.override, f"override by {wishes.override_by}", wishes.override)
    if wishes.silent is None and wishes.plan is not None:
        return Lead(Leader.PLAN, wishes.plan, run=wishes.plan)
    lacking = wishes.silent or NO_PLAN
    if wishes.hands_to_local:
        return _by_the_plc(Leader.LOCAL, f"handed to local control: {lacking}")
    return Lead(Leader.FAIL_SAFE, wishes.fail_safe, lacking)


def _by_the_plc(by: Leader, why: str) -> Lead:
    return Lead(by, None, why, barred=Hold(why))


def _by_interlock(resource: str, interlock: Interlock, wishes: Wishes, now: datetime) -> Lead:
    """An interlock that asks a value leaves it to whom it stands over whether a pump runs."""
    why = f"interlock {interlock.name}: {wishes.interlock_why}"
    match interlock.action:
        case "value":
            return Lead(Leader.INTERLOCK, at_once(interlock.counts[resource], now), why, _without_interlock(wishes).run)
        case "refuse":
            return Lead(Leader.INTERLOCK, None, why, barred=Refused((why,)))
        case "hold":
            return Lead(Leader.INTERLOCK, None, why, barred=Hold(why))
        case "stop":
            return Lead(Leader.INTERLOCK, None, why, barred=Hold(why), stops=True)


def speed_led(lead: Lead, called_for: Lead | None) -> Lead:
    """Who leads a pump's speed: what the level asks stands above all that only bars wishes (`hold`, `refuse`, `value`).

    It does not stand above the PLC's own control, nor above what lets the pump not run.
    """
    return lead if called_for is None or lead.by_the_plc or lead.stops else called_for


def at_once(requested: float, now: datetime) -> DuePlan:
    """What a person, an interlock or a fail-safe asks: now, and for now only."""
    return DuePlan(requested, now, now, now + timedelta(seconds=1), within="station")
