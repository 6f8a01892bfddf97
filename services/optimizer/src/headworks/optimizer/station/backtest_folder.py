"""A back-test's folder: what was asked, each turn as it ended, and the plan it left, so that it can be gone on with.

What is gone on with must be the same: the record's content, the whole site, how the record was read, where the run begins, and
the code that plans and judges. What was planned last is kept beside the turns: the next solve begins with it, and a flush under
way goes on.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headworks.common import historian
from headworks.optimizer import models, solver, station
from headworks.optimizer.station.backtest import Knowledge, Record, Turn
from headworks.optimizer.station.case import StationSolution, StrategyPeriod
from headworks.waterway import tunnel
from headworks.waterway.station_site import StationSite

CODE = tuple(Path(str(module.__file__)).parent for module in (station, models, tunnel, historian))
"""What plans and judges: changed, it may plan otherwise."""


def asked_of(
    record: Path,
    mapping: str | None,
    site: StationSite,
    price: str,
    knowledge: Knowledge,
    every: int,
    lived: Record,
    periods: Sequence[StrategyPeriod],
    code: Sequence[Path] = CODE,
) -> dict[str, object]:
    """What a back-test is, to be sure that what is gone on with is the same."""
    return {
        "record": record.name,
        "record_sha256": sha256(record.read_bytes()),
        "mapping": mapping,
        "site": site.site,
        "site_sha256": sha256(json.dumps(site.model_dump(mode="json"), sort_keys=True).encode()),
        "code_sha256": code_sha256(code),
        "price": price,
        "inflow": knowledge.inflow.value,
        "prices": knowledge.prices.value,
        "noise_seed": knowledge.noise_seed,
        "every": every,
        "steps": len(lived.inflow_m3),
        "initial_volume_m3": lived.initial_volume_m3,
        "planning": site.section("planning"),
        "schedule": site.section("schedule"),
        "strategies": [period.model_dump(mode="json") for period in periods],
    }


def code_sha256(folders: Iterable[Path] = CODE) -> str:
    """Of the sources in these folders, the solver's own and its version."""
    digest = hashlib.sha256(version("highspy").encode() + Path(str(solver.__file__)).read_bytes())
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()


def sha256(content: bytes) -> str:
    """Of some content, as a hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class BacktestFolder:
    """The files of one back-test."""

    path: Path

    def begin(self, asked: dict[str, object]) -> None:
        """Say what is asked. Raises ValueError where the folder holds another back-test."""
        self.path.mkdir(parents=True, exist_ok=True)
        question, same = self.path / "asked.json", json.loads(json.dumps(asked, default=str))
        held = json.loads(question.read_text(encoding="utf-8")) if question.exists() else same
        other = sorted(key for key in same | held if same.get(key) != held.get(key))
        if other:
            raise ValueError(
                f"--out {self.path} holds another back-test (other: {', '.join(other)}); give another folder, or remove it"
            )
        question.write_text(json.dumps(same, indent=1), encoding="utf-8")

    def done(self) -> list[Turn]:
        """The turns that ended; one that was cut off while it was written is none."""
        if not self._turns.exists():
            return []
        lines = self._turns.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        self._turns.write_text("".join(whole), encoding="utf-8")
        return [_turn(json.loads(line)) for line in whole]

    def plan_of(self, step: int) -> StationSolution | None:
        """The plan that the turn of a step left, where there was one."""
        file = self._plan(step)
        return StationSolution.model_validate_json(file.read_text(encoding="utf-8")) if file.exists() else None

    def keep_plan(self, step: int, plan: StationSolution) -> None:
        """The plan that a turn leaves is there before the turn itself."""
        self._plan(step).write_text(plan.model_dump_json(), encoding="utf-8")

    def keep(self, turn: Turn) -> None:
        """A turn has ended: the plans before its own go."""
        with self._turns.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(turn)) + "\n")
        for old in set(self.path.glob("plan-*.json")) - {self._plan(turn.step)}:
            old.unlink()

    @property
    def _turns(self) -> Path:
        return self.path / "turns.jsonl"

    def _plan(self, step: int) -> Path:
        return self.path / f"plan-{step}.json"


def _turn(raw: dict[str, Any]) -> Turn:
    return Turn(
        **raw
        | {
            "frequency_hz": tuple(map(tuple, raw["frequency_hz"])),
            "forecast_m3s": tuple(raw["forecast_m3s"]),
            "planned_m3": tuple(raw["planned_m3"]),
        }
    )
