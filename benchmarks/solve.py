"""How fast and how well the afterbay's schedule is solved, beside the formulation that is widely used.

168-hour cases: build, solve and replay together, the linear form and the one with every integer option. At 24 and 72 h the
segment-binary formulation (24-point piecewise stage-storage, a binary a segment and hour; CBC through PuLP) on the same
data, limits and prices: its time, and its true cost by the forward simulation, beside ours.

    make bench NAME=solve        python benchmarks/solve.py --repeats 40 --peer-seconds 60
"""

import argparse
import gc
import time
from collections.abc import Sequence
from pathlib import Path

import harness
import pulp

from headworks.optimizer import solver
from headworks.optimizer.afterbay.case import Case, Form, IntegerOptions, Options
from headworks.optimizer.afterbay.example_cases import EXAMPLES
from headworks.optimizer.afterbay.solve import recalculate, solve_case
from headworks.optimizer.models.afterbay import Problem, build
from headworks.optimizer.models.cost import cost_by_term
from headworks.optimizer.models.data import DAM3, Data, limits_cannot_hold, prepare
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.site_file import parse_site

SITE_FILE = Path(__file__).parents[1] / "sites" / "abay.yaml"
INTEGERS = IntegerOptions(spill_above_power_only=True, max_setpoint_changes=40, min_hours_between_changes=3)
LINEAR_TARGET_MS, INTEGER_TARGET_MS, GAP_TARGET = 50.0, 2000.0, 0.001
POINTS = 24
FT = 0.3048


def main() -> None:
    """Run all, print two tables, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=40, help="runs of each linear case")
    parser.add_argument("--integer-repeats", type=int, default=5, help="runs of each case with integers")
    parser.add_argument("--peer-seconds", type=float, default=60, help="time limit of the peer; 0 leaves it out")
    arguments = parser.parse_args()
    site = parse_site(SITE_FILE.read_text(encoding="utf-8"))
    assert isinstance(site, AfterbaySite)
    linear = [week(site, name, None, arguments.repeats) for name in EXAMPLES]
    harness.show("linear form, 168 h: build + solve + replay", linear)
    integer = [week(site, name, INTEGERS, arguments.integer_repeats) for name in EXAMPLES]
    harness.show("every integer option, 168 h, gap 0.1 %", integer)
    peers: list[dict[str, object]] = []
    if arguments.peer_seconds > 0:
        names = ("calm-winter", "summer-rafting", "spilling-storm")
        peers = [beside(site, name, hours, arguments.peer_seconds) for hours in (24, 72) for name in names]
        harness.show("beside the segment-binary formulation", peers)
    results = {"linear": linear, "integer": integer, "peer": peers, "peer_time_limit_s": arguments.peer_seconds}
    harness.write("solve", ("highspy", "pulp", "numpy"), results)


def week(site: AfterbaySite, name: str, integers: IntegerOptions | None, repeats: int) -> dict[str, object]:
    """One example week, solved again and again."""
    case = EXAMPLES[name](options=Options(integer_options=integers or IntegerOptions()))
    solution = solve_case(site, case)
    seconds, cpu_seconds = zip(*(undisturbed(site, case) for _ in range(repeats)), strict=True)
    replay, gap, timing = solution.replay, solution.gap, solution.timing
    if replay is None or gap is None or timing is None:
        raise SystemExit(f"{name}: {solution.status}: {solution.reason}")
    measured = harness.percentiles_ms(seconds)
    target_ms = LINEAR_TARGET_MS if integers is None else INTEGER_TARGET_MS
    return {
        "case": name,
        "status": f"{solution.status} ({solution.form})",
        **measured,
        "cpu_p95_ms": harness.percentiles_ms(cpu_seconds)["p95_ms"],
        "target_ms": target_ms,
        "met": measured["p95_ms"] <= target_ms and gap <= GAP_TARGET and replay.passed,
        "gap": gap,
        "build_ms": timing.build_s * 1000,
        "solve_ms": timing.solve_s * 1000,
        "replay_ms": timing.replay_s * 1000,
        "replay_error_ft": replay.elevation_error_m / FT,
        "replay_error_mw": replay.power_error_mw,
    }


def undisturbed(site: AfterbaySite, case: Case) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one solve as the service's own solve process does it: without the garbage collector."""
    gc.collect()
    gc.disable()
    cpu_s = time.process_time()
    try:
        wall_s = harness.timed(lambda: solve_case(site, case))[1]
        return wall_s, time.process_time() - cpu_s
    finally:
        gc.enable()


