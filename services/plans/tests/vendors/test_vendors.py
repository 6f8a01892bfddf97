"""The rules of the registry at their edges."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headworks.common.messages import GenericTargets, PlanInterval, PlanSubmission, ResourceType, TargetType
from headworks.plans.api.vendors import NewVendor
from headworks.plans.vendors import Quota, Taken, Vendor, publisher_refusals, quota_refusals

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "U" + "A" * 55
VENDOR = Vendor(
    name="acme",
    sites=("abay",),
    quota=Quota(submissions_per_hour=2, intervals_per_submission=3, intervals_per_day=10),
    max_priority=5,
    public_key=KEY,
    added_by="ann",
    added_at=NOW,
)


def submission(*, site: str = "abay", priority: int = 1, count: int = 1) -> PlanSubmission:
    interval = PlanInterval(
        resource="OXPH",
        resource_type=ResourceType.TURBINE,
        interval_start=NOW,
        interval_end=NOW + HOUR,
        targets=GenericTargets(target_type=TargetType.POWER, target_value=2.0),
    )
    return PlanSubmission(
        submission_id="s1",
        publisher="acme",
        site=site,
        created_at=NOW,
        priority=priority,
        intervals=(interval,) * count,
    )


def fields(vendor: Vendor, **changes: object) -> list[str]:
    return [refusal.field for refusal in publisher_refusals(vendor, submission(**changes))]  # type: ignore[arg-type]


def test_a_vendor_plans_for_its_sites_up_to_its_priority_and_size_and_hears_every_reason() -> None:
    assert fields(VENDOR, priority=5, count=3) == []
    assert fields(VENDOR, priority=6) == ["priority"]
    assert fields(VENDOR, count=4) == ["intervals"]
    assert fields(VENDOR, site="blominmaki", priority=6, count=4) == ["site", "priority", "intervals"]


def test_a_revoked_vendor_is_refused_with_when() -> None:
    gone = VENDOR.model_copy(update={"revoked_at": NOW, "public_key": None})
    [refusal] = publisher_refusals(gone, submission())
    assert (refusal.field, refusal.value) == ("publisher", "acme")
    assert "2026-02-17T08:00:00Z" in refusal.expected


def test_the_quota_of_an_hour_frees_when_the_oldest_is_an_hour_old() -> None:
    taken = [Taken(NOW - timedelta(minutes=50), 1), Taken(NOW - timedelta(minutes=20), 1)]
    [refusal] = quota_refusals(VENDOR.quota, taken, 1, NOW)
    assert refusal.field == "submission_id"
    assert "taken from 2026-02-17T08:10:00.000Z" in refusal.expected
    just_before, then = NOW + timedelta(minutes=10) - timedelta(microseconds=1), NOW + timedelta(minutes=10)
    assert quota_refusals(VENDOR.quota, taken, 1, just_before) != ()
    assert quota_refusals(VENDOR.quota, taken, 1, then) == ()


def test_the_quota_of_a_day_frees_when_enough_of_it_is_a_day_old() -> None:
    taken = [Taken(NOW - 20 * HOUR, 4), Taken(NOW - 10 * HOUR, 5)]
    assert quota_refusals(VENDOR.quota, taken, 1, NOW) == ()
    [refusal] = quota_refusals(VENDOR.quota, taken, 2, NOW)
    assert (refusal.field, refusal.value) == ("intervals", 2)
    assert "of which 9 are used" in refusal.expected
    assert "taken from 2026-02-17T12:00:00.000Z" in refusal.expected
    [later] = quota_refusals(VENDOR.quota, taken, 6, NOW)
    assert "taken from 2026-02-17T22:00:00.000Z" in later.expected
    [never] = quota_refusals(VENDOR.quota, taken, 11, NOW)
    assert "taken from" not in never.expected


@given(
    minutes=st.lists(st.integers(0, 3000), max_size=30).map(sorted),
    per_hour=st.integers(1, 5),
    per_day=st.integers(1, 40),
)
def test_what_is_taken_never_exceeds_the_quota_in_any_hour_or_day(
    minutes: list[int], per_hour: int, per_day: int
) -> None:
    quota, taken = Quota(submissions_per_hour=per_hour, intervals_per_day=per_day), list[Taken]()
    for i, minute in enumerate(minutes):
        at, intervals = NOW + timedelta(minutes=minute), 1 + i % 4
        if not quota_refusals(quota, taken, intervals, at):
            taken.append(Taken(at, intervals))
    for each in taken:
        assert sum(1 for other in taken if each.at - HOUR < other.at <= each.at) <= per_hour
        assert sum(o.intervals for o in taken if each.at - 24 * HOUR < o.at <= each.at) <= per_day


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "optimizer"}, "taken by the system"),
        ({"name": "a.b"}, "match pattern"),
        ({"public_key": "SUAAA"}, "match pattern"),
        ({"sites": ()}, "at least 1"),
        ({"sites": ("abay", "abay")}, "each site once"),
        ({"max_priority": 101}, "less than or equal to 100"),
        ({"seed": "SU"}, "not permitted"),
    ],
)
def test_a_new_vendor_s_name_key_and_terms_are_checked(wrong: dict[str, object], says: str) -> None:
    right: dict[str, object] = {"name": "acme", "public_key": KEY, "sites": ("abay",)}
    NewVendor.model_validate(right)
    with pytest.raises(ValidationError, match=says):
        NewVendor.model_validate(right | wrong)
