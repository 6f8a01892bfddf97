"""`headworks vendor` against a running plans service: what a person on operations types, and what comes of it."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from vendor_rig import Plans

from headworks.common.permissions import public_key
from headworks.plans.vendor_cli import app
from headworks.plans.vendors import Vendor


@pytest.fixture(autouse=True)
def environment(plans: Plans, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the demo's file `environment` tells."""
    monkeypatch.setenv("HEADWORKS_PLANS_URL", plans.url)
    monkeypatch.setenv("HEADWORKS_NATS_URL", plans.server.url)
    monkeypatch.setenv("HEADWORKS_JWT_SECRET_FILE", str(secret_file))
    monkeypatch.setenv("HEADWORKS_ADMIN", "ann")


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(words)))


async def found(plans: Plans, name: str) -> Vendor:
    vendor = await plans.vendors.registry.find(name)
    assert vendor is not None
    return vendor


async def test_a_vendor_that_is_added_connects_with_the_seed_that_is_said_once(plans: Plans) -> None:
    result = await typed("add", "acme", "--site", "abay", "--max-priority", "3", "--intervals-per-day", "500")
    assert result.exit_code == 0, result.output
    [seed] = re.findall(r"^seed +(SU\w+)$", result.output, re.MULTILINE)
    assert "plans.submit.acme.abay" in result.output
    vendor = await found(plans, "acme")
    assert (vendor.public_key, vendor.max_priority, vendor.added_by) == (public_key(seed), 3, "ann")
    assert (vendor.quota.intervals_per_day, vendor.quota.submissions_per_hour) == (500, 12)
    plans.seeds["acme"] = seed
    async with plans.connected("acme") as visitor:
        assert visitor.client.is_connected
    listed = await typed("list")
    assert "acme  live  sites abay  priority up to 3" in listed.output
    assert seed not in listed.output


async def test_a_seed_may_go_to_a_file_that_only_its_owner_reads_and_none_is_overwritten(
    plans: Plans, tmp_path: Path
) -> None:
    file = tmp_path / "acme.nk"
    result = await typed("add", "acme", "--site", "abay", "--seed-file", str(file))
    assert result.exit_code == 0, result.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in result.output
    assert (await found(plans, "acme")).public_key == public_key(file.read_text().strip())
    again = await typed("rotate", "acme", "--seed-file", str(file))
    assert again.exit_code == 2
    assert "exists" in again.output


async def test_set_changes_what_is_given_and_revoke_ends_it(plans: Plans) -> None:
    await typed("add", "acme", "--site", "abay", "--submissions-per-hour", "7")
    changed = await typed("set", "acme", "--shadow", "--max-priority", "4")
    assert changed.exit_code == 0, changed.output
    vendor = await found(plans, "acme")
    assert (vendor.shadow, vendor.max_priority, vendor.sites) == (True, 4, ("abay",))
    assert vendor.quota.submissions_per_hour == 7
    rotated = await typed("rotate", "acme")
    assert rotated.exit_code == 0
    assert (await found(plans, "acme")).public_key != vendor.public_key
    revoked = await typed("revoke", "acme", "--reason", "the contract ended")
    assert "acme: access ended at" in revoked.output
    assert (await found(plans, "acme")).public_key is None


WRONG = (
    (("add", "optimizer", "--site", "abay"), "taken by the system"),
    (("add", "acme", "--site", "nowhere"), "sites.0='nowhere': one of abay, blominmaki"),
    (("add", "acme", "--site", "abay", "--max-priority", "101"), "max_priority=101"),
    (("revoke", "nobody", "--reason", "x"), "no vendor nobody has access"),
    (("set", "nobody", "--live"), "no vendor nobody"),
)


async def test_what_is_wrong_is_said_with_field_value_and_what_would_be_right() -> None:
    for words, says in WRONG:
        result = await typed(*words)
        assert result.exit_code == 1, words
        assert says in result.output
        assert "seed" not in result.output


async def test_without_a_way_to_sign_in_or_a_service_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_PLANS_URL", "http://127.0.0.1:9")
    gone = await typed("list")
    assert (gone.exit_code, "HEADWORKS_PLANS_URL=http://127.0.0.1:9" in gone.output) == (1, True)
    monkeypatch.delenv("HEADWORKS_JWT_SECRET_FILE")
    unsigned = await typed("list")
    assert (unsigned.exit_code, "set HEADWORKS_API_KEY" in unsigned.output) == (1, True)
