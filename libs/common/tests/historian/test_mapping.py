"""The `import` section: what is wrong in a mapping is refused by field and value."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.common.historian.mapping import RecordMapping, mapping_of, mappings_of, unit_in
from headworks.common.historian.record import Kind
from headworks.waterway.site import Site

COLUMN = {"column": "L", "series": "tunnel_level", "unit": "m", "stands_for": "instant"}
RECORD: dict[str, Any] = {
    "kind": "record",
    "step": "15 min",
    "time": {"column": "t", "formats": ["%H:%M"]},
    "columns": [COLUMN],
}


def with_import(site: Site, section: object) -> Site:
    return site.model_copy(update={"import": section})


def test_the_stations_mappings_are_read(station: Site) -> None:
    assert list(mappings_of(station)) == ["quarter_hours", "volume_table"]
    name, mapping = mapping_of(station, None)
    assert name == "quarter_hours"
    assert isinstance(mapping, RecordMapping)
    assert len(mapping.columns) == 6 + 24
    inflow = next(c for c in mapping.columns if c.series == "tunnel_inflow")
    assert inflow.factor == pytest.approx(1 / 900)
    price = next(c for c in mapping.columns if c.series == "day_ahead_price")
    assert price.factor == pytest.approx(10.0)


def test_a_site_without_mappings_says_so(station: Site) -> None:
    bare = with_import(station, None)
    assert mappings_of(bare) == {}
    with pytest.raises(ValueError, match="its file has no mapping in the section 'import'"):
        mapping_of(bare, None)


def test_a_mapping_that_is_not_there_is_named_with_those_that_are(station: Site) -> None:
    with pytest.raises(ValueError, match="mapping='hours' must be one of quarter_hours, volume_table"):
        mapping_of(station, "hours")


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("kind",), "table", "does not match any of the expected tags"),
        (("step",), "10 min", "step=600 s must be one of 15 min, 60 min"),
        (("step",), "15", "is a number without unit"),
        (("delimiter",), "||", "String should have at most 1 character"),
        (("delimiter",), ".", "delimiter and decimal are both '.'"),
        (("decimal",), ";", "Input should be '.' or ','"),
        (("time", "formats"), [], "at least 1 item"),
        (("time", "zone"), "Helsinki", "'Helsinki' is unknown; write it as Europe/Helsinki or UTC"),
        (("columns",), [], "at least 1 item"),
        (("columns",), [COLUMN, COLUMN], "each column must be given once; twice are ['L']"),
        (
            ("columns",),
            [COLUMN, COLUMN | {"column": "M"}],
            "each series must be given once; twice are ['tunnel_level']",
        ),
        (("columns", 0, "series"), "mode", "series='mode' is an enumeration"),
        (("columns", 0, "series"), "height", "series='height' must be 'mode' or end in one of"),
        (("columns", 0, "unit"), "Hz", "must convert to m"),
        (("columns", 0, "unit"), "0*m", "must be above zero"),
        (("columns", 0, "range"), ["2 m", "1 m"], "range=['2 m', '1 m'] must go from low to high"),
        (("columns", 0, "stands_for"), "hour", "Input should be 'instant', 'step_before' or 'step_after'"),
        (("checks",), {"balance": "0 m**3"}, "checks"),
        (("bars",), 1, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_refused_by_field_and_value(
    station: Site, where: tuple[str | int, ...], value: object, says: str
) -> None:
    section: Any = copy.deepcopy(RECORD)
    place = section
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    with pytest.raises(ValueError, match="site blominmaki: import:") as refused:
        mappings_of(with_import(station, {"hours": section}))
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["", "Quarter hours", "q" * 51])
def test_a_mapping_has_a_plain_name(station: Site, name: str) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        mappings_of(with_import(station, {name: RECORD}))


@pytest.mark.parametrize(
    ("header", "unit"),
    [("Price 1: high (EUR/kWh)", "EUR/kWh"), ("L1 [m]", "m"), ("L1 (north) (m)", "m"), ("Level", None), ("()", None)],
)
def test_the_unit_that_a_header_names_last(header: str, unit: str | None) -> None:
    assert unit_in(header) == unit


# ---------------------------------------------------------------- the page for users


@pytest.fixture(scope="module")
def page(sites_folder: Path) -> str:
    return (sites_folder.parent / "docs" / "how-to" / "importing.md").read_text(encoding="utf-8")


def test_the_pages_example_is_a_mapping(station: Site, page: str) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    mappings = mappings_of(with_import(station, yaml.safe_load(example)["import"]))
    assert list(mappings) == ["quarter_hours"]


def test_the_page_names_every_kind_of_finding(page: str) -> None:
    assert [kind.value for kind in Kind if f"`{kind.value}`" not in page] == []
