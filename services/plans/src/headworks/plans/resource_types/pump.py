"""PUMP: moves water by its speed. Planned by one target, or by the columns of pump_plans."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    CUBIC_METRES_PER_HOUR,
    FlowConstraints,
    HertzConstraints,
    KilowattConstraints,
    LevelConstraints,
    Part,
    PressureConstraints,
    Schema,
    Secondary,
    TypedTargets,
    within,
)


class Speed(TypedTargets):
    """The drive's frequency; 0 is off."""

    target_type: Literal[TargetType.SPEED]
    target_value: Annotated[float, within(0, 60, "Hz")]
    secondary_targets: Secondary = Secondary()
    constraints: HertzConstraints = HertzConstraints()


class Flow(TypedTargets):
    """What it shall deliver."""

    target_type: Literal[TargetType.FLOW]
    target_value: Annotated[float, within(0, 1e6, CUBIC_METRES_PER_HOUR)]
    secondary_targets: Secondary = Secondary()
    constraints: FlowConstraints = FlowConstraints()


class Power(TypedTargets):
    """What it shall draw."""

    target_type: Literal[TargetType.POWER]
    target_value: Annotated[float, within(0, 1e6, "kW")]
    secondary_targets: Secondary = Secondary()
    constraints: KilowattConstraints = KilowattConstraints()


class Level(TypedTargets):
    """The level it shall keep, in its sump or its tank."""

    target_type: Literal[TargetType.LEVEL]
    target_value: Annotated[float, within(-999.99, 9999.99, "m")]
    secondary_targets: Secondary = Secondary()
    constraints: LevelConstraints = LevelConstraints()


class Pressure(TypedTargets):
    """The pressure it shall keep behind it."""

    target_type: Literal[TargetType.PRESSURE]
    target_value: Annotated[float, within(0, 100, "bar")]
    secondary_targets: Secondary = Secondary()
    constraints: PressureConstraints = PressureConstraints()


class Columns(Part):
    """The columns of pump_plans. What a column cannot hold, and what is below zero and cannot be, is refused."""

    kind: Literal["pump"]
    target_flow_m3h: Annotated[float | None, within(0, 99_999_999.99, CUBIC_METRES_PER_HOUR)] = None
    target_power_kw: Annotated[float | None, within(0, 99_999_999.99, "kW")] = None
    target_level_m: Annotated[float | None, within(-999.99, 999.99, "m")] = None
    suggested_speed_hz: Annotated[float | None, within(0, 60, "Hz")] = None


SCHEMA = Schema("PUMP", "A pump with a drive", (Speed, Flow, Power, Level, Pressure), Columns)
