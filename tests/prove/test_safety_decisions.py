"""Every branch of the safety decisions is taken, and every mutant dies: whatever is changed in one, one of its own tests fails.

mutmut works on a copy of the package and of the decision's tests in a folder of its own, so the checkout stays as it is.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.prove
GATEWAY = Path("services", "control-gateway")
CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/headworks/control_gateway/{module}.py"]
pytest_add_cli_args_test_selection = ["tests/"]

[tool.pytest.ini_options]
addopts = "--import-mode=importlib -p no:xdist -p no:headworks -p no:schemathesis"
pythonpath = ["tests"]
"""
FEWEST = {
    "safety": 150,
    "pump_safety": 120,
    "interlocks": 100,
    "calculators": 60,
    "movement": 120,
    "plausibility": 100,
    "watchdog": 25,
    "trips": 70,
    "leading": 120,
    "last_word": 30,
    "expressions": 300,
    "fencing": 150,
    "lease": 40,
    "e_stop": 110,
    "clock_mark": 60,
}
"""The decisions; with fewer mutants than this, mutmut did not see the module."""
EQUIVALENT = {
    # Both are named among the violations already; the line only lets the type checker know.
    "if violations or plan.requested is None and feedback is None:",
    # What an assertion says that cannot fail.
    'assert start is not None, "XXrefused beforeXX"',
    'assert start is not None, "REFUSED BEFORE"',
    # What only the type checker comes to: every kind of condition has its case.
    "assert_never(None)",
    "without: case _: assert_never(condition)",
    "without: case _: assert_never(seen)",
    # No epoch is 0, nor None.
    "self._taken = None",
    "self._taken = None  # it is led by who led before, or it restarted: it must be given the epoch",
    # Of a whole number, which is at most half of an odd one where it is at most that half rounded down.
    "return 0 < (one - other) % EPOCHS <= EPOCHS / 2",
}
"""Mutants that behave as the original does, by the line they put in its place."""
MOST_S = 1500.0
COVERAGE = """
[run]
branch = true
include = */control_gateway/{module}.py
[report]
exclude_also =
    case _:
    assert_never
partial_also =
    case "stop":
"""
"""Left out is only what the type checker shows to be impossible: that a value is none of its cases."""


def mutmut(folder: Path, *arguments: str) -> str:
    """What a command of mutmut says. Raises AssertionError when it fails."""
    command = [str(Path(sysconfig.get_path("scripts")) / "mutmut"), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def copied(repository: Path, folder: Path, module: str) -> Path:
    """A project of its own with the gateway's package, the tests of one decision, and what tests share."""
    shutil.copytree(repository / GATEWAY / "src", folder / "src")
    shutil.copytree(repository / GATEWAY / "tests" / "rig", folder / "tests")
    for file in files_of(repository, module):
        shutil.copy(file, folder / "tests")
    (folder / "pyproject.toml").write_text(CONFIG.replace("{module}", module))
    return folder


def files_of(repository: Path, module: str) -> list[Path]:
    """A decision's own tests; those of a large one are in several files.

    Not those of another module with a longer name, such as e_stop_board's.
    """
    package, tests = repository / GATEWAY / "src" / "headworks" / "control_gateway", repository / GATEWAY / "tests"
    others = {file for longer in package.glob(f"{module}_*.py") for file in tests.glob(f"test_{longer.stem}*.py")}
    return sorted(set(tests.glob(f"test_{module}*.py")) - others)


@pytest.mark.timeout(MOST_S + 60)
@pytest.mark.parametrize("module", FEWEST)
def test_every_mutant_of_a_safety_decision_dies(sites_folder: Path, tmp_path: Path, module: str) -> None:
    folder = copied(sites_folder.parent, tmp_path, module)
    mutmut(folder, "run", "--max-children", "2")
    mutmut(folder, "export-cicd-stats")
    stats = json.loads((folder / "mutants" / "mutmut-cicd-stats.json").read_text())
    assert stats["total"] >= FEWEST[module], stats
    left = [line.split(":")[0].strip() for line in mutmut(folder, "results").splitlines() if ":" in line]
    changes = {name: mutmut(folder, "show", name) for name in left}
    alive = {name: change for name, change in changes.items() if put_in(change) not in EQUIVALENT}
    assert alive == {}, "\n".join(alive.values())


def put_in(change: str) -> str:
    """The one line that a mutant put in, from its diff, or the lines that it left out."""
    lines = [line[1:].strip() for line in change.splitlines() if line.startswith("+") and not line.startswith("+++")]
    gone = [line[1:].strip() for line in change.splitlines() if line.startswith("-") and not line.startswith("---")]
    if not lines:
        return f"without: {' '.join(gone)}"
    return lines[0] if len(lines) == 1 else change


@pytest.mark.parametrize("module", FEWEST)
def test_every_branch_of_a_safety_decision_is_taken(sites_folder: Path, tmp_path: Path, module: str) -> None:
    root = sites_folder.parent
    config, data, report = tmp_path / "coveragerc", tmp_path / "coverage", tmp_path / "coverage.json"
    config.write_text(COVERAGE.replace("{module}", module))
    own = [f"--rcfile={config}", f"--data-file={data}"]
    tests = map(str, files_of(root, module))
    coverage(root, "run", *own, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)
    coverage(root, "json", *own, "-o", str(report))
    [found] = json.loads(report.read_text())["files"].values()
    assert found["summary"]["num_statements"] > 0
    assert (found["missing_lines"], found["missing_branches"]) == ([], [])


def coverage(folder: Path, *arguments: str) -> None:
    """A command of coverage. Raises AssertionError when it fails."""
    command = [sys.executable, "-m", "coverage", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
