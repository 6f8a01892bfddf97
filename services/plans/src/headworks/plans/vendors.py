"""Who may publish plans from outside, and how much: pure rules over the registry's entries. Every reason is given at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from headworks.common.messages import Instant, Name, PlanSubmission, Refusal
from headworks.common.permissions import RESERVED

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _free(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} is taken by the system; none of {sorted(RESERVED)} is right")
    return name


def _once(sites: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(sites)) < len(sites):
        raise ValueError(f"{sorted(sites)} must name each site once")
    return sites


VendorName = Annotated[Name, AfterValidator(_free)]
Sites = Annotated[tuple[Name, ...], Field(min_length=1, max_length=100), AfterValidator(_once)]
PublicKey = Annotated[str, StringConstraints(pattern=r"^U[A-Z2-7]{55}$")]
"""An NKEY of a user, in base 32."""


class Quota(BaseModel):
    """How much a vendor may send. Counted over the last hour and the last 24 hours, not by the calendar."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    submissions_per_hour: int = Field(default=12, ge=1, le=3600)
    intervals_per_submission: int = Field(default=1000, ge=1, le=4000)
    intervals_per_day: int = Field(default=20_000, ge=1, le=10_000_000)


class Terms(BaseModel):
    """What a vendor may do: its sites, how much, its highest priority; in shadow its plans are scored, and never in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sites: Sites
    quota: Quota = Quota()
    max_priority: int = Field(default=1, ge=1, le=100)
    shadow: bool = False
    preflight: bool = Field(
        default=True, description="simulate each submission on the site's model before it is accepted"
    )


class Vendor(Terms):
    """An entry of the registry. Its seed is nowhere in it: only the vendor has that."""

    name: Name
    public_key: str | None = Field(description="the key that connects now; none once access was revoked")
    added_by: str
    added_at: Instant
    revoked_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A submission that was taken from a vendor: when, and with how many intervals."""

    at: datetime
    intervals: int


def publisher_refusals(vendor: Vendor, submission: PlanSubmission) -> tuple[Refusal, ...]:
    """Why a vendor may not send this at all."""
    found: list[Refusal] = []
    if vendor.revoked_at is not None:
        expected = f"a vendor with access; this one's was revoked at {vendor.revoked_at:%FT%TZ}"
        found.append(Refusal(field="publisher", value=vendor.name, expected=expected))
    if submission.site not in vendor.sites:
        found.append(Refusal(field="site", value=submission.site, expected=f"one of {', '.join(vendor.sites)}"))
    if submission.priority > vendor.max_priority:
        found.append(Refusal(field="priority", value=submission.priority, expected=f"at most {vendor.max_priority}"))
    most = vendor.quota.intervals_per_submission
    if len(submission.intervals) > most:
        found.append(Refusal(field="intervals", value=len(submission.intervals), expected=f"at most {most} intervals"))
    return tuple(found)


def quota_refusals(quota: Quota, taken: Sequence[Taken], intervals: int, now: datetime) -> tuple[Refusal, ...]:
    """Why a submission of so many intervals is too much now, and when it would be taken. `taken` is in order of time."""
    found: list[Refusal] = []
    last_hour = [each.at for each in taken if each.at > now - HOUR]
    if len(last_hour) >= quota.submissions_per_hour:
        free_at = last_hour[-quota.submissions_per_hour] + HOUR
        expected = f"at most {quota.submissions_per_hour} submissions an hour; a new one is taken from {_text(free_at)}"
        found.append(Refusal(field="submission_id", value=len(last_hour) + 1, expected=expected))
    last_day = [each for each in taken if each.at > now - DAY]
    used = sum(each.intervals for each in last_day)
    if used + intervals > quota.intervals_per_day:
        expected = f"at most {quota.intervals_per_day} intervals in 24 hours, of which {used} are used"
        room_at = _room_at(quota, last_day, intervals)
        expected += f"; so many are taken from {_text(room_at)}" if room_at else ""
        found.append(Refusal(field="intervals", value=intervals, expected=expected))
    return tuple(found)


def _room_at(quota: Quota, last_day: Sequence[Taken], intervals: int) -> datetime | None:
    """When enough of what was taken is 24 hours old; None when a day's whole quota would not do."""
    left = sum(each.intervals for each in last_day) + intervals - quota.intervals_per_day
    for each in last_day:
        left -= each.intervals
        if left <= 0:
            return each.at + DAY
    return None


def _text(instant: datetime) -> str:
    return f"{instant.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
