"""TURBINE: makes power of water. Planned by power, or by the water it shall use or its wicket gates."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    CUBIC_METRES_PER_SECOND,
    HydropowerSecondary,
    MegawattConstraints,
    PercentConstraints,
    RiverFlowConstraints,
    Schema,
    TypedTargets,
    within,
)


class Power(TypedTargets):
    """What it shall generate; below zero a pump-turbine pumps."""

    target_type: Literal[TargetType.POWER]
    target_value: Annotated[float, within(-1000, 1000, "MW")]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: MegawattConstraints = MegawattConstraints()


class Flow(TypedTargets):
    """The water it shall use."""

    target_type: Literal[TargetType.FLOW]
    target_value: Annotated[float, within(0, 1e4, CUBIC_METRES_PER_SECOND)]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: RiverFlowConstraints = RiverFlowConstraints()


class Position(TypedTargets):
    """How far the wicket gates are open: 0 is shut."""

    target_type: Literal[TargetType.POSITION]
    target_value: Annotated[float, within(0, 100, "%")]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: PercentConstraints = PercentConstraints()


SCHEMA = Schema("TURBINE", "A turbine or a whole powerhouse", (Power, Flow, Position))
