"""Turns what is inside (SI and MW) into what people read: display units, labels, and the shapes of single things."""

from collections.abc import Sequence
from datetime import timedelta

from headworks.common.messages import (
    AlarmTransition,
    Basis,
    ControlState,
    Sample,
    Setpoint,
)
from headworks.dashboard import shapes
from headworks.dashboard.answers import RunRecord
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite

HOUR = timedelta(hours=1)
LABELS = {
    names.ELEVATION: "Afterbay elevation",
    names.FLOAT_ELEVATION: "Float elevation",
    names.OXPH_POWER: "OXPH power",
    names.OXPH_GOVERNOR_SETPOINT: "OXPH governor setpoint",
    names.MFRA_POWER: "MFRA power",
    names.MODE: "CCS mode",
    names.TUNNEL_INFLOW: "Inflow to the tunnel",
    names.STATION_OUTFLOW: "Outflow to the plant",
    names.PRICE: "Day-ahead price",
}
PUMP_QUANTITIES = ("frequency", "flow", "power")


class Display:
    """A site's display units and labels."""

    def __init__(self, site: AnySite) -> None:
        units = site.display_units
        self._unit_of = {"m": units.elevation, "m**3/s": units.flow, "m**3": units.volume, "MW": units.power}
        match site:
            case AfterbaySite():
                self._modes, self._labels = site.afterbay.inflow.modes, LABELS
            case StationSite():
                self._modes, self._labels = {}, LABELS | _pump_labels(site)

    def unit(self, series: str) -> str:
        """The display unit of a series ('' for an enumeration)."""
        si_unit = names.unit_of(series)
        return self._unit_of.get(si_unit, si_unit)

    def label(self, series: str) -> str:
        """What people call a series: r4_flow_m3s is the R4 flow, p1_1_power_mw the power of pump 1.1."""
        return self._labels.get(series) or label(series)

    def value(self, series: str, value: float | None) -> float | None:
        """An inside value of a series as people read it; unknown stays unknown."""
        return None if value is None else self._shown(value, names.unit_of(series))

    def elevation(self, elevation_m: float) -> float:
        """An elevation or a level."""
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


def _pump_labels(site: StationSite) -> dict[str, str]:
    return {
        names.pump_series(pump.resource, quantity): f"Pump {pump.name} {quantity}"
        for pump in site.pumping_station.pumps
        for quantity in PUMP_QUANTITIES
    }


def label(series: str) -> str:
    """A series' name in words: r4_flow_m3s is the R4 flow."""
    if series in LABELS:
        return LABELS[series]
    base = next((series.removesuffix(f"_{end}") for end in names.SI_UNITS if series.endswith(f"_{end}")), series)
    first, _, rest = base.partition("_")
    gauge = first[:1] == "r" and first[1:2].isdigit()
    return f"{first.upper() if gauge else first.capitalize()} {rest.replace('_', ' ')}".strip()


def input_of(display: Display, sample: Sample, stale_after: timedelta, last_good: Sample | None = None) -> shapes.Input:
    """A sample as the page shows it; the mean of a span is fresh from that span's end on."""
    fresh_from = sample.valid_at + sample.basis.span
    value = display.value(sample.series, sample.value)
    good = None
    if last_good is not None:
        good = shapes.Point(at=last_good.valid_at, value=display.value(sample.series, last_good.value))
    return shapes.Input(
        series=sample.series,
        label=display.label(sample.series),
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
    """Instants by time; before the first of them, the means of hours or quarter hours."""
    instants = [s for s in samples if s.basis is Basis.INSTANT]
    first = instants[0].valid_at if instants else None
    means = [
        s for s in samples if s.basis is not Basis.INSTANT and (first is None or s.valid_at + s.basis.span <= first)
    ]
    return [shapes.Point(at=s.valid_at, value=display.value(s.series, s.value)) for s in (*means, *instants)]


def control_of(state: ControlState) -> shapes.Control:
    """The gateway's state, in the actuators' own units."""
    resources = [shapes.Resource.model_validate(resource.model_dump()) for resource in state.resources]
    return shapes.Control(
        at=state.at,
        mode=state.mode,
        e_stop=state.e_stop,
        e_stop_by=state.e_stop_by,
        resources=resources,
        interlock=state.interlock,
        e_stop_scope=state.e_stop_scope,
        e_stop_clear_requested_by=state.e_stop_clear_requested_by,
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
        quantity=entry.quantity,
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


def run_of(run: RunRecord) -> shapes.RunState:
    """How a run stands or ended."""
    return shapes.RunState.model_validate(run.model_dump(exclude={"mfra_summary", "inputs"}))


def run_inputs(display: Display, run: RunRecord) -> list[shapes.RunInput]:
    """What the run was made of."""
    return [
        shapes.RunInput(
            series=use.series,
            label=display.label(use.series),
            source=use.source,
            valid_at=use.valid_at,
            age_s=use.age_s,
            stale=use.stale,
            substituted=use.substituted,
        )
        for use in run.inputs or []
    ]
