"""The page of the model counts the rows of `dry-day` as they are, with and without the tail of a day."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from headworks.optimizer.station.example_cases import EXAMPLES
from headworks.optimizer.station.lp import lp_text
from headworks.waterway.station_site import StationSite

BY_STEP = ("pumps_on", "water_balance", "outflow", "margin", "maximum_level", "floor", "lowest")
"""Families with a row a step; `fast` and `count` have one a pump and step."""
RUNS = {"minimum_run": 768, "minimum_rest": 768, "committed": 93 + 89}
"""The tail has none; what must run on is looked at one hour and two ahead, within the schedule."""


@pytest.mark.parametrize(
    ("tail", "of_a_step", "emptying"),
    [
        ("0 h", 96, {"emptied": 1, "emptied_by": 95, "in_time": 46}),
        ("24 h", 120, {"emptied": 2, "emptied_by": 214, "in_time": 67}),
    ],
)
def test_rows_and_integers_are_those_of_the_page(
    station_text: str, sites_folder: Path, tail: str, of_a_step: int, emptying: dict[str, int]
) -> None:
    raw = yaml.safe_load(station_text)
    raw["planning"]["solve"]["tail"] = tail
    rows, integers = _counted(lp_text(StationSite.model_validate(raw), EXAMPLES["dry-day"]()))
    by_pump = dict.fromkeys(("fast", "count"), 8 * of_a_step)
    assert rows == dict.fromkeys(BY_STEP, of_a_step) | by_pump | RUNS | emptying
    page = (sites_folder.parent / "docs/models/pumping.md").read_text(encoding="utf-8")
    assert f"{rows.total():,} rows" in page
    assert f"{integers} integers" in page


def _counted(lp: str) -> tuple[Counter[str], int]:
    """Rows by family, and how many variables are whole numbers."""
    rows = re.search(r"^Subject To\n(.*?)^Bounds\n", lp, re.DOTALL | re.MULTILINE)
    integers = re.search(r"^Binaries\n(.*?)^End", lp, re.DOTALL | re.MULTILINE)
    assert rows is not None
    assert integers is not None
    names = re.findall(r"^(\w+):", rows[1], re.MULTILINE)
    return Counter(re.sub(r"(_[a-z]?\d+)+$", "", name) for name in names), len(integers[1].split())
