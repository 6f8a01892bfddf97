"""The pumping station: a day's schedule for all eight pumps on the record's 16 days, two hours, and the predecessor's own form.

Run with HEADWORKS_DATA set: `make bench NAME=pumping`. Every day begins at midnight as the record stood there, with the inflow
and prices that came. Cold solves know no last plan; warm ones go on from that of a quarter hour before, as the service does.
"""

import argparse
import math
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pulp
import yaml
from inventory import inventory_problem
from scip import solve_with_scip

from headworks.common.historian.reading import read_record
from headworks.common.historian.record import Record as Historian
from headworks.optimizer.solver import Solved, SolverOptions, TimedOut, solve_with_highs
from headworks.optimizer.station.backtest import Inflow, Knowledge, Prices, Record, State, inputs_at
from headworks.optimizer.station.backtest_cli import lived_of
from headworks.optimizer.station.case import LastPlan, StationInputs, StationSolution
from headworks.optimizer.station.lp import first_program
from headworks.optimizer.station.planning import solve_inputs
from headworks.waterway.series import PRICE, TUNNEL_VOLUME
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

SITE_FILE = Path(__file__).parents[1] / "sites" / "blominmaki.yaml"
RECORD = "hsy_blominmaki_2024-11.csv"
DAY = 96
GAP = 0.01
INVENTORY_ROWS = (536, 568)
"""Of 2 pumps over 8 steps, in the project's facts."""
PERFECT = Knowledge(Inflow.PERFECT, Prices.PERFECT)


def main() -> None:
    """Run all, print the tables, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=16, help="how many days of the record")
    parser.add_argument("--peer-seconds", type=float, default=60, help="time limit of each of the peer's solves")
    parser.add_argument("--peer-days", type=int, default=4, help="how many days the peer solves; 0 leaves it out")
    arguments = parser.parse_args()
    data = os.environ.get("HEADWORKS_DATA")
    if not data:
        raise SystemExit("HEADWORKS_DATA is not set: this benchmark needs the record")
    whole, short = site_with({}), site_with({"horizon": "2 h"})
    historian = read_record(Path(data) / RECORD, whole, "quarter_hours")
    lived = lived_of(whole, historian, PRICE, None, None)
    days = [day_of(whole, historian, lived, d) for d in range(arguments.days)]
    cold = [row(f"day {d + 1} cold", solve_inputs(whole, inputs)) for d, inputs in enumerate(days)]
    harness.show("24 h, 8 pumps, 96 steps (and a day's tail)", cold)
    warm = [row(f"day {d + 1} warm", solve_inputs(whole, warmed(whole, inputs))) for d, inputs in enumerate(days)]
    harness.show("the same, from the last plan", warm)
    tight = [row(f"day {d + 1} 2 h", solve_inputs(short, inputs)) for d, inputs in enumerate(days)]
    harness.show("2 h, 8 pumps, 8 steps", tight)
    summary = [summed("cold", cold), summed("warm", warm), summed("2 h", tight)]
    harness.show("seconds", summary)
    peer = besides(whole, days[: arguments.peer_days], cold, arguments.peer_seconds)
    harness.show("the inventory's formulation, by SCIP, and ours", peer)
    results = {"cold": cold, "warm": warm, "two_hours": tight, "summary": summary, "peer": peer}
    harness.write("pumping", ("highspy", "pulp", "numpy"), results)


def site_with(schedule: dict[str, str]) -> StationSite:
    """The site, with another schedule section where asked; two hours need no tail."""
    raw: dict[str, Any] = yaml.safe_load(SITE_FILE.read_text(encoding="utf-8"))
    raw["schedule"] |= schedule
    if schedule:
        raw["planning"]["solve"]["tail"] = "0 h"
    return StationSite.model_validate(raw)


def day_of(site: StationSite, historian: Historian, lived: Record, day: int) -> StationInputs:
    """How a day of the record begins; the pumps as they are at the record's start, for its own break the rule of two hours."""
    volume = historian.values(TUNNEL_VOLUME)[day * DAY - 1] if day else lived.initial_volume_m3
    if volume is None:
        raise SystemExit(f"the volume before day {day + 1} is not known")
    before = tuple(Before(was.on, 20) for was in lived.before)
    return inputs_at(site, lived, PERFECT, State(day * DAY, volume, before), ())


