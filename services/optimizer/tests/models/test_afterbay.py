"""The model is the same text every time, and costs what the forward simulation says it costs."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headworks.optimizer import solver
from headworks.optimizer.afterbay.case import Form, IntegerOptions, Options
from headworks.optimizer.afterbay.example_cases import EXAMPLES, spilling_storm, summer_rafting
from headworks.optimizer.afterbay.solve import recalculate, solve_case
from headworks.optimizer.models.afterbay import build
from headworks.optimizer.models.cost import cost_by_term
from headworks.optimizer.models.data import prepare
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.afterbay_site import AfterbaySite

GOLDEN = Path(__file__).parent / "golden"
ALL_INTEGERS = IntegerOptions(spill_above_power_only=True, max_setpoint_changes=1, min_hours_between_changes=2)


def golden_text(site: AfterbaySite, name: str) -> str:
    """A three-hour model of each kind: strict in a rafting window, and soft at float with every integer option."""
    if name == "milp":
        case = summer_rafting(hours=36)
        case = case.model_copy(update={"start": case.grid.starts[32], "forcing": case.forcing[:3]})
        return solver.write_lp(build(prepare(site, case), Form.MILP).lp)
    case = spilling_storm(hours=3).model_copy(update={"initial_elevation_m": 1173.1 * 0.3048})
    data = prepare(site, case)
    return solver.write_lp(build(data, Form.MPC, integers=ALL_INTEGERS, gate_spill=True).lp)


@pytest.mark.parametrize("name", ["milp", "mpc"])
def test_the_model_is_its_golden_file(site: AfterbaySite, name: str) -> None:
    """To accept a meant change: HEADWORKS_WRITE_GOLDEN=1 pytest, and read the difference."""
    text, path = golden_text(site, name), GOLDEN / f"{name}.lp"
    if os.environ.get("HEADWORKS_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_same_case_gives_the_same_model_in_any_process(site: AfterbaySite, site_file: Path) -> None:
    program = (
        "import hashlib, pathlib, sys\n"
        "from headworks.optimizer.afterbay.case import Form\n"
        "from headworks.optimizer.afterbay.example_cases import summer_rafting\n"
        "from headworks.optimizer.afterbay.solve import lp_text\n"
        "from headworks.waterway.site_file import parse_site\n"
        "site = parse_site(pathlib.Path(sys.argv[1]).read_text(encoding='utf-8'))\n"
        "text = lp_text(site, summer_rafting(hours=48), Form.MPC)\n"
        "sys.stdout.write(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(site_file)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = solver.write_lp(build(prepare(site, summer_rafting(hours=48)), Form.MPC).lp)
    assert digests == {hashlib.sha256(here.encode()).hexdigest()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_objective_is_what_the_simulation_costs(site: AfterbaySite, name: str) -> None:
    case = EXAMPLES[name](hours=120)
    solution = solve_case(site, case)
    trajectory = recalculate(site, case, [hour.setpoint_mw for hour in solution.hours])
    true = cost_by_term(prepare(site, case), trajectory)
    for term, cost in solution.objective_by_term.items():
        # The chords of the head limit lie up to 0.0001 MW under it: that much more flows, at 1000 a MWh.
        assert true[term] == pytest.approx(cost, rel=1e-6, abs=3.0 if term == "summer_rafting" else 0.2), term
    assert sum(solution.objective_by_term.values()) == pytest.approx(solution.objective, rel=1e-9)


def test_the_chords_lie_just_under_the_head_limit(site: AfterbaySite) -> None:
    case = summer_rafting(hours=1)
    data, curve = prepare(site, case), site.afterbay.reservoir.stage_storage.curve
    for lines, most_under_mw in ((data.head_lines.fine, 0.0001), (data.head_lines.coarse, 0.0014)):
        for i in range(501):
            elevation_m = (1168 + i / 100) * 0.3048
            storage_dam3 = (curve.storage_at(elevation_m) - data.origin_m3) / 1000
            under_mw = head_limit_mw(site.afterbay.unit, elevation_m) - min(a * storage_dam3 + b for a, b in lines)
            assert -1e-9 <= under_mw <= most_under_mw


def test_prices_keep_the_ranks(site: AfterbaySite) -> None:
    for ranks in ({}, {"summer_rafting": 1}, {"smooth_operation": 1, "avoid_spill": 5}):
        options = Options.model_validate({"ranks": ranks})
        data = prepare(site, summer_rafting(options=options))
        prices = data.prices
        assert prices.above * data.water_per_mw_dam3 > prices.rafting + 2 * max(prices.change)
        assert all(a - b >= prices.above for a, b in zip(prices.spill, prices.spill[1:], strict=False))
        assert prices.below >= 10 * max(prices.spill)
