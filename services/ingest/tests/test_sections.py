"""The `sources` section: what is wrong is refused by field and value, and what would be right is said."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.common.messages import Basis
from headworks.ingest.sections import PiSection, SourcesSection, sources_of
from headworks.waterway.site import Site

ENTSOE = {"kind": "entsoe", "poll_every": "10 min", "zone": "10YFI-1--------U", "published_after_hour": 14}


@pytest.fixture
def raw(sites_folder: Path) -> dict[str, Any]:
    """The afterbay's site file as it is written."""
    found = yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_afterbays_sources_are_read_with_their_units(section: SourcesSection, pi_section: PiSection) -> None:
    assert (pi_section.poll_every, pi_section.mean) == (300, Basis.HOUR_MEAN)
    elevation = pi_section.series[0]
    assert elevation.name.name == "elevation_m"
    assert elevation.si(1000.0) == pytest.approx(304.8)
    assert section.caiso is not None
    assert section.caiso.resource == "MDFKRL_2_PROJCT"
    assert section.entsoe is None


def test_the_stations_sources_are_read_by_the_quarter_hour(station: Site) -> None:
    section = sources_of(station)
    assert section.pi is not None
    assert section.entsoe is not None
    assert (section.caiso, section.hydroforecast) == (None, None)
    assert (section.pi.step, section.pi.mean) == (timedelta(minutes=15), Basis.QUARTER_HOUR_MEAN)
    assert len(section.pi.series) == 4 + 3 * 8
    outflow = next(s for s in section.pi.series if s.series == "station_outflow")
    assert outflow.si(3600.0) == pytest.approx(1.0)
    assert section.entsoe.zone == "10YFI-1--------U"


@pytest.mark.parametrize(("feet", "plausible"), [(1149.999, False), (1150, True), (1180, True), (1180.001, False)])
def test_a_value_is_plausible_up_to_the_bounds_of_its_range(
    pi_section: PiSection, feet: float, plausible: bool
) -> None:
    elevation = pi_section.series[0]
    assert elevation.plausible(elevation.si(feet)) is plausible


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("pi", "poll_every"), "5", "pi.poll_every: '5' is a number without unit"),
        (("pi", "poll_every"), "5 ft", "must convert to s"),
        (("pi", "poll_every"), "0 s", "pi.poll_every: Input should be greater than 0"),
        (("pi", "history"), "-1 h", "pi.history: Input should be greater than 0"),
        (("pi", "summary"), "20 min", "pi: summary=1200 s must be 60 min or 15 min"),
        (("pi", "kind"), "opc", "pi.kind: Input should be 'pi_web_api' (got 'opc')"),
        (("pi", "series"), [], "pi.series: Tuple should have at least 1 item"),
        (
            ("pi", "series", 0, "series"),
            "height",
            "pi.series.0.series: series='height' must be 'mode' or end in one of",
        ),
        (("pi", "series", 0, "path"), "", "pi.series.0.path: String should have at least 1 character"),
        (("pi", "series", 0, "unit"), "fet", "'fet' is no known unit; it must convert to m"),
        (("pi", "series", 0, "unit"), "MW", "'MW' does not convert to m"),
        (("pi", "series", 0, "kind"), "enumeration", "series='elevation' does not fit kind='enumeration'"),
        (("pi", "series", 0, "range"), ["1180 ft", "1150 ft"], "range=['1180 ft', '1150 ft'] must go from low to high"),
        (("pi", "series", 0, "range"), ["1150 cfs", "1180 ft"], "it must convert to m"),
        (("pi", "series", 1, "series"), "elevation", "series must name each but once; twice are ['elevation']"),
        (("pi", "series", 5, "kind"), "instant", "series='mode' does not fit kind='instant'"),
        (("pi", "series", 5, "unit"), "ft", "series='mode' is an enumeration: it has no unit and no range"),
        (("pi", "tag"), "x", "pi.tag: Extra inputs are not permitted (got 'x')"),
        (("hydroforecast", "sites", 0, "series"), "elevation", "'elevation' must be a flow, such as 'r30_flow'"),
        (
            ("hydroforecast", "sites", 0, "series"),
            "r30",
            "sites.0.series: series='r30' must be 'mode' or end in one of",
        ),
        (
            ("hydroforecast", "quantiles"),
            [0.5, 1.0],
            "hydroforecast.quantiles.1: Input should be less than 1 (got 1.0)",
        ),
        (("hydroforecast", "quantiles"), [0.5, 0.5], "quantiles must name each but once; twice are [0.5]"),
        (("hydroforecast", "valid_times_mark"), "middle", "Input should be 'start' or 'end' (got 'middle')"),
        (("caiso", "published_after_hour"), 24, "caiso.published_after_hour: Input should be less than or equal to 23"),
        (("entsoe",), ENTSOE | {"zone": "FI"}, "entsoe.zone: String should match pattern"),
        (("entsoe",), ENTSOE | {"poll_every": "0 s"}, "entsoe.poll_every: Input should be greater than 0"),
        (("weather",), {}, "weather: Extra inputs are not permitted"),
        (("caiso", "resource"), "A B", "caiso.resource: String should match pattern"),
    ],
)
def test_what_is_wrong_is_refused_by_field_and_value(
    raw: dict[str, Any], where: tuple[str | int, ...], value: object, says: str
) -> None:
    place = raw["sources"]
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    with pytest.raises(ValueError, match="site abay: sources:") as refused:
        sources_of(Site.model_validate(raw))
    assert says in str(refused.value)


@pytest.mark.parametrize("source", ["pi", "hydroforecast", "caiso"])
def test_a_site_has_the_sources_that_it_names(raw: dict[str, Any], source: str) -> None:
    raw["sources"] = {source: raw["sources"][source]}
    found = sources_of(Site.model_validate(raw))
    assert [name for name, section in found if section is not None] == [source]


@pytest.mark.parametrize("sources", [{}, {"pi": None}])
def test_a_site_without_any_source_is_refused(raw: dict[str, Any], sources: dict[str, Any]) -> None:
    raw["sources"] = sources
    with pytest.raises(ValueError, match="sources: must name at least one of pi, hydroforecast, caiso, entsoe"):
        sources_of(Site.model_validate(raw))