def warmed(site: StationSite, inputs: StationInputs) -> StationInputs:
    """The same problem a quarter hour later, with the plan of before."""
    first = solve_inputs(site, inputs)
    frequency_hz = tuple(tuple(step.frequency_hz.values()) for step in first.steps)
    outside = inputs.outside_inflow
    if not first.steps or outside is None:
        raise SystemExit(f"no plan to go on from: {first.reason}")
    step = timedelta(seconds=inputs.step_s)
    pumps = tuple(
        pump.model_copy(update={"on": hz > 0, "steps": pump.steps + 1 if pump.on == (hz > 0) else 1})
        for pump, hz in zip(inputs.pumps, frequency_hz[0], strict=True)
    )
    return inputs.model_copy(
        update={
            "start": inputs.start + step,
            "level_m": first.steps[0].level_m,
            "pumps": pumps,
            "price_eur_per_mwh": inputs.price_eur_per_mwh[1:],
            "outside_inflow": outside.model_copy(update={"flow_m3s": outside.flow_m3s[1:]}),
            "last_plan": LastPlan(start=inputs.start, frequency_hz=frequency_hz),
        }
    )


def row(name: str, solution: StationSolution) -> dict[str, object]:
    """One solve as a row. Raises SystemExit where there is no plan: its seconds would say nothing of the others'."""
    timing = solution.timing
    if timing is None or not solution.steps:
        raise SystemExit(f"{name}: {solution.status}, {solution.reason}")
    return {
        "case": name,
        "status": "gone on" if solution.gone_on else solution.status.value,
        "first_plan_s": timing.first_plan_s,
        "total_s": timing.total_s,
        "rounds": solution.rounds,
        "gap": math.inf if solution.gap is None else solution.gap,
        "energy_eur": solution.energy_cost_eur,
        "relaxed": ", ".join(sorted({relaxation.rule for relaxation in solution.relaxations})),
    }


def summed(name: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """Median, 95th percentile and largest of the seconds, and how many were proven to 1 %."""
    first, total = (np.array([r[key] for r in rows], dtype=float) for key in ("first_plan_s", "total_s"))
    gaps = np.array([r["gap"] for r in rows], dtype=float)
    return {
        "solves": name,
        "first median": float(np.median(first)),
        "first p95": float(np.percentile(first, 95)),
        "total median": float(np.median(total)),
        "total p95": float(np.percentile(total, 95)),
        "total max": float(total.max()),
        "within 1 %": f"{int((gaps <= 0.01).sum())} of {len(rows)}",
    }


def besides(
    site: StationSite, days: list[StationInputs], ours: list[dict[str, object]], limit_s: float
) -> list[dict[str, object]]:
    """The inventory's formulation, small on the first day to show its rows, and of all pumps on each day, ours beside it."""
    if not days:
        return []
    small = [beside(site, days[0], "day 1", 2, 8, limit_s, soft=soft) for soft in (False, True)]
    assert [row["rows"] for row in small] == [INVENTORY_ROWS[0], INVENTORY_ROWS[1]]
    whole = [beside(site, inputs, f"day {d + 1}", 8, DAY, limit_s, soft=True) for d, inputs in enumerate(days)]
    tight = [loose(first_program(site, inputs).lp, limit_s) for inputs in days]
    return [row | {"ours s": "not compared", "our gap": "", "our looseness": ""} for row in small] + [
        row | {"ours s": our["total_s"], "our gap": our["gap"], "our looseness": looseness}
        for row, our, looseness in zip(whole, ours, tight, strict=False)
    ]


def beside(
    site: StationSite, inputs: StationInputs, day: str, pumps: int, steps: int, limit_s: float, *, soft: bool
) -> dict[str, object]:
    """The inventory's formulation of the first pumps: its size, how it ended, and its seconds."""
    problem, build_s = harness.timed(lambda: inventory_problem(site, inputs, pumps, steps, soft=soft))
    ended, solve_s = harness.timed(lambda: solve_with_scip(problem, limit_s, GAP))
    return {
        "case": f"{day}: {pumps} pumps, {steps} steps, {'soft' if soft else 'walls'}",
        "rows": len(problem.constraints()),
        "binaries": sum(v.cat == pulp.LpInteger for v in problem.variables()),
        "ended": ended.status,
        "gap": ended.gap,
        "seconds": build_s + solve_s,
        "looseness": loose(problem, limit_s),
    }


def loose(problem: pulp.LpProblem, limit_s: float) -> float:
    """How far the relaxation without whole numbers lies below the best answer, as a share of it; both by HiGHS.

    Raises SystemExit where one of them is not solved: there is nothing to compare then.
    """
    options = SolverOptions(time_limit_s=limit_s, mip_gap=GAP, threads=2)
    answer = solve_with_highs(problem, options)
    best = answer.best if isinstance(answer, TimedOut) else answer
    for variable in problem.variables():
        variable.cat = pulp.LpContinuous
    relaxed = solve_with_highs(problem, options)
    if not isinstance(best, Solved) or not isinstance(relaxed, Solved):
        raise SystemExit(f"{problem.name}: no answer in {limit_s:g} s, or no relaxation: {answer}")
    return (best.objective - relaxed.objective) / abs(best.objective)


if __name__ == "__main__":
    main()
