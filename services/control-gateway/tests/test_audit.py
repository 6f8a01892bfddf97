"""The gateway's record: chained over restarts and rotation, never changed in the table, and any forgery is found and named."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog
from gateway_rig import HandClock
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from headworks.common.audit import Category, Result
from headworks.common.database import Database
from headworks.common.messages import Setpoint
from headworks.common.migrate import migration_folders, upgrade
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.audit_cli import app
from headworks.control_gateway.journal import Journal, whole_lines
from headworks.control_gateway.shipping import Shipper

Make = Callable[[str], Setpoint]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, database_url, "control_gateway", dict(migration_folders())["control_gateway"])
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "control-gateway"


def fill(journal: Journal, entry: Make, clock: HandClock, entries: int = 6) -> None:
    for number in range(entries):
        assert journal.append(entry(f"e{number}"))
        assert Auditor(journal, clock).order("e_stop_pressed", "ann", "abay", f"smoke {number}", "api 10.0.0.7")


def verified(folder: Path, url: str | None = None, *options: str) -> tuple[int, str]:
    """The command's exit code and what it says. Without a database the table is left out."""
    environment = {"HEADWORKS_DATABASE_URL": url or "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
    table = [] if url else ["--no-table"]
    result = CliRunner().invoke(app, ["verify", "--folder", str(folder), *table, *options], env=environment)
    return result.exit_code, result.output


async def verified_with(folder: Path, url: str, *options: str) -> tuple[int, str]:
    return await asyncio.to_thread(verified, folder, url, *options)


def test_an_event_has_the_fields_of_the_standard(folder: Path, clock: HandClock) -> None:
    journal = Journal(folder, gateway="gateway-a")
    Auditor(journal, clock).note(
        Category.ACCESS_CONTROL, "access_refused", "unknown", result=Result.REFUSED, where="api 10.0.0.7"
    )
    [link], _position = journal.unshipped_links()
    told = {name: link.body[name] for name in ("source", "category", "event_type", "result", "actor")}
    assert told == {
        "source": "gateway-a api 10.0.0.7",
        "category": "access_control",
        "event_type": "access_refused",
        "result": "refused",
        "actor": "unknown",
    }
    assert link.body["at"] == clock.now().isoformat().replace("+00:00", "Z")
    assert len(link.body["event_id"]) == 32


async def test_the_chain_goes_on_over_a_restart_a_torn_line_and_rotation(
    folder: Path, entry: Make, clock: HandClock
) -> None:
    for torn in (b"", b'{"body"', b"\x00" * 40):
        with (folder / "journal.jsonl").open("ab") if folder.exists() else (folder.parent / "x").open("ab") as file:
            file.write(torn)
        journal = Journal(folder, rotate_bytes=2000)
        fill(journal, entry, clock)
        assert verified(folder)[0] == 0
        await journal.mark_shipped(journal.unshipped_links(1000)[1])
    assert (folder / "journal.jsonl").stat().st_size == 0
    assert Journal(folder).append(entry("after"))
    code, said = verified(folder)
    assert code == 0
    assert "whole from 25 to 37" in said


def test_two_journals_never_share_a_chain(folder: Path, tmp_path: Path, entry: Make, clock: HandClock) -> None:
    chains = set()
    for path in (folder, tmp_path / "other", tmp_path / "third"):
        fill(Journal(path, gateway="gate way/ä"), entry, clock, entries=1)
        chains |= {link.chain for link in Journal(path).unshipped_links()[0]}
    assert len(chains) == 3
    assert all(chain.startswith("gate-way.") for chain in chains)


def test_a_journal_of_before_there_were_chains_is_chained_and_loses_nothing(folder: Path, entry: Make) -> None:
    folder.mkdir()
    old = [entry(name).model_dump_json() for name in ("a", "b")]
    (folder / "journal.jsonl").write_text("\n".join([*old, "spoilt", "{"]))
    (folder / "journal.shipped").write_text("99")
    journal = Journal(folder)
    assert [e.setpoint_id for e in journal.unshipped()[0]] == ["a", "b"]
    assert journal.append(entry("c"))
    assert [e.setpoint_id for e in Journal(folder).unshipped()[0]] == ["a", "b", "c"]
    assert verified(folder)[0] == 0


@pytest.mark.parametrize(
    ("find", "put"), [("smoke 2", "steam 2"), ('"ann"', '"bob"'), ('"sequence":6', '"sequence":7'), ("{", " {")]
)
def test_a_changed_line_of_the_file_is_named(folder: Path, entry: Make, clock: HandClock, find: str, put: str) -> None:
    fill(Journal(folder), entry, clock)
    lines = whole_lines(folder / "journal.jsonl")
    assert find in lines[5]
    lines[5] = lines[5].replace(find, put, 1)
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    code, said = verified(folder)
    assert code == 1
    assert "BROKEN at journal.jsonl line 6" in said


def test_a_spoilt_line_does_not_stop_the_record_and_stays_visible(folder: Path, entry: Make, clock: HandClock) -> None:
    fill(Journal(folder), entry, clock)
    path = folder / "journal.jsonl"
    lines = whole_lines(path)
    path.write_text("\n".join([*lines[:-1], "spoilt"]) + "\n")
    journal = Journal(folder)
    assert journal.append(entry("after"))
    assert journal.unshipped_links(1000)[0][-1].sequence == 13
    code, said = verified(folder)
    assert (code, "journal.jsonl line 12" in said) == (1, True)


async def test_file_and_table_hold_the_same_and_what_is_not_shipped_is_no_fault(
    folder: Path, entry: Make, clock: HandClock, database: Database, database_url: str
) -> None:
    journal = Journal(folder)
    fill(journal, entry, clock)
    assert await Shipper(journal, database)._ship_batch()
    fill(journal, entry, clock, entries=2)
    code, said = await verified_with(folder, database_url)
    assert code == 0
    assert "table: " in said
    assert "whole from 1 to 12" in said
    assert "whole from 1 to 16" in said


async def test_the_table_lets_nobody_change_or_remove_a_row(
    folder: Path, entry: Make, clock: HandClock, database: Database
) -> None:
    journal = Journal(folder)
    fill(journal, entry, clock)
    assert await Shipper(journal, database)._ship_batch()
    for statement in (
        "update control_gateway.audit_chain set body = '{}'",
        "delete from control_gateway.audit_chain where sequence = 3",
        "truncate control_gateway.audit_chain",
    ):
        with pytest.raises(DBAPIError, match="rows are added and never changed"):
            async with database.transaction() as connection:
                await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("forgery", "where"),
    [
        ("update control_gateway.audit_chain set body = replace(body, 'ann', 'bob') where sequence = 4", "row 4"),
        ("update control_gateway.audit_chain set body = ' ' || body where sequence = 4", "row 4"),
        ("delete from control_gateway.audit_chain where sequence = 4", "row 5"),
        ("delete from control_gateway.audit_chain where sequence = 1", "row 2"),
    ],
)
async def test_a_forgery_in_the_table_is_named(
    folder: Path,
    entry: Make,
    clock: HandClock,
    database: Database,
    database_url: str,
    forgery: str,
    where: str,
) -> None:
    journal = Journal(folder)
    fill(journal, entry, clock)
    assert await Shipper(journal, database)._ship_batch()
    async with database.transaction() as connection:  # as its owner could
        await connection.execute(text("alter table control_gateway.audit_chain disable trigger all"))
        await connection.execute(text(forgery))
    code, said = await verified_with(folder, database_url, "--no-file")
    assert code == 1
    assert f"BROKEN at table, {where}" in said


