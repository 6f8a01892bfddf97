"""The one path: measurements and awards in, a schedule solved, its plan stored, made safe, written, read back, and answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from e2e_system import System

from headworks.common.auth import Role


def test_the_register_holds_what_the_plan_asks_and_the_journal_says_why(system: System) -> None:
    submitted = system.submit("raise", 3.0)
    assert submitted.status_code == 201
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(3.0), "the register reaches 3 MW", 60)
    plans = submitted.json()["plan_ids"]
    system.wait(
        lambda: any(
            e["outcome"] == "verified" and e["plan_id"] in plans and e["read_back"] == 3.0
            for e in system.get("control_gateway", "/sites/abay/journal")
        ),
        "the verified write is in the journal",
    )
    system.assert_no_jump(system.writes())
    system.wait(lambda: abs(system.plant()["power_mw"] - 3.0) < 0.05, "the machine follows")


def test_a_run_names_every_input_with_its_source_and_age(system: System) -> None:
    found = system.run("by hand")
    run, solution = found["run"], found["solution"]
    assert run["status"] in {"SOLVED", "RELAXED"}
    assert len(solution["hours"]) == 168
    assert solution["replay"]["passed"]
    uses = {use["series"]: use for use in run["inputs"]}
    assert uses["elevation_m"]["source"] == "pi"
    assert uses["elevation_m"]["age_s"] < 7200
    assert uses["r4_flow_m3s"]["source"] == "hydroforecast-short-term"
    assert uses["award"]["source"] == "caiso"
    # Tomorrow's award is not published yet: the hours beyond today's are marked with what stands in for it.
    assert "award" in run["mfra_summary"]
    assert "persistence" in run["mfra_summary"] or "pattern" in run["mfra_summary"]


def test_the_real_award_reaches_the_api(system: System, headworks_data: Path) -> None:
    assert (headworks_data / "caiso_dam_awards_20260217.xml").exists()
    award = system.get("ingest", "/sites/abay/awards/2026-02-17")
    assert [interval["power_mw"] for interval in award["intervals"]] == [40.0] * 24
    assert award["intervals"][0]["start"] == "2026-02-17T08:00:00Z"


def test_values_as_of_the_past_do_not_know_the_future(system: System) -> None:
    now = system.now()
    window = {"start": (now - timedelta(hours=6)).isoformat(), "end": now.isoformat()}
    today = system.get("ingest", "/sites/abay/series/elevation_m/values", **window)
    before = system.get("ingest", "/sites/abay/series/elevation_m/values", **window, known_at="2026-02-17T00:00:00Z")
    assert len(today) > 5
    assert before == []


def test_a_recalculation_of_an_edited_schedule_needs_no_solve(system: System) -> None:
    run = system.get("optimizer", "/sites/abay/runs/latest")
    edited = [hour["setpoint_mw"] for hour in run["solution"]["hours"]]
    edited[:6] = [0.8] * 6
    body = {"run_id": run["run"]["run_id"], "setpoint_mw": edited}
    hours = system.call("POST", "optimizer", "/sites/abay/recalculate", json=body).json()
    assert hours[5]["elevation_m"] > run["solution"]["hours"][5]["elevation_m"]
    lp = system.call("GET", "optimizer", f"/runs/{run['run']['run_id']}/model.lp")
    assert "water_balance_abay_000" in lp.text


def test_measured_elevation_follows_the_forecast(system: System) -> None:
    found = system.run("forecast to compare")
    hours = found["solution"]["hours"]
    starts = [datetime.fromisoformat(hour["start"]) for hour in hours[:4]]
    elevation = Measured(system, "elevation_m", "instant")
    system.wait(lambda: elevation.at(starts[3]) is not None, "the two hours after the run's are measured", 120)
    # Later runs plan these hours anew: what is held against the plant is the forecast for the power it really gave.
    power = Measured(system, "oxph_power_mw", "hour_mean")
    system.wait(lambda: all(power.at(start) is not None for start in starts[:3]), "their power is known", 120)
    given_mw = [min(5.8, max(0.8, power.value(start))) for start in starts[:3]]
    body = {"run_id": found["run"]["run_id"], "setpoint_mw": [*given_mw, *(hour["setpoint_mw"] for hour in hours[3:])]}
    forecast = system.call("POST", "optimizer", "/sites/abay/recalculate", json=body).raise_for_status().json()
    forecast_m = forecast[2]["elevation_m"] - forecast[0]["elevation_m"]
    assert elevation.value(starts[3]) - elevation.value(starts[1]) == pytest.approx(forecast_m, abs=0.25 * 0.3048)


@dataclass(frozen=True, slots=True)
class Measured:
    """What ingest has of one series."""

    system: System
    series: str
    basis: str

    def at(self, at: datetime) -> float | None:
        """The value of this time; None where there is none."""
        window = {"start": at.isoformat(), "end": (at + timedelta(seconds=1)).isoformat(), "basis": self.basis}
        samples = self.system.get("ingest", f"/sites/{self.system.site}/series/{self.series}/values", **window)
        return float(samples[0]["value"]) if samples else None

    def value(self, at: datetime) -> float:
        """The value of this time, which must be there."""
        value = self.at(at)
        assert value is not None, (self.series, at)
        return value


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("ingest", "/sites/abay/series"),
        ("optimizer", "/sites/abay/runs"),
        ("plans", "/plans/active?station=abay"),
        ("control_gateway", "/sites/abay/state"),
        ("alerts", "/sites/abay/alarms"),
        ("ingest", "/openapi.json"),
    ],
)
def test_nobody_is_served_without_signing_in(system: System, service: str, path: str) -> None:
    url = system.stack.url(service) + path
    for headers in ({}, {"Authorization": "Bearer garbage"}, {"X-API-Key": "garbage"}):
        assert httpx.get(url, headers=headers).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {system.token()}"}).status_code == 200


def test_a_viewer_may_not_stop_the_plant(system: System) -> None:
    body = {"reason": "test"}
    refused = system.call("POST", "control_gateway", "/sites/abay/e-stop", role=Role.VIEWER, json=body)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"


def test_e_stop_stops_all_writes_until_an_engineer_clears_it(system: System) -> None:
    reason = {"reason": "exercise"}
    pressed = system.call("POST", "control_gateway", "/sites/abay/e-stop", role=Role.OPERATOR, json=reason)
    assert pressed.json()["e_stop"] is True
    system.wait(lambda: system.resource()["reason"] == "e-stop is active", "the loop has seen it")
    system.wait_raised("e_stop")
    writes = len(system.writes())
    assert system.submit("during-e-stop", 4.5).status_code == 201
    system.wait(lambda: system.resource()["requested"] == 4.5, "the new plan is known")
    before = system.now()
    system.wait(lambda: system.now() > before + timedelta(minutes=10), "ten plant minutes pass")
    assert len(system.writes()) == writes
    not_allowed = system.call("POST", "control_gateway", "/sites/abay/e-stop/clear", role=Role.OPERATOR, json=reason)
    assert not_allowed.status_code == 403
    for caller, stopped in (("tester", True), ("tester", True), ("a second tester", False)):
        cleared = system.call("POST", "control_gateway", "/sites/abay/e-stop/clear", caller=caller, json=reason)
        assert cleared.json()["e_stop"] is stopped
    system.wait(lambda: len(system.writes()) > writes, "writes go on")
    system.assert_no_jump(system.writes())
    system.settle("e_stop")
