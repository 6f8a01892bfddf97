"""How the service treats a pumping station: frequencies of its pumps by the quarter hour, against prices and inflow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Literal

from pydantic import BaseModel

from headworks.common.ingest import IngestClient
from headworks.common.messages import Override, PlanInterval, PumpTargets, ResourceType, SolveJob
from headworks.common.problems import FieldProblem, Problem
from headworks.optimizer.afterbay.case import Form
from headworks.optimizer.control_states import ControlStates
from headworks.optimizer.inputs import Assembled, Unknown
from headworks.optimizer.orders import EditedSchedule
from headworks.optimizer.station.case import StationInputs, StationSolution, StationStep
from headworks.optimizer.station.gather import known_of
from headworks.optimizer.station.inputs import assemble
from headworks.optimizer.station.lp import NoProblem, lp_text
from headworks.optimizer.station.orders import frequency_faults, override_faults
from headworks.optimizer.station.recalculate import RecalculatedSchedule, recalculated
from headworks.optimizer.station.settings import planning_of
from headworks.optimizer.station.strategies import default_document
from headworks.optimizer.store import Run, RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.waterway.quantities import in_unit
from headworks.waterway.station_site import StationSite

M3S_TO_M3H = 3600.0


class StationResult(BaseModel):
    """A run's record and its answer; with the level at the start of its first step its forecast is whole."""

    kind: Literal["pumping_station"] = "pumping_station"
    run: Run
    solution: StationSolution | None
    initial_level_m: float | None = None


@dataclass(frozen=True, slots=True)
class StationKind:
    """A pumping station, what outside planners ask of it, and what its gateway says of its pumps."""

    site: StationSite
    strategies: StrategyStore
    control: ControlStates = field(default_factory=ControlStates)

    def __post_init__(self) -> None:
        """Refuse a site file that nothing can be planned from, before a run meets it. Raises ValueError naming the field."""
        planning_of(self.site)
        default_document(self.site)

    @property
    def case_type(self) -> type[StationInputs]:
        """Its problem."""
        return StationInputs

    @property
    def answer_type(self) -> type[StationSolution]:
        """Its answer."""
        return StationSolution

    @property
    def time_limit_s(self) -> float:
        """Of all rounds together."""
        return in_unit(self.site.section("schedule")["time_limit"], "s")

    async def assembled(
        self, ingest: IngestClient, store: RunStore, _job: SolveJob, now: datetime
    ) -> Assembled[StationInputs] | Unknown:
        """The problem from the step that holds `now` on. Raises IngestAway."""
        state = self.control.newest(self.site.site)
        known = await known_of(self.site, ingest, store, self.strategies, state, now)
        return assemble(self.site, known, now)

    def intervals(self, answer: StationSolution, now: datetime) -> tuple[PlanInterval, ...]:
        """One interval a step for every pump, speeds in whole hundredths of a hertz."""
        begin = now.replace(second=0, microsecond=0)
        step = timedelta(seconds=in_unit(self.site.section("schedule")["step"], "s"))
        resources = [pump.resource for pump in self.site.pumping_station.pumps]
        return tuple(i for resource in resources for i in self._intervals(resource, answer.steps, step, begin))

    def _intervals(
        self, resource: str, steps: Sequence[StationStep], length: timedelta, begin: datetime
    ) -> Iterator[PlanInterval]:
        for step in steps:
            start, end = max(step.start, begin), step.start + length
            if start < end:
                yield PlanInterval(
                    resource=resource,
                    resource_type=ResourceType.PUMP,
                    interval_start=start,
                    interval_end=end,
                    targets=self._targets(resource, step),
                )

    def _targets(self, resource: str, step: StationStep) -> PumpTargets:
        """A speed is rounded down: the outflow stays within its limit."""
        rules, asked_hz = self.site.pumping_station.rules, step.frequency_hz[resource]
        within_hz = max(rules.minimum_frequency, min(rules.maximum_frequency, floor(asked_hz * 100 + 1e-6) / 100))
        power_mw = step.pump_power_mw.get(resource)
        return PumpTargets(
            suggested_speed_hz=within_hz if asked_hz > 0 else 0.0,
            target_flow_m3h=round(step.flow_m3s[resource] * M3S_TO_M3H, 2),
            target_power_kw=None if power_mw is None else round(power_mw * 1000, 2),
            target_level_m=round(step.level_m, 3),
        )

    def override_faults(self, overrides: Sequence[Override], _now: datetime) -> list[FieldProblem]:
        """Nothing may be given by hand."""
        return override_faults(self.site, overrides)

    def result(self, run: Run, case: StationInputs | None, answer: StationSolution | None) -> StationResult:
        """With the level that the schedule begins at."""
        return StationResult(run=run, solution=answer, initial_level_m=case.level_m if case is not None else None)

    def recalculated(
        self, run: Run, case: StationInputs, answer: StationSolution | None, edited: EditedSchedule
    ) -> RecalculatedSchedule:
        """A forward simulation of the run's inflow. Raises Problem."""
        if answer is None or not answer.steps:
            raise Problem(404, "The run has no schedule", f"run_id={run.run_id}: {run.status_reason or run.stage}")
        wrong = frequency_faults(self.site, len(answer.steps), edited.frequency_hz)
        if edited.setpoint_mw is not None:
            expected = "nothing: a pumping station has frequencies"
            wrong.append(FieldProblem(field="setpoint_mw", value=len(edited.setpoint_mw), expected=expected))
        if wrong or edited.frequency_hz is None:
            raise Problem(422, "The request is not valid", errors=wrong)
        return recalculated(self.site, case, answer.steps, edited.frequency_hz, answer.flush_window)

    def lp_text(self, case: StationInputs, _form: Form) -> str:
        """Of the first round. Raises Problem."""
        try:
            return lp_text(self.site, case)
        except NoProblem as error:
            raise Problem(404, "The run has no model", str(error)) from error
