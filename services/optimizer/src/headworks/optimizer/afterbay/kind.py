"""How the service treats an afterbay: hourly setpoints of one unit, from forecasts of streams and of the market."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import Literal

from pydantic import BaseModel

from headworks.common.ingest import IngestClient
from headworks.common.messages import (
    GenericTargets,
    Override,
    PlanInterval,
    ResourceType,
    SolveJob,
    TargetType,
)
from headworks.common.problems import FieldProblem, Problem
from headworks.optimizer.afterbay.case import Case, Form, Hour, Solution, options_of
from headworks.optimizer.afterbay.gather import known_of
from headworks.optimizer.afterbay.inputs import assemble
from headworks.optimizer.afterbay.orders import override_faults, setpoint_faults
from headworks.optimizer.afterbay.solve import lp_text, recalculated
from headworks.optimizer.inputs import Assembled, Unknown
from headworks.optimizer.orders import EditedSchedule
from headworks.optimizer.store import Run, RunStore
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.quantities import in_unit


class AfterbayResult(BaseModel):
    """A run's record and its answer; with the elevation at the start of its first hour its forecast is whole."""

    kind: Literal["afterbay"] = "afterbay"
    run: Run
    solution: Solution | None
    initial_elevation_m: float | None = None


@dataclass(frozen=True, slots=True)
class AfterbayKind:
    """An afterbay."""

    site: AfterbaySite

    @property
    def case_type(self) -> type[Case]:
        """Its problem."""
        return Case

    @property
    def answer_type(self) -> type[Solution]:
        """Its answer."""
        return Solution

    @property
    def time_limit_s(self) -> float:
        """As the site file says."""
        return options_of(self.site).time_limit_s

    async def assembled(
        self, ingest: IngestClient, _store: RunStore, job: SolveJob, now: datetime
    ) -> Assembled[Case] | Unknown:
        """The case of the hours from now on. Raises IngestAway."""
        known = await known_of(self.site, ingest, now)
        horizon_h = round(in_unit(self.site.section("schedule")["horizon"], "hour"))
        return assemble(self.site, known, options_of(self.site), job.overrides, now, horizon_h)

    def intervals(self, answer: Solution, now: datetime) -> tuple[PlanInterval, ...]:
        """One interval an hour, setpoints in whole hundredths of a MW.

        A setpoint is rounded down: what head or ramp cannot give is not asked.
        """
        begin, hours = now.replace(second=0, microsecond=0), answer.hours
        intervals = []
        for hour, following in zip(hours, [*(h.start for h in hours[1:]), None], strict=True):
            end = following or hour.start + (hours[1].start - hours[0].start)
            start = max(hour.start, begin)
            if start < end:
                intervals.append(self._interval(hour, start, end))
        return tuple(intervals)

    def _interval(self, hour: Hour, start: datetime, end: datetime) -> PlanInterval:
        unit = self.site.afterbay.unit
        setpoint_mw = max(unit.min_power, min(unit.max_power, floor(hour.setpoint_mw * 100 + 1e-6) / 100))
        return PlanInterval(
            resource=unit.resource,
            resource_type=ResourceType.TURBINE,
            interval_start=start,
            interval_end=end,
            targets=GenericTargets(
                target_type=TargetType.POWER,
                target_value=setpoint_mw,
                secondary_targets={
                    "flow_m3s": round(hour.outflow_m3s, 4),
                    "level_m": round(hour.elevation_m, 4),
                    "power_mw": round(hour.power_mw, 4),
                },
            ),
        )

    def override_faults(self, overrides: Sequence[Override], now: datetime) -> list[FieldProblem]:
        """Streams and MFRA by hour."""
        return override_faults(self.site, overrides, now)

    def result(self, run: Run, case: Case | None, answer: Solution | None) -> AfterbayResult:
        """With the elevation that the schedule begins at."""
        elevation_m = case.initial_elevation_m if case is not None else None
        return AfterbayResult(run=run, solution=answer, initial_elevation_m=elevation_m)

    def recalculated(self, _run: Run, case: Case, _answer: Solution | None, edited: EditedSchedule) -> list[Hour]:
        """A forward simulation of the run's case. Raises Problem."""
        wrong = setpoint_faults(self.site, case, edited.setpoint_mw)
        if edited.frequency_hz is not None:
            expected = "nothing: an afterbay has setpoints"
            wrong.append(FieldProblem(field="frequency_hz", value=len(edited.frequency_hz), expected=expected))
        if wrong or edited.setpoint_mw is None:
            raise Problem(422, "The request is not valid", errors=wrong)
        try:
            return list(recalculated(self.site, case, edited.setpoint_mw))
        except OutOfRange as error:
            raise Problem(422, "The reservoir leaves its surveyed range", str(error)) from error

    def lp_text(self, case: Case, form: Form) -> str:
        """With its integer options."""
        return lp_text(self.site, case, form)
