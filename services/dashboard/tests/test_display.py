"""What is inside as people read it: display units, ages, labels; unknown stays unknown."""

from datetime import UTC, datetime, timedelta

import pytest

from headworks.common.messages import Basis, Quality, Sample
from headworks.dashboard.display import Display, input_of, label, points
from headworks.waterway.site_file import AnySite

STALE_AFTER = timedelta(minutes=30)
NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
FT = 0.3048


@pytest.fixture
def site(sites: dict[str, AnySite]) -> AnySite:
    return sites["abay"]


def test_a_bad_value_is_null_never_zero_and_brings_the_last_good_one(site: AnySite) -> None:
    bad = Sample(series="elevation_m", valid_at=NOW, value=None, quality=Quality.MISSING)
    good = Sample(series="elevation_m", valid_at=NOW - timedelta(hours=1), value=1170 * FT, quality=Quality.GOOD)
    shown = input_of(Display(site), bad, STALE_AFTER, good)
    assert shown.value is None
    assert shown.last_good is not None
    assert shown.last_good.value == 1170.0


def test_the_mean_of_an_hour_grows_old_from_that_hours_end_on(site: AnySite) -> None:
    instant = Sample(series="r4_flow_m3s", valid_at=NOW, value=1.0, quality=Quality.GOOD)
    mean = instant.model_copy(update={"basis": Basis.HOUR_MEAN})
    assert input_of(Display(site), instant, STALE_AFTER).stale_at == NOW + STALE_AFTER
    assert input_of(Display(site), mean, STALE_AFTER).stale_at == NOW + timedelta(hours=1) + STALE_AFTER


def test_means_of_hours_are_drawn_only_before_the_first_instant(site: AnySite) -> None:
    def sample(hours: float, basis: Basis) -> Sample:
        at = NOW + timedelta(hours=hours)
        return Sample(series="oxph_power_mw", valid_at=at, value=hours, quality=Quality.GOOD, basis=basis)

    mixed = [
        sample(0, Basis.HOUR_MEAN),
        sample(1, Basis.HOUR_MEAN),
        sample(1.5, Basis.INSTANT),
        sample(2, Basis.HOUR_MEAN),
    ]
    assert [point.value for point in points(Display(site), mixed)] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("series", "called"),
    [
        ("r4_flow_m3s", "R4 flow"),
        ("r5l_flow_m3s", "R5L flow"),
        ("elevation_m", "Afterbay elevation"),
        ("tailwater_elevation_m", "Tailwater elevation"),
        ("award", "Award"),
    ],
)
def test_series_are_called_as_people_call_them(series: str, called: str) -> None:
    assert label(series) == called


@pytest.mark.parametrize(
    ("series", "inside", "shown", "unit", "called"),
    [
        ("tunnel_level_m", 2.5, 2.5, "m", "Tunnel level"),
        ("tunnel_volume_m3", 9739.4, 9739.4, "m**3", "Tunnel volume"),
        ("station_outflow_m3s", 2.0, 7200.0, "m**3/hour", "Outflow to the plant"),
        ("p1_1_frequency_hz", 49.2, 49.2, "Hz", "Pump 1.1 frequency"),
        ("p2_4_power_mw", 0.32, 320.0, "kW", "Pump 2.4 power"),
        ("day_ahead_price_eur_per_mwh", 41.5, 41.5, "EUR/MWh", "Day-ahead price"),
    ],
)
def test_a_stations_values_are_in_its_units(
    sites: dict[str, AnySite], series: str, inside: float, shown: float, unit: str, called: str
) -> None:
    read = input_of(
        Display(sites["blominmaki"]),
        Sample(series=series, valid_at=NOW, value=inside, quality=Quality.GOOD),
        STALE_AFTER,
    )
    assert read.value == pytest.approx(shown)
    assert (read.unit, read.label) == (unit, called)
