"""The planning section: what is wrong in it is named, and no plan is asked to cross the gateway's interlock."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.optimizer.station.settings import high_high_level_m, planned_rules, planning_of
from headworks.waterway.station_site import StationSite

SITE_FILE = Path(__file__).parents[4] / "sites" / "blominmaki.yaml"


def site_of(*, interlock: bool = True, **planning: Any) -> StationSite:
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["planning"] = {key: value for key, value in (raw["planning"] | planning).items() if value is not None}
    if not interlock:
        del raw["control"]
    return StationSite.model_validate(raw)


def highest_m(site: StationSite) -> float:
    return planned_rules(site, planning_of(site), 900.0).maximum_level_m


def test_a_plan_stays_below_the_interlock_and_is_not_the_rules_maximum() -> None:
    site = site_of()
    assert (highest_m(site), high_high_level_m(site)) == (7.3, 7.4)
    assert site.pumping_station.limits(900.0).maximum_level_m == 8.0
    assert highest_m(site_of(planned_maximum_level="7.39 m")) == 7.39


@pytest.mark.parametrize("level", ["7.4 m", "7.5 m", None])
def test_a_plan_that_may_meet_the_interlock_is_refused(level: str | None) -> None:
    with pytest.raises(
        ValueError, match=r"planned_maximum_level=\S+ m must lie below control.pumps.high_high.start_above=7.4 m"
    ):
        planning_of(site_of(planned_maximum_level=level))


@pytest.mark.parametrize("level", ["8.01 m", "0.5 m"])
def test_the_highest_planned_level_is_within_the_rules(level: str) -> None:
    with pytest.raises(
        ValueError, match=r"must lie above the rules' emptied_level=0.5 m and not above their maximum_level=8 m"
    ):
        planning_of(site_of(interlock=False, planned_maximum_level=level))


def test_without_an_interlock_the_rules_maximum_may_be_planned() -> None:
    site = site_of(interlock=False, planned_maximum_level=None)
    assert (highest_m(site), high_high_level_m(site)) == (8.0, None)


def test_urgency_grows_from_one_age_to_a_later_one() -> None:
    flush = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))["planning"]["flush"]
    with pytest.raises(ValueError, match=r"urgent_from=86400.0 s must lie below urgent_at=86400.0 s"):
        planning_of(site_of(flush=flush | {"urgent_from": "24 h"}))
