"""VALVE: opens and shuts a pipe. Planned by position, or by what it shall keep."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    CUBIC_METRES_PER_HOUR,
    FlowConstraints,
    PercentConstraints,
    PressureConstraints,
    Schema,
    Secondary,
    TypedTargets,
    within,
)


class Position(TypedTargets):
    """How far it is open: 0 is shut."""

    target_type: Literal[TargetType.POSITION]
    target_value: Annotated[float, within(0, 100, "%")]
    secondary_targets: Secondary = Secondary()
    constraints: PercentConstraints = PercentConstraints()


class Flow(TypedTargets):
    """What it shall let through."""

    target_type: Literal[TargetType.FLOW]
    target_value: Annotated[float, within(0, 1e6, CUBIC_METRES_PER_HOUR)]
    secondary_targets: Secondary = Secondary()
    constraints: FlowConstraints = FlowConstraints()


class Pressure(TypedTargets):
    """The pressure it shall keep behind it."""

    target_type: Literal[TargetType.PRESSURE]
    target_value: Annotated[float, within(0, 100, "bar")]
    secondary_targets: Secondary = Secondary()
    constraints: PressureConstraints = PressureConstraints()


SCHEMA = Schema("VALVE", "A control valve", (Position, Flow, Pressure))
