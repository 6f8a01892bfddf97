"""The inventory's formulation, which the benchmark solves beside ours, has the rows that the inventory counts."""

import pytest
from inventory import inventory_problem

from headworks.optimizer.station.case import OutsideInflow
from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.waterway.station_site import StationSite


@pytest.mark.parametrize(("soft", "rows"), [(False, 536), (True, 568)])
def test_two_pumps_and_eight_steps_have_the_rows_of_the_inventory(
    station_site: StationSite, soft: bool, rows: int
) -> None:
    inflow = OutsideInflow(source="the test", issued_at=EXAMPLES["dry-day"]().start, flow_m3s=(1.2,) * 8)
    inputs = EXAMPLES["dry-day"]().model_copy(update={"outside_inflow": inflow})
    problem = inventory_problem(station_site, inputs, 2, 8, soft=soft)
    assert len(problem.constraints()) == rows
