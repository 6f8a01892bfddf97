"""The command `headworks audit`: says whether the gateway's record is what was written."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from headworks.common.audit import Broken
from headworks.common.database import Database, is_away
from headworks.control_gateway.audit_verify import Kept, compare, confirmed, verify_file, verify_table
from headworks.control_gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, help="The hash-chained record of the control gateway.")
BROKEN, UNREAD = 1, 2


@app.callback()
def audit() -> None:
    """The hash-chained record of the control gateway."""


@app.command("verify")
def verify_audit(
    folder: Annotated[Path | None, typer.Option(help="the gateway's folder; its own by HEADWORKS_STATE_DIR")] = None,
    file: Annotated[bool, typer.Option(help="verify the local file")] = True,
    table: Annotated[bool, typer.Option(help="verify the table in PostgreSQL, and compare both")] = True,
) -> None:
    """Verify the chain. Exit code 0: whole; 1: broken, with the first broken entry; 2: something could not be read."""
    settings = GatewaySettings()
    place = folder or settings.folder
    # In this order: a gateway that runs meanwhile writes into its file first, then into the table, then what the table took.
    taken = confirmed(place) if file and table else None
    in_table = asyncio.run(_table(settings.database_url)) if table else []
    in_file = _file(place) if file else None
    if in_file is not None and table:
        _end_if_broken(compare(in_file, in_table, taken))
    for where, kept in [*([("file", in_file)] if in_file else []), *(("table", each) for each in in_table)]:
        typer.echo(
            f"{where}: {kept.chain} whole from {kept.whole.first} to {kept.whole.last}, ends in {kept.whole.hash}"
        )


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
    except Exception as error:  # drivers name an outage in many ways; what is none is raised again
        if not is_away(error):
            raise
        typer.echo(f"the database is away; give --no-table to verify the file alone ({error!r})", err=True)
        raise typer.Exit(UNREAD) from None
    finally:
        await database.close()
    _end_if_broken(broken)
    return kept


def _end_if_broken(broken: Broken | None) -> None:
    if broken is not None:
        typer.echo(f"BROKEN at {broken.where}: {broken.why}", err=True)
        raise typer.Exit(BROKEN)
