"""`headworks audit verify` verifies the chains of the other services too, each as that service registers it."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from headworks.common.migrate import migration_folders, upgrade
from headworks.control_gateway.audit_cli import BROKEN, OTHERS, app

EVENT = """import asyncio, sys
from datetime import datetime
from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.database import Database
from headworks.plans.audit_store import About, AuditStore
async def write():
    database = Database(sys.argv[1])
    for n in range(3):
        event = AuditEvent(at=datetime.fromisoformat(sys.argv[2]), source="test", category=Category.CONTROL_SYSTEM,
            event_type="cancel", result=Result.SUCCESS, actor="ann", subject=f"plan {n}")
        await AuditStore(database).append(event, About(str(n)), answers=False)
    await database.close()
asyncio.run(write())
"""
"""The plans' own writer, in a process of its own: no service knows another's code, nor do its tests."""


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plans' chain registered as its package does, whatever of it is installed here."""
    declared = Path(__file__).parents[2] / "plans" / "pyproject.toml"
    [line] = [line for line in declared.read_text().splitlines() if line.startswith('plans = "headworks.plans.audit')]
    folder = tmp_path / "installed" / "plans_of_this_test-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plans-of-this-test\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(f"[{OTHERS}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(folder.parent)


@pytest.fixture
async def url(database_url: str, registered: None) -> str:
    await asyncio.to_thread(upgrade, database_url, "control_gateway", dict(migration_folders())["control_gateway"])
    return database_url


async def verified(url: str) -> tuple[int, str]:
    environment = {"HEADWORKS_DATABASE_URL": url}
    result = await asyncio.to_thread(CliRunner().invoke, app, ["verify", "--no-file"], env=environment)
    return result.exit_code, result.output


async def with_plans(url: str) -> asyncpg.Connection:
    """Three events of the plans, and a connection that may do what it likes with them."""
    await asyncio.to_thread(upgrade, url, "plans", dict(migration_folders())["plans"])
    at = datetime(2026, 2, 17, tzinfo=UTC).isoformat()
    writing = await asyncio.create_subprocess_exec(sys.executable, "-c", EVENT, url, at)
    assert await asyncio.wait_for(writing.wait(), 120) == 0
    return await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


async def test_where_there_are_no_plans_it_says_so(url: str) -> None:
    assert await verified(url) == (0, "table: plans keeps no chain in this database\n")


async def test_the_plans_chain_is_verified_and_a_changed_entry_is_named(url: str) -> None:
    owner = await with_plans(url)
    code, said = await verified(url)
    assert code == 0
    assert said.startswith("table: plans whole from 1 to 3, ends in ")
    await owner.execute("alter table plans.audit disable trigger append_only")
    await owner.execute("update plans.audit set line = replace(line, 'plan 1', 'plan 9') where sequence = 2")
    await owner.close()
    code, said = await verified(url)
    assert code == BROKEN
    assert "BROKEN at row 2, sequence 2 of plans: its content was changed" in said