async def test_a_file_that_was_cut_off_or_made_anew_is_found_by_the_table(
    folder: Path, entry: Make, clock: HandClock, database: Database, database_url: str
) -> None:
    journal = Journal(folder)
    fill(journal, entry, clock)
    assert await Shipper(journal, database)._ship_batch()
    path = folder / "journal.jsonl"
    lines = whole_lines(path)
    path.write_text("\n".join(lines[:9]) + "\n")
    assert verified(folder)[0] == 0, "alone it looks whole"
    code, said = await verified_with(folder, database_url)
    assert (code, "the end of the file was cut off" in said) == (1, True)
    fill(Journal(folder), entry, clock)
    code, said = await verified_with(folder, database_url)
    assert (code, "sequence 10" in said, "different entries" in said) == (1, True, True)


@pytest.mark.parametrize("rotate_bytes", [1 << 20, 1000])
@pytest.mark.parametrize("left", [9, 0])
async def test_a_table_that_was_cut_off_is_found_by_what_it_once_confirmed(
    folder: Path, entry: Make, clock: HandClock, database: Database, database_url: str, left: int, rotate_bytes: int
) -> None:
    journal = Journal(folder, rotate_bytes)
    fill(journal, entry, clock)
    assert await Shipper(journal, database)._ship_batch() == 12
    fill(journal, entry, clock, entries=1)
    assert (await verified_with(folder, database_url))[0] == 0
    async with database.transaction() as connection:
        await connection.execute(text("alter table control_gateway.audit_chain disable trigger all"))
        await connection.execute(text(f"delete from control_gateway.audit_chain where sequence > {left}"))
    code, said = await verified_with(folder, database_url)
    assert (code, f"table, sequence {left + 1} of" in said, "it took entries up to 12" in said) == (1, True, True)


async def test_entries_that_stand_in_the_place_of_others_are_told_when_they_are_met(
    folder: Path, tmp_path: Path, entry: Make, clock: HandClock, database: Database, database_url: str
) -> None:
    journal = Journal(folder)
    fill(journal, entry, clock, entries=2)
    fork = tmp_path / "fork"
    shutil.copytree(folder, fork)
    fill(Journal(fork), entry, clock, entries=1)
    assert await Shipper(Journal(fork), database)._ship_batch() == 6
    with structlog.testing.capture_logs() as logs:
        assert await Shipper(journal, database)._ship_batch() == 4
    assert [told for told in logs if told["log_level"] == "error"] == [], "the same entries are no fork"
    fill(journal, entry, clock, entries=2)
    with structlog.testing.capture_logs() as logs:
        assert await Shipper(journal, database)._ship_batch() == 4
    [told] = [told for told in logs if told["log_level"] == "error"]
    assert (told["first_sequence"], told["entries"]) == (6, 1), "the first is the same, by chance"
    assert "forked" in told["event"]
    assert (await verified_with(folder, database_url))[0] == 1


async def test_what_cannot_be_read_is_neither_whole_nor_broken(folder: Path, entry: Make) -> None:
    assert verified(folder)[0] == 2
    Journal(folder).append(entry("a"))
    code, said = await verified_with(folder, "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert (code, "the database is away" in said) == (2, True)
