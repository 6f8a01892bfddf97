"""What solving a station's horizon comes to: its schedule, or why there is none."""

from dataclasses import dataclass, field
from enum import StrEnum

from headworks.optimizer.models.pumping_data import Reference
from headworks.waterway.station import StationTrajectory
from headworks.waterway.station_rules import Breach


class StationStatus(StrEnum):
    """How the solve ended."""

    SOLVED = "SOLVED"
    TIMED_OUT = "TIMED_OUT"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class StationSchedule:
    """Frequencies by step and pump (0: off), what they lead to, what it costs [EUR], and which rules break.

    `gap` is of the last round's program; `reference` starts the next solve. Without a schedule the status says why. With
    `gone_on` it is no answer of the program but what the solve began with. `notes` say how far the rounds came.
    """

    status: StationStatus
    reason: str
    frequency_hz: tuple[tuple[float, ...], ...]
    trajectory: StationTrajectory | None
    cost_eur: float | None
    energy_cost_eur: float | None
    gap: float | None
    rounds: int
    first_plan_s: float | None
    total_s: float
    broken: tuple[Breach, ...]
    reference: Reference | None
    terms: dict[str, float] = field(default_factory=dict)
    starts: int = 0
    flush: range = range(0)
    gone_on: bool = False
    notes: tuple[str, ...] = ()
