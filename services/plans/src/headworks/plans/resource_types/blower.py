"""BLOWER: aerates a basin. Planned by speed, or by what it shall give."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    CUBIC_METRES_PER_HOUR,
    FlowConstraints,
    HertzConstraints,
    KilowattConstraints,
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
    """Air, as it is drawn in."""

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


class Pressure(TypedTargets):
    """The pressure it shall keep in the air main."""

    target_type: Literal[TargetType.PRESSURE]
    target_value: Annotated[float, within(0, 10, "bar")]
    secondary_targets: Secondary = Secondary()
    constraints: PressureConstraints = PressureConstraints()


SCHEMA = Schema("BLOWER", "A blower with a drive", (Speed, Flow, Power, Pressure))
