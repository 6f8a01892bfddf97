"""What every run says of its inputs: where each comes from, how old it is, and what was done for want of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from headworks.common.messages import Sample
from headworks.optimizer.values import Value
from headworks.waterway import series as names
from headworks.waterway.mfra import MfraHour
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Site

C = TypeVar("C", bound=Value)
DEFAULT_REQUIRED_AGE = timedelta(hours=24)


class InputUse(Value):
    """One input of a run: its source, when it was valid or issued, its age at the run, and what was done for want of it."""

    series: str
    source: str
    valid_at: datetime | None
    age_s: float | None
    stale: bool = False
    substituted: str | None = None


@dataclass(frozen=True, slots=True)
class Assembled(Generic[C]):
    """A case with its provenance; MFRA by hour where the site has it."""

    case: C
    inputs: tuple[InputUse, ...]
    mfra: tuple[MfraHour, ...] = ()
    mfra_summary: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why no case can be made."""

    reasons: tuple[str, ...]
    inputs: tuple[InputUse, ...]


@dataclass
class Uses:
    """Collects uses of inputs, with the ages that the site file requires."""

    now: datetime
    required: Mapping[str, timedelta]
    uses: list[InputUse] = field(default_factory=list)

    def note(self, series: str, source: str, valid_at: datetime | None, substituted: str | None = None) -> bool:
        """Note a use; True when it is older than required."""
        age_s = (self.now - valid_at).total_seconds() if valid_at is not None else None
        stale = age_s is not None and age_s > self.required.get(series, DEFAULT_REQUIRED_AGE).total_seconds()
        self.uses.append(
            InputUse(series=series, source=source, valid_at=valid_at, age_s=age_s, stale=stale, substituted=substituted)
        )
        return stale


def required_ages(site: Site) -> dict[str, timedelta]:
    """The greatest age of each series that a run may rely on, from the site's `schedule` section."""
    section = site.section("schedule").get("required_age", {})
    return {names.si_series(base).name: timedelta(seconds=in_unit(text, "s")) for base, text in dict(section).items()}


def who_gave(samples: Iterable[Sample]) -> str:
    """The sources of what was measured or imported, by name; `ingest` where it does not say."""
    return ", ".join(sorted({sample.source or "ingest" for sample in samples})) or "none"


def joined(*notes: str | None) -> str | None:
    """Notes as one, or None where there are none."""
    return "; ".join(note for note in notes if note) or None
