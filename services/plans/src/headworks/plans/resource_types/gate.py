"""GATE: holds a river or a canal back. Planned by opening, or by the water it shall pass or keep."""

from typing import Annotated, Literal

from headworks.common.messages import TargetType
from headworks.plans.typed_targets import (
    CUBIC_METRES_PER_SECOND,
    HydropowerSecondary,
    LevelConstraints,
    PercentConstraints,
    RiverFlowConstraints,
    Schema,
    TypedTargets,
    within,
)


class Position(TypedTargets):
    """How far it is open: 0 is shut."""

    target_type: Literal[TargetType.POSITION]
    target_value: Annotated[float, within(0, 100, "%")]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: PercentConstraints = PercentConstraints()


class Flow(TypedTargets):
    """The water it shall pass."""

    target_type: Literal[TargetType.FLOW]
    target_value: Annotated[float, within(0, 1e5, CUBIC_METRES_PER_SECOND)]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: RiverFlowConstraints = RiverFlowConstraints()


class Level(TypedTargets):
    """The headwater elevation it shall keep."""

    target_type: Literal[TargetType.LEVEL]
    target_value: Annotated[float, within(-500, 9000, "m")]
    secondary_targets: HydropowerSecondary = HydropowerSecondary()
    constraints: LevelConstraints = LevelConstraints()


SCHEMA = Schema("GATE", "A gate of a dam, a weir or a canal", (Position, Flow, Level))
