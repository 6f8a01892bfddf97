"""The vendor kit's examples, as a vendor runs them: against a real server, with a key that may do no more than a vendor's."""

import asyncio
import json
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from vendor_rig import NOW, Plans

from headworks.common.asyncapi import vendor_document

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "docs" / "vendors").exists())
KIT, PEERS = ROOT / "docs" / "vendors", ROOT / "tests" / "counterparts" / "node_modules"
START = (NOW + timedelta(hours=1)).isoformat()


@pytest.fixture
def seed_file(tmp_path: Path, plans: Plans) -> Path:
    return tmp_path / "acme.nk"


@pytest.fixture
def javascript(tmp_path: Path) -> list[str]:
    """The example where its libraries are found: Node looks beside the script."""
    node = shutil.which("node")
    if node is None or not (PEERS / "@nats-io" / "jetstream").exists():
        reason = "tests/counterparts/node_modules is not installed (make test installs it): the JavaScript example is not run"
        if os.environ.get("HEADWORKS_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    script = Path(shutil.copy(KIT / "example.mjs", tmp_path))
    (tmp_path / "node_modules").symlink_to(PEERS.resolve())
    return [node, str(script)]


async def run(*command: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the answer that was printed, and what else was said."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, told = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, json.loads(out) if out else {}, told.decode()


async def accepted_and_refused(plans: Plans, seed_file: Path, command: list[str]) -> None:
    await plans.add("acme")
    seed_file.write_text(plans.seeds["acme"] + "\n")
    place = [*command, plans.server.url, "acme", str(seed_file), "abay", "OXPH"]
    code, reply, told = await run(*place, "2.1", START)
    assert (code, reply.get("accepted"), reply.get("refusals")) == (0, True, []), told
    stored = await plans.store.active("abay", NOW)
    assert [plan.plan_id for plan in stored] == reply["plan_ids"]
    assert len(stored) == 4
    code, reply, told = await run(*place, "9", START)
    assert (code, reply["accepted"]) == (1, False), told
    assert reply["refusals"][0]["expected"] == "0.8 to 5.8 MW"


async def test_the_python_example_is_answered(plans: Plans, seed_file: Path) -> None:
    await accepted_and_refused(plans, seed_file, [sys.executable, str(KIT / "example.py")])


async def test_the_javascript_example_is_answered(plans: Plans, seed_file: Path, javascript: list[str]) -> None:
    await accepted_and_refused(plans, seed_file, javascript)


@pytest.mark.parametrize("name", ["example.py", "example.mjs"])
def test_an_example_is_short_enough_to_read_at_once(name: str) -> None:
    lines = (KIT / name).read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 60


def test_the_document_for_vendors_tells_of_their_two_subjects_alone() -> None:
    document = vendor_document()
    assert sorted(document["channels"]) == ["plans_reply", "plans_submit"]
    assert sorted(document["operations"]) == ["vendor_receives_plans_reply", "vendor_sends_plans_submit"]
    assert set(document["components"]["messages"]) == {"PlanReply", "PlanSubmission"}
    assert set(document["x-streams"]) == {"PLAN_EVENTS", "PLAN_SUBMISSIONS"}
