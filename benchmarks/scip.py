"""A program solved by SCIP, as ortools has it: the solver of the predecessor."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pulp
from ortools.linear_solver.python import model_builder


@dataclass(frozen=True, slots=True)
class Ended:
    """How a solve ended; the gap of what was found to what was proven, None where nothing was."""

    status: str
    gap: float | None


def solve_with_scip(problem: pulp.LpProblem, time_limit_s: float, mip_gap: float) -> Ended:
    """Solve to a gap, or until the time is out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.mps"
        problem.writeMPS(str(file))
        model = model_builder.Model()  # type: ignore[no-untyped-call]  # ortools leaves it untyped
        if not model.import_from_mps_file(str(file)):
            raise ValueError(f"{problem.name}: the program cannot be read back from its MPS file")
    scip = model_builder.Solver("SCIP")
    scip.set_time_limit_in_seconds(time_limit_s)
    scip.set_solver_specific_parameters(f"limits/gap = {mip_gap}")
    status = scip.solve(model)
    if status not in {model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE}:
        return Ended(status.name, None)
    found, proven = scip.objective_value, scip.best_objective_bound
    return Ended(status.name, abs(found - proven) / max(1e-9, abs(found)))
