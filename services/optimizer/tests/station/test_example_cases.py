"""The example cases are problems of the station, and travel."""

import pytest

from headworks.optimizer.station.case import StationInputs
from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.optimizer.station.lp import NoProblem, lp_text
from headworks.optimizer.values import value_from_text
from headworks.waterway.station_site import StationSite


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_travels_as_json(name: str) -> None:
    inputs = EXAMPLES[name]()
    assert value_from_text(inputs.model_dump_json(), StationInputs) == inputs


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_of_the_stations_pumps_in_their_order(name: str, station_site: StationSite) -> None:
    resources = [pump.resource for pump in station_site.pumping_station.pumps]
    assert [pump.resource for pump in EXAMPLES[name]().pumps] == resources


def test_the_model_can_be_read_and_is_the_same_each_time(station_site: StationSite) -> None:
    inputs = EXAMPLES["dry-day"]()
    text = lp_text(station_site, inputs)
    assert text.startswith("\\* station *\\")
    assert "water_balance_095: " in text
    assert lp_text(station_site, inputs) == text


def test_what_makes_no_program_says_why(station_site: StationSite) -> None:
    inputs = EXAMPLES["dry-day"]().model_copy(update={"level_m": 15.0})
    with pytest.raises(NoProblem, match=r"level_m=15.0 is above the tunnel's 14.1 m"):
        lp_text(station_site, inputs)
