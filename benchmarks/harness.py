"""What every benchmark shares: timing, percentiles, the machine, a table on the screen and a JSON file of results."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """What a call gives and the wall-clock seconds it took."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile and maximum [ms]."""
    values_ms = np.asarray(seconds) * 1000
    p50, p95, p99 = np.percentile(values_ms, [50, 95, 99])
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "max_ms": float(values_ms.max())}


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.processor())


def show(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """The rows as a table; their keys are the columns."""
    table = Table(*rows[0], title=title) if rows else Table(title=title)
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=160).print(table)


def write(name: str, packages: Sequence[str], results: Mapping[str, object]) -> Path:
    """Write benchmarks/results/<name>.json: results, machine and library versions."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    whole = {"machine": machine(), "versions": {package: version(package) for package in packages}, **results}
    path.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return path