def beside(site: AfterbaySite, name: str, hours: int, limit_s: float) -> dict[str, object]:
    """Ours and the peer on the same hours of an example: seconds, and the true cost of both schedules."""
    case = EXAMPLES[name](hours=hours)
    data = prepare(site, case)
    ours, our_s = harness.timed(lambda: solve_case(site, case))
    problem, peer_build_s = harness.timed(lambda: segment_problem(site, case, data))
    binaries = sum(v.cat == pulp.LpInteger for v in problem.lp.variables())
    options = solver.SolverOptions(limit_s, GAP_TARGET)
    result, peer_s = harness.timed(lambda: solver.solve_with_cbc(problem.lp, options))
    found = result if isinstance(result, solver.Solved) else getattr(result, "best", None)
    powers = None if found is None else [found.values[v.name] for v in problem.power]
    return {
        "case": f"{name} {hours} h",
        "ours_s": our_s,
        "ours_true_cost": true_cost(site, case, data, [hour.setpoint_mw for hour in ours.hours]),
        "peer_binaries": binaries,
        "peer_s": peer_build_s + peer_s,
        "peer_ended": type(result).__name__,
        "peer_true_cost": None if powers is None else true_cost(site, case, data, powers),
    }


def true_cost(site: AfterbaySite, case: Case, data: Data, power_mw: Sequence[float]) -> float | None:
    """The cost of a schedule by the forward simulation; None where it leaves the surveyed range."""
    low_mw, high_mw = data.min_power_mw, data.max_power_mw
    try:
        trajectory = recalculate(site, case, [min(high_mw, max(low_mw, power)) for power in power_mw])
    except OutOfRange:
        return None
    return sum(cost_by_term(data, trajectory).values())


def segment_problem(site: AfterbaySite, case: Case, data: Data) -> Problem:
    """The same problem with elevation as a piecewise function of storage: a binary a segment and hour, head limit on it."""
    form = Form.MPC if limits_cannot_hold(data) else Form.MILP
    problem = build(data, form)
    lp, unit, columns = problem.lp, site.afterbay.unit, problem.lp.variablesDict()
    curve = site.afterbay.reservoir.stage_storage.curve
    low_m, high_m = site.afterbay.reservoir.minimum_elevation - 0.5 * FT, case.float_elevation_m
    if form is Form.MPC:
        low_m = min(low_m, case.initial_elevation_m - 0.5 * FT)
    levels_m = [low_m + (high_m - low_m) * i / (POINTS - 1) for i in range(POINTS)]
    storages = [(curve.storage_at(level) - data.origin_m3) / DAM3 for level in levels_m]
    rows = [row for row in lp.constraints() if not row.name.startswith("head_limit_")]
    segmented = pulp.LpProblem(f"{lp.name}_segments", pulp.LpMinimize)
    segmented.setObjective(lp.objective)
    for row in rows:
        segmented.addConstraint(row)
    for t, storage in enumerate(problem.storage):
        weights = [segmented.add_variable(f"weight_{t:03d}_{i:02d}", 0, 1) for i in range(POINTS)]
        segments = [segmented.add_variable(f"segment_{t:03d}_{i:02d}", 0, 1, pulp.LpInteger) for i in range(POINTS - 1)]
        level = pulp.lpDot(levels_m, weights)
        segmented.addConstraint(pulp.lpSum(weights) == 1, f"weights_{t:03d}")
        segmented.addConstraint(pulp.lpSum(segments) == 1, f"segments_{t:03d}")
        segmented.addConstraint(pulp.lpDot(storages, weights) == storage, f"stage_storage_{t:03d}")
        head = columns[f"head_{t:03d}"]
        segmented.addConstraint(
            head <= unit.head_limit_slope * level + unit.head_limit_intercept, f"head_limit_{t:03d}"
        )
        for i, weight in enumerate(weights):
            near = segments[max(0, i - 1) : i + 1]
            segmented.addConstraint(weight <= pulp.lpSum(near), f"adjacent_{t:03d}_{i:02d}")
    return Problem(segmented, form, data, problem.power, problem.storage, problem.spill, problem.terms)


if __name__ == "__main__":
    main()
