"""How far the water went another way: as far back as is known."""

import pytest

from headworks.optimizer.station.divergence import diverged_m3


@pytest.mark.parametrize(
    ("missed_m3", "total_m3"),
    [((), None), ((100.0,), 100.0), ((100.0, -30.0), 70.0), ((50.0, None, 1.0, 2.0), 3.0), ((50.0, None), None)],
)
def test_the_sum_goes_back_to_where_it_is_not_known(
    missed_m3: tuple[float | None, ...], total_m3: float | None
) -> None:
    assert diverged_m3(missed_m3) == total_m3
