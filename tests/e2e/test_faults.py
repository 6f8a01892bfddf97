"""What a user sees when the outside, the servers or our own processes fail. Each test ends with the system whole again."""

import asyncio
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx
import nats
import pytest
from e2e_system import System

from headworks.common.permissions import OPERATIONS
from headworks.common.subjects import SUBJECTS


def source(system: System, name: str) -> dict[str, object]:
    health = {entry["source"]: entry for entry in system.get("ingest", "/sites/abay/sources")}
    found = health.get(name, {})
    assert isinstance(found, dict)
    return found


def test_pi_down_is_shown_alarmed_and_the_last_plan_goes_on(system: System) -> None:
    system.settle("elevation_stale")
    mails = len(system.world("/mails"))
    system.fault("pi", "down")
    system.wait(lambda: "does not answer" in str(source(system, "pi").get("error")), "the source's health shows it")
    latest = system.get("ingest", "/sites/abay/series/elevation_m/latest")
    assert latest["quality"] == "MISSING"
    assert latest["value"] is None
    assert system.resource()["plan_id"] is not None
    assert system.submit("while-pi-is-down", 2.6).status_code == 201
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(2.6), "control goes on", 60)
    system.wait_raised("elevation_stale")
    system.wait(lambda: _mailed(system, mails, "No good elevation"), "an operator has the e-mail")
    run = system.run("with PI down")["run"]
    marked = next(use for use in run["inputs"] or [] if use["series"] == "elevation_m")
    assert marked["age_s"] > 1800, marked
    system.fault("pi", "none")
    system.wait(lambda: source(system, "pi").get("error") is None, "it is well again")
    system.settle("elevation_stale")


def _mailed(system: System, since: int, title: str) -> bool:
    return any(title in mail["subject"] for mail in system.world("/mails")[since:])


def test_a_mail_server_that_refuses_gets_the_notice_later(system: System) -> None:
    system.fault("smtp", "down")
    order = {"channel": "email"}
    [notice_id] = system.call("POST", "alerts", "/notices/test", json=order).json()["notice_ids"]

    def notice() -> dict[str, object]:
        found = next(n for n in system.get("alerts", "/notices") if n["notice_id"] == notice_id)
        assert isinstance(found, dict)
        return found

    system.wait(lambda: bool(notice()["attempts"]), "a first attempt is kept")
    assert notice()["status"] == "PENDING"
    system.fault("smtp", "none")
    system.wait(lambda: notice()["status"] == "SENT", "it is sent in the end")


@pytest.mark.parametrize(
    ("target", "kind", "name"),
    [("pi", "garbage", "pi"), ("hydroforecast", "garbage", "hydroforecast"), ("pi", "refuse_auth", "pi")],
)
def test_garbage_and_refusals_of_a_source_are_shown_with_the_reason(
    system: System, target: str, kind: str, name: str
) -> None:
    system.fault(target, kind)
    system.wait(lambda: source(system, name).get("error") is not None, f"{kind} of {target} is shown", 40)
    system.fault(target, "none")
    system.wait(lambda: source(system, name).get("error") is None, "it is well again", 40)


def test_an_award_not_yet_published_is_no_error_and_garbage_is(system: System) -> None:
    far = "2026-03-30"
    answer = system.call("POST", "ingest", f"/sites/abay/awards/{far}")
    assert answer.status_code == 200
    assert answer.json() == {"published": False, "award": None}
    system.fault("caiso", "bad_hash")
    refused = system.call("POST", "ingest", "/sites/abay/awards/2026-02-17")
    assert refused.status_code == 502
    assert "does not match its hash" in refused.json()["detail"]
    system.fault("caiso", "garbage")
    assert "neither an attachment" in system.call("POST", "ingest", "/sites/abay/awards/2026-02-17").json()["detail"]
    system.fault("caiso", "refuse_auth")
    assert "403" in system.call("POST", "ingest", "/sites/abay/awards/2026-02-17").json()["detail"]


def test_a_plan_out_of_limits_is_refused_with_field_value_and_what_is_right(system: System) -> None:
    writes = len(system.writes())
    refused = system.submit("too-much", 9.9)
    assert refused.status_code == 409
    [first, *_] = refused.json()["errors"]
    assert first["field"] == "intervals.0.targets.target_value"
    assert first["value"] == 9.9
    assert first["expected"] == "0.8 to 5.8 MW"
    assert all(counts <= 580 for counts in system.writes()[writes:])
    system.wait_raised("plan_refused")
    assert system.submit("in-limits", 2.0).status_code == 201
    system.settle("plan_refused")


def test_nats_restarted_loses_nothing(system: System) -> None:
    system.stack.nats.restart()
    system.wait(lambda: system.run("after NATS")["run"]["status"] in {"SOLVED", "RELAXED"}, "runs go on", 90)
    assert system.submit("after-nats", 2.2).status_code == 201
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(2.2), "plans reach the register", 60)


