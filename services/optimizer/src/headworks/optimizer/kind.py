"""What differs between kinds of sites, and which kind a site is; the queue, the worker, the API and the store are of all.

The types of a case and its answer are the kind's own: a run of a site is read by the site's kind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar, assert_never

from pydantic import Field

from headworks.common.ingest import IngestClient
from headworks.common.messages import Override, PlanInterval, SolveJob
from headworks.common.problems import FieldProblem
from headworks.optimizer.afterbay.case import Form, Hour
from headworks.optimizer.afterbay.kind import AfterbayKind, AfterbayResult
from headworks.optimizer.control_states import ControlStates
from headworks.optimizer.inputs import Assembled, Unknown
from headworks.optimizer.orders import EditedSchedule
from headworks.optimizer.station.kind import StationKind, StationResult
from headworks.optimizer.station.recalculate import RecalculatedSchedule
from headworks.optimizer.store import Run, RunStore
from headworks.optimizer.strategy_store import StrategyStore
from headworks.optimizer.values import Answer, Value
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site import Site
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite

C = TypeVar("C", bound=Value)
A = TypeVar("A", bound=Answer)
Result = Annotated[AfterbayResult | StationResult, Field(discriminator="kind")]
Recalculated = list[Hour] | RecalculatedSchedule


class Kind(Protocol[C, A]):
    """A site with what its kind does in its own way."""

    @property
    def site(self) -> Site:
        """The site."""

    @property
    def case_type(self) -> type[C]:
        """What a solve is asked."""

    @property
    def answer_type(self) -> type[A]:
        """What a solve answers."""

    @property
    def time_limit_s(self) -> float:
        """How long solving may take in all."""

    async def assembled(
        self, ingest: IngestClient, store: RunStore, job: SolveJob, now: datetime
    ) -> Assembled[C] | Unknown:
        """The case of this moment, or what is not known of it."""

    def intervals(self, answer: A, now: datetime) -> tuple[PlanInterval, ...]:
        """The schedule as a plan from this minute on."""

    def override_faults(self, overrides: Sequence[Override], now: datetime) -> list[FieldProblem]:
        """What is wrong with a person's values."""

    def result(self, run: Run, case: C | None, answer: A | None) -> Result:
        """A run's record and answer as people read them."""

    def recalculated(self, run: Run, case: C, answer: A | None, edited: EditedSchedule) -> Recalculated:
        """What an edited schedule leads to, with no solve. Raises Problem."""

    def lp_text(self, case: C, form: Form) -> str:
        """The run's problem in the LP format."""


AnyKind = Kind[Any, Any]


def kind_of(site: AnySite, strategies: StrategyStore, control: ControlStates) -> AnyKind:
    """The site with its kind."""
    match site:
        case AfterbaySite():
            return AfterbayKind(site)
        case StationSite():
            return StationKind(site, strategies, control)
    assert_never(site)
