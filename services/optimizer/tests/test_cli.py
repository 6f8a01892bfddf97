"""`headworks solve` answers from files, and says plainly what is wrong with them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headworks.optimizer.afterbay.case import Solution
from headworks.optimizer.afterbay.example_cases import calm_winter
from headworks.optimizer.cli import Exit, app

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