def test_postgres_restarted_loses_nothing(system: System) -> None:
    system.stack.postgres.restart()
    # Each try is its own: what was stored, but not answered in time, would be refused with another start.
    tries = (f"after-postgres-{n}" for n in count())
    system.wait(lambda: system.submit(next(tries), 2.8).status_code == 201, "plans are taken again", 60)
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(2.8), "they reach the register", 60)
    assert system.run("after PostgreSQL")["run"]["status"] in {"SOLVED", "RELAXED"}


def test_a_worker_killed_in_mid_solve_gives_its_job_to_the_next_and_one_result_is_kept(system: System) -> None:
    answer = system.call("POST", "optimizer", "/sites/abay/runs", json={"reason": "killed"})
    run_id = answer.json()["run_id"]
    system.wait(lambda: system.get("optimizer", f"/runs/{run_id}")["stage"] != "queued", "a worker has it", 90)
    system.stack.kill("optimizer")
    system.stack.launch("optimizer")
    system.stack.await_ready("optimizer")
    system.wait(lambda: system.get("optimizer", f"/runs/{run_id}")["finished_at"] is not None, "it ends", 90)
    run = system.get("optimizer", f"/runs/{run_id}")
    assert run["status"] in {"SOLVED", "RELAXED"}
    history = system.get("plans", "/plans/history", station="abay", resource="OXPH", limit="1000")
    submissions = {plan["submission_id"] for plan in history if plan["optimization_run_id"] == run_id}
    assert submissions <= {f"run-{run_id}"}


def test_a_gateway_killed_and_restarted_makes_no_jump(system: System) -> None:
    assert system.submit("before-the-kill", 4.0).status_code == 201
    system.wait(lambda: system.resource()["requested"] == 4.0, "the plan is known")
    system.stack.kill("control_gateway")
    held = system.plant()["setpoint_mw"]
    before = system.now()
    system.wait(lambda: system.now() > before + timedelta(minutes=30), "half a plant hour passes")
    assert system.plant()["setpoint_mw"] == held
    system.stack.launch("control_gateway")
    system.stack.await_ready("control_gateway")
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(4.0), "it reaches the plan", 60)
    system.assert_no_jump(system.writes())


def test_a_plc_gone_and_back_with_empty_registers_is_led_back_at_the_rate(system: System) -> None:
    system.fault("plc", "down")
    system.wait(lambda: system.resource()["link_up"] is False, "the lost link is shown")
    assert system.resource()["read_back"] is None
    system.wait_raised("plc_lost")
    held = system.plant()["setpoint_mw"]
    assert system.submit("while-the-plc-is-away", 1.5).status_code == 201
    system.fault("plc", "none")
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(1.5), "it reaches the plan", 60)
    writes = system.writes()
    system.assert_no_jump(writes)
    assert abs(held - 1.5) > 0.3, "the test needs a way to go"
    system.settle("plc_lost")


def test_a_plc_that_holds_something_else_is_told(system: System) -> None:
    system.fault("plc", "read_back_differs")
    assert system.submit("differs", 2.4).status_code == 201
    system.wait(
        lambda: any(
            entry["outcome"] == "read_back_differs"
            for entry in system.get("control_gateway", "/sites/abay/journal", limit="20")
        ),
        "the journal tells it",
    )
    system.wait_raised("read_back_differs")
    system.fault("plc", "none")
    system.wait(lambda: system.resource()["read_back"] == pytest.approx(2.4), "it is right again", 60)
    system.settle("read_back_differs")


async def _publish_garbage(url: str, seed_file: Path) -> None:
    client = await nats.connect(url, nkeys_seed=str(seed_file))
    for subject in SUBJECTS:
        name = subject.pattern.format(**dict.fromkeys(subject.parameters, "abay"))
        for body in (b"", b"\xff\xfe", b"[]", b'{"site": "abay"}'):
            await client.publish(name, body)
    await client.flush()
    await client.close()


def test_garbage_on_every_subject_is_buried_and_nobody_dies(system: System) -> None:
    asyncio.run(_publish_garbage(system.stack.nats.url, system.stack.seed_file(OPERATIONS)))
    assert system.run("after garbage")["run"]["status"] in {"SOLVED", "RELAXED"}


def test_garbage_on_the_apis_is_refused_with_the_field(system: System) -> None:
    for service, path in (
        ("plans", "/submissions"),
        ("optimizer", "/sites/abay/runs"),
        ("control_gateway", "/sites/abay/mode"),
        ("alerts", "/sites/abay/alarms/e_stop/shelve"),
    ):
        for content in (b"", b"{", b"[1]", b'{"mode": "fly", "reason": 7}'):
            answer = system.call("POST", service, path, content=content)
            assert answer.status_code == 422, (path, content, answer.text)
            assert answer.json()["errors"][0]["field"]
    assert isinstance(system.call("GET", "ingest", "/sites/nowhere/series"), httpx.Response)
    assert system.call("GET", "ingest", "/sites/nowhere/series").status_code == 404
