"""COMPRESSOR: keeps air or gas under pressure. Planned by that pressure, or by its speed or power."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    HertzConstraints,
    KilowattConstraints,
    PressureConstraints,
    Schema,
    Secondary,
    TypedTargets,
    within,
)


class Pressure(TypedTargets):
    """The pressure it shall keep, above the air's."""

    target_type: Literal[TargetType.PRESSURE]
    target_value: Annotated[float, within(0, 400, "bar")]
    secondary_targets: Secondary = Secondary()
    constraints: PressureConstraints = PressureConstraints()


class Speed(TypedTargets):
    """The drive's frequency; 0 is off."""

    target_type: Literal[TargetType.SPEED]
    target_value: Annotated[float, within(0, 400, "Hz")]
    secondary_targets: Secondary = Secondary()
    constraints: HertzConstraints = HertzConstraints()


class Power(TypedTargets):
    """What it shall draw."""

    target_type: Literal[TargetType.POWER]
    target_value: Annotated[float, within(0, 1e6, "kW")]
    secondary_targets: Secondary = Secondary()
    constraints: KilowattConstraints = KilowattConstraints()


SCHEMA = Schema("COMPRESSOR", "A compressor of air or gas", (Pressure, Speed, Power))
