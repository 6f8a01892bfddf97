"""A table of volumes by level against the site's curve."""

from pathlib import Path

import pytest

from headworks.common.historian.files import ExaminedTable, examine
from headworks.common.historian.record import Kind
from headworks.common.historian.report import LevelVolumeReport
from headworks.common.messages import Quality
from headworks.common.sites import read_sites
from headworks.waterway.site import Site


def report(station: Site, content: bytes) -> LevelVolumeReport:
    found = examine(content, station, "volume_table")
    assert isinstance(found, ExaminedTable)
    return found.report


def test_the_official_table_is_the_sites_curve(station: Site, headworks_data: Path) -> None:
    found = report(station, (headworks_data / "hsy_tunnel_volume_vs_level.xlsx").read_bytes())
    assert (found.rows, found.kinds) == (142, ())
    assert found.largest_difference_m3 < 1e-6


def test_the_largest_difference_is_told_with_its_level(station: Site) -> None:
    rows = "Level L1 m,Volume V m³\n0.4,350\n2.4,10350.5\n5.9,75970\n"
    found = report(station, rows.encode())
    assert (found.rows, found.at_level_m) == (3, 5.9)
    assert found.largest_difference_m3 == pytest.approx(5.0)
    [kind] = found.kinds
    assert (kind.kind, kind.quality, kind.count, kind.first.row) == (Kind.CURVE, Quality.SUSPECT, 1, 4)
    assert kind.first.text == "75970.0 m³ at 5.9 m is -5.0 m³ off the site's curve"


def test_rows_that_cannot_be_compared_are_named(station: Site) -> None:
    rows = "Level L1 m,Volume V m³\n0.4,350\nx,1\n2.4,\n20,1\n"
    found = report(station, rows.encode())
    assert [(f.row, f.kind) for f in found.findings] == [
        (3, Kind.NOT_A_NUMBER),
        (4, Kind.NOT_A_NUMBER),
        (5, Kind.OUT_OF_RANGE),
    ]


def test_a_table_without_any_row_to_compare_is_refused(station: Site) -> None:
    with pytest.raises(ValueError, match="no row has a level in 'Level L1 m'"):
        report(station, "Level L1 m,Volume V m³\nx,1\n".encode())


def test_a_site_without_a_tunnel_has_none_to_compare_with(station: Site, sites_folder: Path) -> None:
    afterbay = read_sites(sites_folder)["abay"].model_copy(update={"import": station.section("import")})
    with pytest.raises(ValueError, match="site abay has no tunnel"):
        examine(b"", afterbay, "volume_table")
