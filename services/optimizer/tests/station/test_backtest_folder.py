"""A back-test is gone on with only where everything that it was made of is the same."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from station_rig import raw_station

from headworks.optimizer.station.backtest import Knowledge, Record
from headworks.optimizer.station.backtest_folder import BacktestFolder, asked_of
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

RAW = raw_station()
LIVED = Record(datetime(2024, 11, 15, tzinfo=UTC), 900.0, (1300.0,) * 8, (40.0,) * 8, 9000.0, (Before(True, 9),) * 8)


def asked(folder: Path, **changes: Any) -> dict[str, object]:
    """What is asked, with another value in one place."""
    file, code = folder / "record.csv", folder / "code"
    file.write_text(changes.get("content", "a record"), encoding="utf-8")
    code.mkdir(exist_ok=True)
    (code / "planning.py").write_text(changes.get("source", "PLAN = 1"), encoding="utf-8")
    lived = replace(LIVED, initial_volume_m3=changes.get("initial_volume_m3", 9000.0))
    site = StationSite.model_validate(changes.get("site", RAW))
    mapping = changes.get("mapping", "quarter_hours")
    return asked_of(file, mapping, site, "day_ahead", Knowledge(), 8, lived, (), [code])


def of_rules(**changes: str) -> dict[str, Any]:
    station = RAW["pumping_station"]
    return RAW | {"pumping_station": station | {"rules": station["rules"] | changes}}


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"site": of_rules(maximum_outflow="16000 m**3/hour")}, "site_sha256"),
        ({"site": RAW | {"time_zone": "UTC"}}, "site_sha256"),
        ({"content": "another record"}, "record_sha256"),
        ({"initial_volume_m3": 9000.5}, "initial_volume_m3"),
        ({"mapping": "other_columns"}, "mapping"),
        ({"source": "PLAN = 2"}, "code_sha256"),
    ],
)
def test_another_question_is_refused_and_says_what_differs(tmp_path: Path, change: dict[str, Any], other: str) -> None:
    folder = BacktestFolder(tmp_path / "out")
    folder.begin(asked(tmp_path))
    folder.begin(asked(tmp_path))
    with pytest.raises(ValueError, match=rf"holds another back-test \(other: {other}\)"):
        folder.begin(asked(tmp_path, **change))


def test_a_turn_that_was_cut_off_while_it_was_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "turns.jsonl").write_text('{"step": 0, "frequ', encoding="utf-8")
    assert BacktestFolder(tmp_path).done() == []
    assert (tmp_path / "turns.jsonl").read_text(encoding="utf-8") == ""
