"""Turns what is inside (SI and MW) into what people read: display units, labels, and the shapes of single things."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from headworks.common.messages import (
    AlarmTransition,
    Basis,
    ControlState,
    GenericTargets,
    Plan,
    Sample,
    Setpoint,
)
from headworks.dashboard import shapes
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si

HOUR = timedelta(hours=1)
LABELS = {
    names.ELEVATION: "Afterbay elevation",
    names.FLOAT_ELEVATION: "Float elevation",
    names.OXPH_POWER: "OXPH power",
    names.OXPH_GOVERNOR_SETPOINT: "OXPH governor setpoint",
    names.MFRA_POWER: "MFRA power",
    names.MODE: "CCS mode",
}


class Display:
    """A site's display units."""

    def __init__(self, site: AfterbaySite) -> None:
        units = site.display_units
        self._unit_of = {"m": units.elevation, "m**3/s": units.flow, "MW": units.power}
        self._modes = site.afterbay.inflow.modes

    def unit(self, series: str) -> str:
        """The display unit of a series ('' for an enumeration)."""
        return self._unit_of.get(names.unit_of(series), "")

    def value(self, series: str, value: float | None) -> float | None:
        """An inside value of a series as people read it; unknown stays unknown."""
        return None if value is None else self._shown(value, names.unit_of(series))

    def elevation(self, elevation_m: float) -> float:
        """An elevation."""
        return self._shown(elevation_m, "m")

    def flow(self, flow_m3s: float) -> float:
        """A flow."""
        return self._shown(flow_m3s, "m**3/s")

    def power(self, power_mw: float) -> float:
        """A power."""
        return self._shown(power_mw, "MW")

    def _shown(self, value: float, si_unit: str) -> float:
        unit = self._unit_of.get(si_unit)
        return round(from_si(value, si_unit, unit) if unit else value, 4)

    def text(self, sample: Sample) -> str | None:
        """What an enumeration's value means."""
        if sample.series != names.MODE or sample.value is None:
            return None
        return self._modes.get(int(sample.value), f"unknown mode {sample.value:g}")


def label(series: str) -> str:
    """What people call a series: r4_flow_m3s is the R4 flow."""
    if series in LABELS:
        return LABELS[series]
    base = series.removesuffix("_m3s").removesuffix("_mw").removesuffix("_m")
    first, _, rest = base.partition("_")
    gauge = first[:1] == "r" and first[1:2].isdigit()
    return f"{first.upper() if gauge else first.capitalize()} {rest.replace('_', ' ')}".strip()


def input_of(display: Display, sample: Sample, stale_after: timedelta, last_good: Sample | None = None) -> shapes.Input:
    """A sample as the page shows it; the mean of an hour is fresh from that hour's end on."""
    fresh_from = sample.valid_at + (HOUR if sample.basis is Basis.HOUR_MEAN else timedelta())
    value = display.value(sample.series, sample.value)
    good = None
    if last_good is not None:
        good = shapes.Point(at=last_good.valid_at, value=display.value(sample.series, last_good.value))
    return shapes.Input(
        series=sample.series,
        label=label(sample.series),
        unit=display.unit(sample.series),
        value=value,
        text=display.text(sample),
        valid_at=sample.valid_at,
        stale_at=fresh_from + stale_after,
        quality=sample.quality,
        basis=sample.basis,
        substituted=sample.substituted,
        last_good=good,
    )


def points(display: Display, samples: Sequence[Sample]) -> list[shapes.Point]:
    """Instants by time; before the first of them, the means of hours."""
    instants = [s for s in samples if s.basis is Basis.INSTANT]
    first = instants[0].valid_at if instants else None
    means = [s for s in samples if s.basis is Basis.HOUR_MEAN and (first is None or s.valid_at + HOUR <= first)]
    return [shapes.Point(at=s.valid_at, value=display.value(s.series, s.value)) for s in (*means, *instants)]


def control_of(state: ControlState) -> shapes.Control:
    """The gateway's state, in the actuators' own units."""
    resources = [
        shapes.Resource(
            resource=r.resource,
            unit=r.unit,
            requested=r.requested,
            setpoint=r.setpoint,
            read_back=r.read_back,
            actual=r.actual,
            plan_id=r.plan_id,
            plan_age_s=r.plan_age_s,
            link_up=r.link_up,
            fail_safe=r.fail_safe,
            refused=bool(getattr(r, "refused", False)),
            reason=r.reason,
        )
        for r in state.resources
    ]
    return shapes.Control(
        at=state.at, mode=state.mode, e_stop=state.e_stop, e_stop_by=state.e_stop_by, resources=resources
    )


def setpoint_of(entry: Setpoint) -> shapes.SetpointEntry:
    """A journal entry."""
    return shapes.SetpointEntry(
        setpoint_id=entry.setpoint_id,
        resource=entry.resource,
        at=entry.at,
        outcome=entry.outcome,
        unit=entry.unit,
        requested=entry.requested,
        enforced=entry.enforced,
        read_back=entry.read_back,
        reason=entry.reason or "; ".join(entry.violations),
        plan_id=entry.plan_id,
    )


def alarm_of(transition: AlarmTransition) -> shapes.Alarm:
    """An alarm after its change of state."""
    acknowledged = transition.to_state.value == "active_acknowledged"
    return shapes.Alarm(
        alarm=transition.alarm,
        title=transition.title,
        severity=transition.severity,
        state=transition.to_state,
        since=transition.at,
        text=transition.text,
        value=transition.value,
        unit=transition.unit,
        acknowledged_by=transition.by if acknowledged else None,
    )


def plan_steps(plans: Sequence[Plan], unit: str) -> Iterator[shapes.PlanStep]:
    """Plans by time; one without a power target has no value here."""
    for plan in sorted(plans, key=lambda p: (p.interval_start, p.plan_priority)):
        targets = plan.targets
        yield shapes.PlanStep(
            plan_id=plan.plan_id,
            resource=plan.resource_id,
            start=plan.interval_start,
            end=plan.interval_end,
            target=targets.target_value if isinstance(targets, GenericTargets) else None,
            unit=unit,
            version=plan.plan_version,
            priority=plan.plan_priority,
            status=plan.plan_status,
            publisher=plan.publisher,
            run_id=plan.optimization_run_id,
        )
