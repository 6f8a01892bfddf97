"""What a site's interlocks, its people's orders and the watchdog say of each actuator, gathered for who leads (leading.py)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headworks.common.messages import ControlMode, Measurements, Outcome, SetpointOverride
from headworks.control_gateway.known import Known
from headworks.control_gateway.leading import Lead, Leader, Wishes, at_once
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.orders import OrderBook, strictest
from headworks.control_gateway.recording import Recorder
from headworks.control_gateway.safety import DuePlan
from headworks.control_gateway.section import SILENT_AFTER_S, WatchdogSection
from headworks.control_gateway.trip_board import TripBoard
from headworks.control_gateway.watchdog import Heard, Measured, WatchLimits, measured_until, silence
from headworks.waterway.series import si_series

TOLD = {
    Leader.PLAN: "the plan leads again",
    Leader.FAIL_SAFE: "fail-safe: ",
    Leader.LOCAL: "fail-safe: ",
    Leader.PLANT: "",
    Leader.OVERRIDE: "",
    Leader.INTERLOCK: "",
}
"""How the journal begins to tell who leads now."""


@dataclass
class LeadBoard:
    """Of one site. Until something is measured, all that control rests on counts as measured when the gateway began."""

    trips: TripBoard
    orders: OrderBook
    watch: WatchLimits
    begun_at: datetime

    def __post_init__(self) -> None:
        """Nothing is heard yet."""
        self._measured_at: Mapping[Measured, datetime] = dict.fromkeys(self.watch.rests_on, self.begun_at)

    def mode(self, site: ControlMode, resource: str) -> ControlMode:
        """Of the actuator's and its site's mode the stricter."""
        return strictest(site, self.orders.mode_of(resource))

    def silence(self, plan_at: datetime | None, now: datetime) -> str | None:
        """Who has been silent for too long to follow a plan; `plan_at` is when its publisher last made one."""
        return silence(self.watch, Heard(plan_at, self._measured_at), now)

    def hear(self, came: Measurements, now: datetime) -> None:
        """A source gave samples."""
        self._measured_at = measured_until(self._measured_at, came, now)

    def wishes(
        self, actuator: Actuator, silent: str | None, local: str | None, now: datetime, plan: DuePlan | None = None
    ) -> Wishes:
        """All who would lead the actuator; what a plan asks of a pump its calculators add."""
        acting = self.trips.acting_on(actuator.resource)
        override = self.orders.override_of(actuator.resource, now)
        counts = actuator.fail_safe_counts
        return Wishes(
            plan=plan,
            silent=silent,
            fail_safe=None if counts is None else at_once(counts, now),
            hands_to_local=actuator.fail_safe == "hand_to_local",
            local=local,
            override=None if override is None else at_once(actuator.counts(override.value), now),
            override_by="" if override is None else _by(override, actuator),
            interlock=None if acting is None else acting[0],
            interlock_why="" if acting is None else acting[1],
            undetermined=self.trips.undetermined(actuator.resource, now),
        )


def watch_limits_of(section: WatchdogSection) -> WatchLimits:
    """How long silence is borne, as the site file says."""
    rests_on = (Measured(source, si_series(s).name) for source, names in section.measurements.items() for s in names)
    measured_s = section.measurements_silent_after
    if measured_s is None and section.measurements:
        measured_s = SILENT_AFTER_S
    return WatchLimits(section.plan_updates_silent_after, measured_s, tuple(rests_on))


def announced(recorder: Recorder, actuator: Actuator, known: Known, lead: Lead, now: datetime) -> Known:
    """The journal tells once who leads from now on and why; where it cannot be written, again at the next tick."""
    key = (lead.by, lead.why)
    before = known.told or (Leader.PLAN, "")
    if not lead.news or key == before:
        return known
    reason = TOLD[lead.by] + lead.why
    told = recorder.setpoint(actuator, known.plan, Outcome.HELD, now, reason=reason)
    return known._replace(told=key if told else known.told)


def _by(override: SetpointOverride, actuator: Actuator) -> str:
    return f"{override.by} until {override.until:%Y-%m-%d %H:%M} UTC, {override.value:g} {actuator.unit}: {override.reason}"
