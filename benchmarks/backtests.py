"""The pumping station's closed loop over the 16 real days, by what is known ahead: cost, energy, outflow, emptyings, solve times.

Run with HEADWORKS_DATA set: `make bench NAME=backtests`. Each variant is a `headworks backtest` of its own with one thread,
two at once; what is done of one is gone on with when it is run again, and begun anew once code, site or record changed. Each
plans at a pace of its own, since a forecast is worth less the older it is, unless `--every` gives one for all.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import harness

from headworks.optimizer.station.backtest_folder import code_sha256, sha256

RECORD = "hsy_blominmaki_2024-11.csv"
NORMAL, HIGH = "day_ahead_price_eur_per_mwh", "high_day_ahead_price_eur_per_mwh"
SITE_FILE = Path(__file__).parents[1] / "sites" / "blominmaki.yaml"
FOLDER = harness.RESULTS / "backtests"
PERFECT, INFLOW_PERFECT = ("perfect", "perfect"), ("perfect", "day_ahead")
OWN, PERSISTENCE = ("own", "day_ahead"), ("persistence", "day_ahead")


@dataclass(frozen=True, slots=True)
class Variant:
    """A back-test: for which price it plans, what is known of inflow and prices ahead, and what differs from the site file."""

    name: str
    price: str
    knows: tuple[str, str]
    more: tuple[str, ...] = ()
    every: int = 8
    """Steps between solves; 1 is the service's pace."""


CHANGES = ("planning.prices.uneven_outflow=23", "planning.even_within=900 m**3/hour")
SMOOTH = tuple(word for change in CHANGES for word in ("--change", change))
WIDE = ("--change", "pumping_station.rules.maximum_outflow=16000 m**3/hour")
VARIANTS = (
    Variant("own forecast, high price", HIGH, OWN, every=2),
    Variant("own forecast, normal price", NORMAL, OWN, every=2),
    Variant("perfect, normal price", NORMAL, PERFECT),
    Variant("perfect, high price", HIGH, PERFECT),
    Variant("perfect inflow, day-ahead prices, normal price", NORMAL, INFLOW_PERFECT),
    Variant("persistence, normal price", NORMAL, PERSISTENCE, every=4),
    Variant("persistence, high price", HIGH, PERSISTENCE, every=4),
    Variant("own forecast and noise, normal price", NORMAL, OWN, ("--noise", "1")),
    Variant("smooth, perfect, normal price", NORMAL, PERFECT, SMOOTH, every=16),
    Variant("smooth, own forecast, normal price", NORMAL, OWN, SMOOTH, every=16),
    Variant("perfect, normal price, F2 to 16,000", NORMAL, PERFECT, WIDE),
)
STEPS = ("steps_above_alarm", "steps_above_maximum", "steps_above_high_high", "steps_below_low_low")
OUTFLOW = ("largest", "standard_deviation", "mean_step", "p95_step", "largest_step")


def main() -> None:
    """Run all, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--every", type=int, help="steps between solves, for all; 1 is the service's pace")
    parser.add_argument("--days", type=int, default=16, help="how many days of the record")
    parser.add_argument("--only", default="", help="only variants whose name holds this")
    arguments = parser.parse_args()
    data = os.environ.get("HEADWORKS_DATA")
    if not data:
        raise SystemExit("HEADWORKS_DATA is not set: this benchmark needs the record")
    chosen = [replace(v, every=arguments.every or v.every) for v in VARIANTS if arguments.only in v.name]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda v: lived(v, Path(data) / RECORD, arguments.days), chosen))
    rows = [row(variant, result) for variant, result in zip(chosen, results, strict=True)]
    harness.show("16 days", rows)
    harness.write("backtests", ("highspy", "pulp", "numpy"), {"rows": rows})


def lived(variant: Variant, record: Path, days: int) -> dict[str, Any]:
    """The results of one back-test."""
    folder = folder_of(variant, record, days)
    inflow, prices = variant.knows
    options = {
        "--site": SITE_FILE,
        "--mapping": "quarter_hours",
        "--out": folder,
        "--price": variant.price,
        "--inflow": inflow,
        "--prices": prices,
        "--every": variant.every,
        "--days": days,
        "--change": "planning.solve.threads=1",
    }
    given = [str(word) for option in options.items() for word in option]
    run_cli([str(record), *given, *variant.more], variant.name)
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results


def folder_of(variant: Variant, record: Path, days: int) -> Path:
    """Its own for everything that changes what comes out: the variant, the record, the site file, the code."""
    made_of = (repr(variant), code_sha256(), sha256(record.read_bytes()), sha256(SITE_FILE.read_bytes()))
    name = variant.name.replace(", ", "_").replace(" ", "_")
    return FOLDER / f"{name}-{variant.every}-{days}-{sha256(repr(made_of).encode())[:12]}"


def run_cli(arguments: Sequence[str], name: str) -> None:
    """`headworks backtest`, quietly; what it says is shown where it fails."""
    command = [str(Path(sys.executable).parent / "headworks"), "backtest", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{name}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    print(f"{name}: done", flush=True)


def row(variant: Variant, result: dict[str, Any]) -> dict[str, object]:
    """One back-test as a row."""
    score, solving, share = result["score"], result["solving"], result["to_history"].get(variant.price)
    cost = {price: score["cost_eur"][price] + score["end_correction_eur"][price] for price in (NORMAL, HIGH)}
    outflow = score["outflow"]
    return {
        "variant": variant.name,
        "every": variant.every,
        "EUR": round(cost[variant.price]),
        "EUR at the other price": round(cost[HIGH if variant.price == NORMAL else NORMAL]),
        "to history": "not known" if share is None else f"{share:+.1%}",
        "MWh": round(score["energy_mwh"], 1),
        "kWh/m³": round(score["kwh_per_m3"], 4),
        "emptied dry, wet": f"{score['dry_days_emptied']} of {score['dry_days']}, {score['wet_days_emptied']}",
        "level m": f"{score['lowest_level_m']:.2f} to {score['highest_level_m']:.2f}",
        "steps above 7.2 m, 8 m; starts at 7.4 m; stops at 0.05 m": ", ".join(str(score[key]) for key in STEPS),
        "starts": score["starts"],
        "F2 largest; sd; mean, p95 and largest step": ", ".join(f"{outflow[key]:.0f}" for key in OUTFLOW),
        "broken": ", ".join(f"{n} × {rule}" for rule, n in score["breaches"].items()) or "none",
        "solve s: median, p95, largest": ", ".join(f"{solving[key]:.2f}" for key in ("median_s", "p95_s", "max_s")),
        "gone on with": solving["gone_on"],
    }


if __name__ == "__main__":
    main()
