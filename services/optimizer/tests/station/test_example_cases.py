"""The example cases are problems of the station, and travel."""

import pytest
from station_rig import MIDNIGHT, inputs, quick_station

from headworks.optimizer.models.pumping_data import group_pumps
from headworks.optimizer.station.case import LastPlan, StationInputs
from headworks.optimizer.station.continuing import reference_of
from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.optimizer.station.lp import NoProblem, first_program, lp_text
from headworks.optimizer.station.planning import plan_problem
from headworks.optimizer.values import value_from_text
from headworks.waterway.station_site import StationSite


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_travels_as_json(name: str) -> None:
    case = EXAMPLES[name]()
    assert value_from_text(case.model_dump_json(), StationInputs) == case


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_of_the_stations_pumps_in_their_order(name: str, station_site: StationSite) -> None:
    resources = [pump.resource for pump in station_site.pumping_station.pumps]
    assert [pump.resource for pump in EXAMPLES[name]().pumps] == resources


def test_the_model_can_be_read_and_is_the_same_each_time(station_site: StationSite) -> None:
    case = EXAMPLES["dry-day"]()
    text = lp_text(station_site, case)
    assert text.startswith("\\* station *\\")
    assert "water_balance_095: " in text
    assert lp_text(station_site, case) == text


def test_what_makes_no_program_says_why(station_site: StationSite) -> None:
    case = EXAMPLES["dry-day"]().model_copy(update={"level_m": 15.0})
    with pytest.raises(NoProblem, match=r"level_m=15.0 is above the tunnel's 14.1 m"):
        lp_text(station_site, case)


@pytest.mark.parametrize(("flow_m3s", "risen"), [(2.9, True), (1.4, False)])
def test_in_a_storm_the_model_is_read_about_all_that_the_plant_takes(flow_m3s: float, risen: bool) -> None:
    """As it is solved: about the last plan, one large pump, the tunnel would be fuller at the end of the first day."""
    site = quick_station()
    last = LastPlan(start=MIDNIGHT, frequency_hz=((50.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 0.0),) * 96)
    asked = inputs(site, flow_m3s=flow_m3s, level_m=6.0, last_plan=last)
    planned = plan_problem(site, asked)
    assert not isinstance(planned, str)
    groups = group_pumps(planned.station.pumps, planned.options.alike_m, planned.case.not_planned)
    of_last = reference_of(planned.station, planned.rules, planned.case, groups, planned.last_hz)
    assert of_last is not None
    begun_dam3, last_dam3 = first_program(site, asked).data.reference_dam3[-1], of_last.volume_m3[-1] / 1000
    assert planned.case.dry_days == () or not risen
    assert (begun_dam3 < last_dam3 - 10) is risen
    assert begun_dam3 == pytest.approx(last_dam3) or risen
