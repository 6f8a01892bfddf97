"""How a site stands at one moment, for one line of the demo: made of what the services and the simulated plant answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

FEET = 0.3048
SAME_HZ = 0.025
"""A speed so near to the planned one is left as it is: the gateway's deadband, and half a count of the register."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked about a site: its plant, the gateway's state and journal, the alarms, and the newest run if there is one."""

    plant: dict[str, Any]
    state: dict[str, Any]
    run: dict[str, Any] | None
    alarms: list[dict[str, Any]]
    journal: list[dict[str, Any]]

    @property
    def at(self) -> datetime:
        """The plant's time."""
        return datetime.fromisoformat(self.plant["at"])

    @property
    def active_alarms(self) -> tuple[str, ...]:
        """The titles of what is raised."""
        return tuple(alarm["title"] for alarm in self.alarms if alarm["state"].startswith("active"))

    @property
    def run_status(self) -> str:
        """The newest run in force, and how it ended."""
        return f"{self.run['run']['run_id']} {self.run['run']['status']}" if self.run else "none yet"

    @property
    def verified(self) -> dict[str, Any] | None:
        """The newest write that the PLC read back as it was asked."""
        return next((entry for entry in self.journal if entry["outcome"] == "verified"), None)


@dataclass(frozen=True, slots=True)
class Look:
    """One line; `occasion` is what makes a new one when it changes, `firsts` what a person waits for and whether it is there."""

    line: str
    occasion: tuple[object, ...]
    firsts: dict[str, bool]


def afterbay_look(site: str, answers: Answers) -> Look:
    """An afterbay: elevation against forecast, the plan's power and what the register holds."""
    [resource] = answers.state["resources"]
    asked_mw, held_mw, verified = resource["requested"], resource["read_back"], answers.verified
    elevation_ft = answers.plant["elevation_ft"]
    hours = answers.run["solution"]["hours"] if answers.run and answers.run["solution"] else []
    ends = [(datetime.fromisoformat(hour["start"]) + timedelta(hours=1), hour["elevation_m"]) for hour in hours]
    expected_m = _expected(answers, "initial_elevation_m", ends, timedelta(hours=1))
    difference_ft = None if expected_m is None else elevation_ft - expected_m / FEET
    return Look(
        line=(
            f"{_stamp(site, answers)}  {elevation_ft:8.2f} ft ({_off(difference_ft)})  plan {_of(asked_mw, 'MW')}  "
            f"register {_of(held_mw, 'MW')}  {_ends(answers)}"
        ),
        occasion=(*_half_hour(answers), asked_mw, held_mw, answers.run_status, answers.active_alarms),
        firsts={
            f"{site}: a plan is solved and the register holds what it asks": asked_mw is not None
            and asked_mw == held_mw,
            f"{site}: a setpoint is written to the PLC and read back: {_of(verified['read_back'] if verified else None, 'MW')}": (
                verified is not None
            ),
        },
    )


def station_look(site: str, answers: Answers) -> Look:
    """A pumping station: level against forecast, the pumps that run, whether each stands as planned, and the price."""
    pumps, level_m = answers.state["resources"], answers.plant["level_m"]
    steps = answers.run["solution"]["steps"] if answers.run and answers.run["solution"] else []
    starts = [datetime.fromisoformat(step["start"]) for step in steps]
    step_s = starts[1] - starts[0] if len(starts) > 1 else timedelta(minutes=15)
    ends = [(start + step_s, step["level_m"]) for start, step in zip(starts, steps, strict=True)]
    expected_m = _expected(answers, "initial_level_m", ends, step_s)
    running = tuple(pump["resource"] for pump in pumps if pump["running"])
    held = sum(stands_as_planned(pump) for pump in pumps)
    planned = sum(pump["requested"] is not None for pump in pumps)
    verified = answers.verified
    return Look(
        line=(
            f"{_stamp(site, answers)}  {level_m:8.2f} m  ({_off(None if expected_m is None else level_m - expected_m)})  "
            f"pumps {_speeds(pumps)}  as planned {held} of {planned}  price {_of(_price(answers.at, steps, step_s), '€/MWh')}"
            f"  {_ends(answers)}"
        ),
        occasion=(*_half_hour(answers), running, held, planned, answers.active_alarms),
        firsts={
            f"{site}: a plan is solved and each of {planned} pumps stands as it asks": planned == held == len(pumps),
            f"{site}: an order is written to a PLC and read back: {verified['resource'] if verified else 'not yet'}": verified
            is not None,
        },
    )


def stands_as_planned(pump: dict[str, Any]) -> bool:
    """Whether a pump's registers hold what its plan asks: the run command, and the speed of one that shall run."""
    asked_hz, held_hz = pump["requested"], pump["read_back"]
    if asked_hz is None or pump["run_commanded"] is None or held_hz is None:
        return False
    if asked_hz == 0:
        return not pump["run_commanded"]
    return bool(pump["run_commanded"]) and abs(held_hz - asked_hz) <= SAME_HZ


def _expected(answers: Answers, initial: str, ends: Sequence[tuple[datetime, float]], step: timedelta) -> float | None:
    """The forecast at the plant's time: between that at the start of the schedule and those at the ends of its steps."""
    if answers.run is None or not ends or answers.run[initial] is None:
        return None
    known = [(ends[0][0] - step, float(answers.run[initial])), *ends]
    for (t0, h0), (t1, h1) in pairwise(known):
        if t0 <= answers.at < t1:
            return h0 + (h1 - h0) * ((answers.at - t0) / (t1 - t0))
    return None


def _price(at: datetime, steps: Sequence[dict[str, Any]], step: timedelta) -> float | None:
    for found in steps:
        if datetime.fromisoformat(found["start"]) <= at < datetime.fromisoformat(found["start"]) + step:
            return float(found["price_eur_per_mwh"])
    return None


def _speeds(pumps: Sequence[dict[str, Any]]) -> str:
    """The pumps that turn, with their speeds; those of a lost PLC are not known."""
    known = [f"{pump['resource']} {pump['actual']:.1f}" for pump in pumps if pump["actual"]]
    lost = sum(pump["actual"] is None for pump in pumps)
    return (", ".join(known) + " Hz" if known else "none") + (f" ({lost} not known)" if lost else "")


def _stamp(site: str, answers: Answers) -> str:
    return f"[bold]{site:10}[/] {answers.at:%a %H:%M}Z"


def _ends(answers: Answers) -> str:
    alarms = f"[red]{', '.join(answers.active_alarms)}[/]" if answers.active_alarms else "none"
    return f"run {answers.run_status}  alarms {alarms}"


def _half_hour(answers: Answers) -> tuple[int, int]:
    return answers.at.hour, answers.at.minute // 30


def _off(difference: float | None) -> str:
    return "no forecast" if difference is None else f"forecast {difference:+.2f}"


def _of(value: float | None, unit: str) -> str:
    return "not known" if value is None else f"{value:.2f} {unit}"
