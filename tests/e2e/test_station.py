"""The station's loop: levels and prices in, a schedule solved, eight speeds and run commands verified, the tunnel answers.

Above the plan stand the interlocks; beside it, each PLC is for itself; and without the optimizer the last plan goes on.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from e2e_system import BLOMINMAKI, System

from headworks.common.demo_looks import SAME_HZ, stands_as_planned

SETUP = BLOMINMAKI
QUARTER = timedelta(minutes=15)
PUMPS = {f"P{group}_{k}" for group in (1, 2) for k in (1, 2, 3, 4)}


@pytest.fixture(autouse=True)
def _vendors_plans_end(system: System) -> Iterator[None]:
    """The optimizer's plan leads again after each test, whatever became of it."""
    yield
    for plan in system.get("plans", "/plans/active", station="blominmaki"):
        if plan["publisher"] == "vendor":
            assert system.call("POST", "plans", f"/plans/{plan['plan_id']}/cancel").is_success


def test_every_pump_stands_as_the_plan_asks_and_the_journal_says_why(system: System) -> None:
    assert system.resources().keys() == PUMPS
    system.wait(lambda: _as_planned(system) == PUMPS, "all pumps stand as planned", 60)
    system.wait(lambda: _machines_follow(system), "the machines follow their registers", 20)
    plans = {name: resource["plan_id"] for name, resource in system.resources().items()}
    assert len(set(plans.values())) == len(PUMPS)
    system.wait(lambda: _verified(system) != [], "an order is verified", 60)
    for entry in _verified(system):
        assert entry["plan_id"] is not None, entry


def test_a_run_names_its_inputs_and_keeps_the_rules_or_says_which_cannot_hold(system: System) -> None:
    found = system.get("optimizer", "/sites/blominmaki/runs/latest")
    run, solution = found["run"], found["solution"]
    uses = {use["series"]: use["source"] for use in run["inputs"]}
    assert uses["tunnel_level_m"] == "pi"
    assert uses["tunnel_inflow_m3s"] == "pi"
    assert uses["day_ahead_price_eur_per_mwh"] == "entsoe"
    assert len(solution["steps"]) == 96
    assert (run["status"] == "RELAXED") == bool(solution["relaxations"])
    speeds_hz = [sorted(step["frequency_hz"].values()) for step in solution["steps"]]
    assert all(hertz == 0 or 47.8 <= hertz <= 50.0 for step in speeds_hz for hertz in step)
    if run["status"] == "SOLVED":
        assert all(step[-1] > 0 for step in speeds_hz), "a pump always runs"
        assert all(step["level_m"] <= 8.0 for step in solution["steps"])


def test_the_tunnels_level_follows_the_forecast(system: System) -> None:
    """In one of four quarter hours at least: in some, a pump starts late in its turn, or rests as the machine asks."""
    came: list[tuple[float, float]] = []
    while len(came) < 4 and not any(abs(measured_m - level_m) <= 0.15 for level_m, measured_m in came):
        came.append(_next_level(system))
    assert any(abs(measured_m - level_m) <= 0.15 for level_m, measured_m in came), came


def test_a_plc_that_hangs_delays_its_own_pumps_alone(system: System) -> None:
    """A vendor has the pump run all the while: the optimizer's plan might stop it, and then it rests for half an hour.

    It has it run alone, so that the tunnel fills and no interlock stops it.
    """
    running = _one_running(system)
    busy, other = ("pumps-1", "pumps-2") if running.startswith("P1") else ("pumps-2", "pumps-1")
    beside = {name for name in PUMPS if name[:2] == running[:2]}
    assert _submit(system, "before-a-plc-hangs", _alone(running, 49.5)).status_code == 201
    system.wait(lambda: _runs_at(system, running, 49.5), "it runs as the vendor asks", 90)
    system.fault(other, "hang")
    system.wait(lambda: _reachable(system) == beside, "half the pumps are lost")
    system.wait_raised("plc_lost")
    written = _writes(system, busy)
    assert _submit(system, "while-a-plc-hangs", _alone(running, 48.35)).status_code == 201
    system.wait(lambda: _runs_at(system, running, 48.35), "its new speed is verified", 30)
    assert _writes(system, busy) > written
    system.fault(other, "none")
    system.wait(lambda: _reachable(system) == PUMPS, "the others are back")
    system.settle("plc_lost")


def test_without_the_optimizer_the_last_plan_goes_on(system: System) -> None:
    system.wait(lambda: _as_planned(system) == PUMPS, "all pumps stand as planned", 60)
    system.stack.kill("optimizer")
    try:
        before = {name: r["plan_id"] for name, r in system.resources().items()}
        then = system.now() + QUARTER
        system.wait(lambda: system.now() > then, "a quarter hour passes", 60)
        system.wait(lambda: _as_planned(system) == PUMPS, "all pumps stand as planned", 60)
        now = {name: r["plan_id"] for name, r in system.resources().items()}
        assert all(now[name] != before[name] for name in PUMPS), "each quarter hour has a plan of its own"
        assert not any(r["fail_safe"] or r["refused"] for r in system.resources().values())
    finally:
        system.stack.launch("optimizer")
        system.stack.await_ready("optimizer")


