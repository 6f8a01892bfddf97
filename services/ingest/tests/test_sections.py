"""The `sources` section: what is wrong is refused by field and value, and what would be right is said."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.ingest.sections import SourcesSection, sources_of
from headworks.waterway.site import Site


@pytest.fixture
def raw(sites_folder: Path) -> dict[str, Any]:
    """The afterbay's site file as it is written."""
    found = yaml.safe_load((sites_folder / "abay.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_afterbays_sources_are_read_with_their_units(section: SourcesSection) -> None:
    assert section.pi.poll_every == 300
    elevation = section.pi.series[0]
    assert elevation.name.name == "elevation_m"
    assert elevation.si(1000.0) == pytest.approx(304.8)
    assert section.caiso.resource == "MDFKRL_2_PROJCT"


@pytest.mark.parametrize(("feet", "plausible"), [(1149.999, False), (1150, True), (1180, True), (1180.001, False)])
def test_a_value_is_plausible_up_to_the_bounds_of_its_range(
    section: SourcesSection, feet: float, plausible: bool
) -> None:
    elevation = section.pi.series[0]
    assert elevation.plausible(elevation.si(feet)) is plausible


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("pi", "poll_every"), "5", "pi.poll_every: '5' is a number without unit"),
        (("pi", "poll_every"), "5 ft", "must convert to s"),
        (("pi", "poll_every"), "0 s", "pi.poll_every: Input should be greater than 0"),
        (("pi", "history"), "-1 h", "pi.history: Input should be greater than 0"),
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


def test_a_missing_source_is_named(raw: dict[str, Any]) -> None:
    del raw["sources"]["caiso"]
    with pytest.raises(ValueError, match="sources: caiso: Field required"):
        sources_of(Site.model_validate(raw))
