"""The site model of a pumping station on a tunnel: volume, pumps and rules, read with units, checked, and held in SI."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from headworks.waterway import quantities as q
from headworks.waterway.pumps import Parabola, Pump, PumpType
from headworks.waterway.site import Section, Site
from headworks.waterway.station import Station
from headworks.waterway.station_rules import StationRules
from headworks.waterway.tunnel import Piece, TunnelVolume

Resource = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$")]


class PieceSection(Section):
    """volume = a·(L − origin)² + b·(L − origin) + c between two levels."""

    from_: q.Metres = Field(alias="from")
    to: q.Metres
    origin: q.Metres
    a: q.CubicMetresPerSquareMetre
    b: q.SquareMetres
    c: q.CubicMetres


class Tunnel(Section):
    """The store: its volume by level, from the lowest piece up, and the level it is pumped to."""

    outlet_level: q.Metres
    volume: Annotated[tuple[PieceSection, ...], Field(min_length=1)]


class HeadCurve(Section):
    """head = constant + linear·q + square·q² at nominal speed."""

    constant: q.Metres
    linear: q.MetresPerFlow
    square: q.MetresPerFlowSquared


class PowerCurve(Section):
    """power = constant + linear·q + square·q² at nominal speed."""

    constant: q.Megawatts
    linear: q.MegawattsPerFlow
    square: q.MegawattsPerFlowSquared


class Make(Section):
    """The curves that pumps of one make share."""

    nominal_frequency: q.Hertz
    minimum_flow: q.CubicMetresPerSecond = Field(ge=0, description="where the curves begin, at nominal speed")
    head: HeadCurve
    power: PowerCurve


class PumpSection(Section):
    """One pump: what plans and registers call it, its make, and how it differs from that."""

    name: str
    resource: Resource
    make: str
    losses: q.Metres
    power_factor: float = Field(gt=0)


class Rules(Section):
    """The limits of the station."""

    minimum_level: q.Metres
    maximum_level: q.Metres
    alarm_level: q.Metres
    minimum_frequency: q.Hertz
    maximum_frequency: q.Hertz
    maximum_outflow: q.CubicMetresPerSecond
    minimum_run: q.Seconds
    minimum_rest: q.Seconds
    minimum_pumps_on: int = Field(ge=0)
    emptied_level: q.Metres
    dry_day_inflow: q.CubicMetres = Field(description="a local day with at most so much inflow is dry")

    @model_validator(mode="after")
    def _ordered(self) -> "Rules":
        if not 0 <= self.minimum_level < self.emptied_level < self.alarm_level <= self.maximum_level:
            raise ValueError(
                "0 <= minimum_level < emptied_level < alarm_level <= maximum_level must hold; got "
                f"{self.minimum_level}, {self.emptied_level}, {self.alarm_level}, {self.maximum_level} m"
            )
        if not 0 < self.minimum_frequency <= self.maximum_frequency:
            raise ValueError(
                "0 < minimum_frequency <= maximum_frequency must hold; got "
                f"{self.minimum_frequency} and {self.maximum_frequency} Hz"
            )
        if self.maximum_outflow <= 0:
            raise ValueError(f"maximum_outflow={self.maximum_outflow} m³/s must be above zero")
        return self


class PumpingStation(Section):
    """The physics and rules of a pumping station."""

    tunnel: Tunnel
    makes: Annotated[dict[str, Make], Field(min_length=1)]
    pumps: Annotated[tuple[PumpSection, ...], Field(min_length=1)]
    rules: Rules

    @model_validator(mode="after")
    def _consistent(self) -> "PumpingStation":
        for pump in self.pumps:
            if pump.make not in self.makes:
                raise ValueError(f"pumps: {pump.name}: make={pump.make!r} must be one of {sorted(self.makes)}")
        for field in ("name", "resource"):
            values = [getattr(pump, field) for pump in self.pumps]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"pumps: each {field} must be given once; twice are {twice}")
        top_m = self.station.tunnel.pieces[-1].to_m
        if self.rules.maximum_level > top_m:
            raise ValueError(f"rules: maximum_level={self.rules.maximum_level} m is above the tunnel's {top_m} m")
        return self

    @property
    def station(self) -> Station:
        """The station's physics."""
        pieces = tuple(Piece(p.from_, p.to, p.origin, p.a, p.b, p.c) for p in self.tunnel.volume)
        makes = {name: _pump_type(make) for name, make in self.makes.items()}
        pumps = tuple(Pump(p.name, makes[p.make], p.losses, p.power_factor) for p in self.pumps)
        return Station(TunnelVolume(pieces), self.tunnel.outlet_level, pumps)

    def limits(self, step_s: float) -> StationRules:
        """The rules for steps of a length; runs and rests in whole steps, never shorter than they are in time."""
        rules = self.rules
        return StationRules(
            minimum_level_m=rules.minimum_level,
            maximum_level_m=rules.maximum_level,
            minimum_hz=rules.minimum_frequency,
            maximum_hz=rules.maximum_frequency,
            maximum_outflow_m3s=rules.maximum_outflow,
            minimum_run_steps=_steps(rules.minimum_run, step_s),
            minimum_rest_steps=_steps(rules.minimum_rest, step_s),
            emptied_level_m=rules.emptied_level,
            minimum_pumps_on=rules.minimum_pumps_on,
        )

    def place_of(self, resource: str) -> int:
        """The place of a pump among the station's by its resource. Raises ValueError."""
        names = [pump.resource for pump in self.pumps]
        if resource not in names:
            raise ValueError(f"resource={resource!r} must be one of {', '.join(names)}")
        return names.index(resource)


def _steps(seconds: float, step_s: float) -> int:
    return -int(-seconds // step_s)


def _pump_type(make: Make) -> PumpType:
    head, power = make.head, make.power
    return PumpType(
        Parabola(head.constant, head.linear, head.square),
        Parabola(power.constant, power.linear, power.square),
        make.nominal_frequency,
        make.minimum_flow,
    )


class StationSite(Site):
    """A site file whose model is a pumping station."""

    model: Literal["pumping_station"]
    pumping_station: PumpingStation

    @property
    def high_high_level_m(self) -> float | None:
        """The level above which the gateway's interlock starts pumps whatever the plan says; None where the site has none."""
        return self._interlock_m("high_high", "start_above")

    @property
    def low_low_level_m(self) -> float | None:
        """The level below which the gateway's interlock stops every pump whatever the plan says; None where the site has none."""
        return self._interlock_m("low_low", "stop_below")

    def _interlock_m(self, interlock: str, field: str) -> float | None:
        pumps = (self.model_extra or {}).get("control", {}).get("pumps", {})
        limits = pumps.get(interlock) if isinstance(pumps, dict) else None
        return None if limits is None else q.in_unit(limits[field], "m")