def test_a_tunnel_that_floods_starts_pumps_that_the_plan_would_have_off(system: System) -> None:
    """The last one: it takes the pumps hours to bring the level down again."""
    one = _one_running(system)
    speeds = _alone(one, 49.0)
    assert _submit(system, "one-pump-alone", speeds).status_code == 201
    system.wait(lambda: _requested(system) == speeds, "the plan asks one pump alone")
    system.wait(lambda: _running(system) == {one}, "the others have stopped", 90)
    # Its vendor would count as silent two hours after the first, and the flood may take as long.
    assert _submit(system, "one-pump-alone-again", speeds).status_code == 201
    system.fault("inflow", "flood")
    system.wait(lambda: _state(system)["interlock"] == "high_high", "the interlock is in force", 90)
    system.fault("inflow", "none")
    system.wait(lambda: len(_running(system)) >= 4, "four pumps run", 30)
    assert _requested(system) == speeds, "they run against the plan"
    assert all(system.plant()["pumps"][name]["commanded"] for name in _running(system))
    system.wait_raised("interlock")
    assert system.plant()["overflow_m3"] == 0


def _state(system: System) -> Any:
    return system.get("control_gateway", "/sites/blominmaki/state")


def _as_planned(system: System) -> set[str]:
    return {name for name, resource in system.resources().items() if stands_as_planned(resource)}


def _reachable(system: System) -> set[str]:
    return {name for name, resource in system.resources().items() if resource["link_up"]}


def _running(system: System) -> set[str]:
    return {name for name, resource in system.resources().items() if resource["running"]}


def _one_running(system: System) -> str:
    """A pump that runs, waited for: one that the plan starts may have to rest first."""
    seen: set[str] = set()

    def one_runs() -> bool:
        seen.update(_running(system))
        return bool(seen)

    system.wait(one_runs, "a pump runs", 60)
    return min(seen)


def _runs_at(system: System, resource: str, hertz: float) -> bool:
    found = system.resources()[resource]
    return bool(found["running"] and found["link_up"]) and abs(found["read_back"] - hertz) <= SAME_HZ


def _requested(system: System) -> dict[str, float | None]:
    return {name: resource["requested"] for name, resource in system.resources().items()}


def _verified(system: System) -> list[dict[str, Any]]:
    entries = system.get("control_gateway", "/sites/blominmaki/journal", limit="500")
    return [entry for entry in entries if entry["outcome"] == "verified"]


def _forecast(run: dict[str, Any]) -> list[tuple[datetime, float]]:
    """A run's levels at the ends of its quarter hours."""
    return [(datetime.fromisoformat(step["start"]) + QUARTER, step["level_m"]) for step in run["solution"]["steps"]]


def _next_level(system: System) -> tuple[float, float]:
    """The level at the end of the present quarter hour, as forecast while all pumps stand as planned, and as measured."""
    system.wait(lambda: _as_planned(system) == PUMPS, "all pumps stand as planned", 60)
    forecast, now = _forecast(system.get("optimizer", "/sites/blominmaki/runs/latest")), system.now()
    end, level_m = next((end, level_m) for end, level_m in forecast if end > now)
    system.wait(lambda: _level_m(system, end) is not None, "the level at its end is measured", 60)
    measured_m = _level_m(system, end)
    assert measured_m is not None
    return level_m, measured_m


def _machines_follow(system: System) -> bool:
    """Whether what turns in the plant is what the PLCs were told, at the speeds that they read back."""
    machines, resources = system.plant()["pumps"], system.resources()
    return all(
        machine["running"] == machine["commanded"] == resources[name]["run_commanded"]
        and abs(machine["frequency_hz"] - (resources[name]["read_back"] if machine["commanded"] else 0.0)) < 0.02
        for name, machine in machines.items()
    )


def _level_m(system: System, at: datetime) -> float | None:
    window = {"start": at.isoformat(), "end": (at + timedelta(seconds=1)).isoformat(), "basis": "instant"}
    samples = system.get("ingest", "/sites/blominmaki/series/tunnel_level_m/values", **window)
    return float(samples[0]["value"]) if samples else None


def _writes(system: System, plc: str) -> int:
    """How many orders a PLC was given since it began."""
    return sum(len(writes) for writes in system.world("/plants/blominmaki/writes")[plc].values())


def _alone(pump: str, hertz: float) -> dict[str, float]:
    """One pump at a speed, all others off."""
    return {name: hertz if name == pump else 0.0 for name in PUMPS}


def _submit(system: System, submission_id: str, speeds_hz: dict[str, float]) -> httpx.Response:
    """A vendor's plan for twelve hours from now on, above the optimizer's priority: each pump at one speed (0: off)."""
    start = system.now().replace(second=0, microsecond=0)
    intervals = [
        {
            "resource": resource,
            "resource_type": "PUMP",
            "interval_start": start.isoformat(),
            "interval_end": (start + timedelta(hours=12)).isoformat(),
            "targets": {"kind": "pump", "suggested_speed_hz": hertz},
        }
        for resource, hertz in speeds_hz.items()
    ]
    return system.submit_intervals(submission_id, intervals)
