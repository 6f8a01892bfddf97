"""The command `headworks audit`: says whether the gateway's record, and those of the other services, are what was written."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, TypeVar, assert_never

import typer

from headworks.common.audit import Broken, Whole
from headworks.common.database import Database, DatabaseUnavailable
from headworks.control_gateway.audit_verify import Kept, compare, confirmed, verify_file, verify_table
from headworks.control_gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, help="The hash-chained records of the control gateway and the other services.")
BROKEN, UNREAD = 1, 2
OTHERS = "headworks.audit_chains"
"""The entry points of services that keep a chain of their own: each takes the database's URL."""
VerifyChain = Callable[[str], Awaitable[Whole | Broken | None]]
T = TypeVar("T")


@app.callback()
def audit() -> None:
    """The hash-chained records of the control gateway and the other services."""


@app.command("verify")
def verify_audit(
    folder: Annotated[Path | None, typer.Option(help="the gateway's folder; its own by HEADWORKS_STATE_DIR")] = None,
    file: Annotated[bool, typer.Option(help="verify the local file")] = True,
    table: Annotated[bool, typer.Option(help="verify the tables in PostgreSQL, and compare file and table")] = True,
) -> None:
    """Verify the chains. Exit code 0: whole; 1: broken, with the first broken entry; 2: something could not be read."""
    settings = GatewaySettings()
    place = folder or settings.folder
    # In this order: a gateway that runs meanwhile writes into its file first, then into the table, then what the table took.
    taken = confirmed(place) if file and table else None
    in_table = _read(_table(settings.database_url)) if table else []
    in_file = _file(place) if file else None
    if in_file is not None and table:
        _end_if_broken(compare(in_file, in_table, taken))
    for where, kept in [*([("file", in_file)] if in_file else []), *(("table", each) for each in in_table)]:
        typer.echo(
            f"{where}: {kept.chain} whole from {kept.whole.first} to {kept.whole.last}, ends in {kept.whole.hash}"
        )
    if table:
        _verify_others(settings.database_url)


def _verify_others(url: str) -> None:
    """Every service's chain by that service's own code."""
    installed = {entry.name: entry for entry in entry_points(group=OTHERS)}
    for name, entry in sorted(installed.items()):
        verify_chain: VerifyChain = entry.load()
        match _read(verify_chain(url)):
            case Broken() as broken:
                _end_if_broken(broken)
            case Whole(first, last, ends_in):
                typer.echo(f"table: {name} whole from {first} to {last}, ends in {ends_in}")
            case None:
                typer.echo(f"table: {name} keeps no chain in this database")
            case never:
                assert_never(never)


def _file(folder: Path) -> Kept:
    found = verify_file(folder)
    if isinstance(found, Broken):
        _end_if_broken(found)
    if not isinstance(found, Kept):
        typer.echo(f"{folder} holds no journal; name the gateway's folder with --folder, or give --no-file", err=True)
        raise typer.Exit(UNREAD)
    return found


async def _table(url: str) -> list[Kept]:
    database = Database(url)
    try:
        async with database.transaction() as connection:
            kept, broken = await verify_table(connection)
    finally:
        await database.close()
    _end_if_broken(broken)
    return kept


def _read(reading: Awaitable[T]) -> T:
    async def read() -> T:
        return await reading

    try:
        return asyncio.run(read())
    except DatabaseUnavailable as error:
        typer.echo(f"the database is away; give --no-table to verify the file alone ({error!r})", err=True)
        raise typer.Exit(UNREAD) from None


def _end_if_broken(broken: Broken | None) -> None:
    if broken is not None:
        typer.echo(f"BROKEN at {broken.where}: {broken.why}", err=True)
        raise typer.Exit(BROKEN)
