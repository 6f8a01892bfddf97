"""The planning section: what is wrong in it is named, and no plan is asked to cross the gateway's interlock."""

from typing import Any

import pytest
from station_rig import raw_station

from headworks.optimizer.station.settings import planned_rules, planning_of
from headworks.waterway.station_site import StationSite


def site_of(*, interlock: bool = True, stop_below: str | None = None, **planning: Any) -> StationSite:
    raw = raw_station()
    raw["planning"] = {key: value for key, value in (raw["planning"] | planning).items() if value is not None}
    if stop_below is not None:
        raw["control"]["pumps"]["low_low"]["stop_below"] = stop_below
    if not interlock:
        del raw["control"]
    return StationSite.model_validate(raw)


def highest_m(site: StationSite) -> float:
    return planned_rules(site, planning_of(site), 900.0).maximum_level_m


def test_a_plan_stays_below_the_interlock_and_is_not_the_rules_maximum() -> None:
    site = site_of()
    assert (highest_m(site), site.high_high_level_m) == (7.3, 7.4)
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
    assert (highest_m(site), site.high_high_level_m) == (8.0, None)


def test_the_water_of_a_plan_stays_above_the_interlock_that_stops_the_pumps() -> None:
    """Also when less flows in than was forecast, and the simulation lies lower than the program: 50 m³ are left then."""
    site = site_of()
    planning, tunnel = planning_of(site), site.pumping_station.station.tunnel
    assert (site.low_low_level_m, planning.lowest_volume, planning.inflow_reserve) == (0.05, 280, 130)
    assert tunnel.water_at(0.05) == pytest.approx(43.75)
    planning_of(site_of(lowest_volume="274 m**3"))
    planning_of(site_of(stop_below="0.057 m"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"stop_below": "0.2 m"},
            r"planning: lowest_volume=280 m³ less solve.agree=100 m³ and inflow_reserve=130 m³ leaves 50 m³, but below 175 m³ "
            r"\(control.pumps.low_low.stop_below=0.2 m\).*: "
            r"stop_below must be at most 0.05714 m, or lowest_volume at least 405 m³",
        ),
        ({"stop_below": "0.058 m"}, r"leaves 50 m³, but below 50.75 m³ .*stop_below=0.058 m"),
        ({"lowest_volume": "273 m**3"}, r"leaves 43 m³, but below 43.75 m³ .*lowest_volume at least 273.75 m³"),
        ({"inflow_reserve": "300 m**3"}, r"leaves -120 m³, .*: stop_below must be at most 0 m"),
        ({"inflow_reserve": None, "lowest_volume": "140 m**3"}, r"inflow_reserve=0 m³ leaves 40 m³"),
    ],
)
def test_a_plan_whose_water_may_end_in_the_interlock_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        planning_of(site_of(**wrong))


def test_what_a_plan_must_not_break_ends_where_the_interlock_begins() -> None:
    """Below it a replay that goes on pumping is not what the station would do."""

    def lowest_m(site: StationSite) -> float:
        return planned_rules(site, planning_of(site), 900.0).minimum_level_m

    assert site_of().pumping_station.limits(900.0).minimum_level_m == 0
    assert (lowest_m(site_of()), lowest_m(site_of(interlock=False))) == (0.05, 0)
    higher = site_of().model_copy(deep=True)
    higher.pumping_station.rules.__dict__["minimum_level"] = 0.06
    assert lowest_m(higher) == 0.06


def test_without_an_interlock_the_lowest_volume_is_the_site_s_own() -> None:
    site = site_of(interlock=False, lowest_volume="0 m**3", inflow_reserve="0 m**3")
    assert (planning_of(site).lowest_volume, site.low_low_level_m) == (0, None)


def test_urgency_grows_from_one_age_to_a_later_one() -> None:
    flush = raw_station()["planning"]["flush"]
    with pytest.raises(ValueError, match=r"urgent_from=86400.0 s must lie below urgent_at=86400.0 s"):
        planning_of(site_of(flush=flush | {"urgent_from": "24 h"}))
