"""`headworks solve` answers from files, and says plainly what is wrong with them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headworks.optimizer.afterbay.case import Solution
from headworks.optimizer.afterbay.example_cases import calm_winter
from headworks.optimizer.cli import Exit, app
from headworks.optimizer.station.case import StationSolution
from headworks.optimizer.station.example_cases import storm_day

runner = CliRunner()


def test_a_case_from_a_file_is_solved(site_file: Path, tmp_path: Path) -> None:
    case, out, lp = tmp_path / "case.json", tmp_path / "out.json", tmp_path / "model.lp"
    case.write_text(calm_winter(hours=24).model_dump_json(), encoding="utf-8")
    arguments = ["--site", str(site_file), "--input", str(case), "--out", str(out), "--lp", str(lp)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == Exit.SOLVED, result.output
    assert "SOLVED" in result.output
    assert Solution.model_validate_json(out.read_text(encoding="utf-8")).publishable
    assert "water_balance_abay_023" in lp.read_text(encoding="utf-8")


def test_an_example_is_solved_and_its_relaxations_shown(site_file: Path) -> None:
    result = runner.invoke(app, ["--site", str(site_file), "--example", "start-below-minimum"])
    assert result.exit_code == Exit.SOLVED
    assert "minimum elevation cannot hold" in " ".join(result.output.split())


def test_an_impossible_case_has_no_schedule(site_file: Path, tmp_path: Path) -> None:
    raw = calm_winter(hours=2).model_dump(mode="json") | {"initial_elevation_m": 300.0}
    case = tmp_path / "case.json"
    case.write_text(json.dumps(raw), encoding="utf-8")
    result = runner.invoke(app, ["--site", str(site_file), "--input", str(case)])
    assert result.exit_code == Exit.NO_SCHEDULE
    assert "outside the surveyed" in result.output


@pytest.fixture(scope="session")
def short_station_file(station_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The station with a horizon of three hours, for speed."""
    file = tmp_path_factory.mktemp("sites") / "blominmaki.yaml"
    file.write_text(station_text.replace("horizon: 24 h", "horizon: 3 h"), encoding="utf-8")
    return file


def test_a_station_is_solved_and_shown_by_pump(short_station_file: Path, tmp_path: Path) -> None:
    out, lp = tmp_path / "out.json", tmp_path / "model.lp"
    arguments = ["--site", str(short_station_file), "--example", "dry-day", "--out", str(out), "--lp", str(lp)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == Exit.SOLVED, result.output
    assert "Tue 00:00" in result.output
    assert "starts, empty at:" in result.output
    solution = StationSolution.model_validate_json(out.read_text(encoding="utf-8"))
    assert (solution.publishable, len(solution.steps)) == (True, 12)
    assert "water_balance_011: " in lp.read_text(encoding="utf-8")


def test_a_stations_case_from_a_file_is_solved(short_station_file: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.json"
    case.write_text(storm_day().model_dump_json(), encoding="utf-8")
    result = runner.invoke(app, ["--site", str(short_station_file), "--input", str(case)])
    assert result.exit_code == Exit.SOLVED, result.output
    case.write_text(storm_day().model_copy(update={"level_m": 14.2}).model_dump_json(), encoding="utf-8")
    result = runner.invoke(app, ["--site", str(short_station_file), "--input", str(case)])
    assert result.exit_code == Exit.NO_SCHEDULE
    assert "level_m=14.2 is above the tunnel's 14.1 m" in result.output


def test_a_case_of_the_other_kind_is_explained(site_file: Path, station_file: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.json"
    case.write_text(calm_winter(hours=2).model_dump_json(), encoding="utf-8")
    for arguments, message in (
        (["--site", str(station_file), "--input", str(case)], "forcing: Extra inputs are not permitted"),
        (["--site", str(station_file), "--example", "calm-winter"], "must be one of dry-day, storm-day"),
        (["--site", str(site_file), "--example", "dry-day"], "must be one of calm-winter"),
    ):
        result = runner.invoke(app, arguments)
        assert result.exit_code == Exit.BAD_INPUT
        assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either"),
        (["--example", "flood"], "must be one of"),
    ],
)
def test_a_wrong_call_is_explained(site_file: Path, arguments: list[str], message: str) -> None:
    result = runner.invoke(app, ["--site", str(site_file), *arguments])
    assert result.exit_code == Exit.BAD_INPUT
    assert message in result.output


def test_garbage_is_explained(site_file: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "case.json"
    garbage.write_text('{"site": "abay", "start": "yesterday"}', encoding="utf-8")
    result = runner.invoke(app, ["--site", str(site_file), "--input", str(garbage)])
    assert result.exit_code == Exit.BAD_INPUT
    assert "start: " in result.output
    garbage.write_bytes(b"\xff\xfe\x00garbage")
    assert runner.invoke(app, ["--site", str(site_file), "--input", str(garbage)]).exit_code == Exit.BAD_INPUT
    assert runner.invoke(app, ["--site", str(garbage), "--example", "calm-winter"]).exit_code == Exit.BAD_INPUT
