"""`headworks points probe`: reads PLCs as the gateway would, and shows what each point holds. It writes nothing."""

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from headworks.common.sites import read_sites
from headworks.control_gateway.connections import plc_of
from headworks.control_gateway.limits import Actuator, actuators_of
from headworks.control_gateway.probe import Reading, probe
from headworks.control_gateway.section import control_section
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.site_points import PlcPoints, plc_points

NOT_ALL_GOOD, WRONG_USE, NO_ANSWER = 1, 2, 3
LOOKS = {"GOOD": "green", "SUSPECT": "yellow", "BAD": "red"}
app = typer.Typer(no_args_is_help=True, help="The points of PLCs, as the site files name them.")


@app.callback()
def points() -> None:
    """Keep `probe` a subcommand of its own."""


@app.command("probe")
def probe_points(
    site: Annotated[str | None, typer.Option(help="one site only")] = None,
    plc: Annotated[str | None, typer.Option(help="one PLC only")] = None,
    sites: Annotated[Path | None, typer.Option(help="folder of site files; HEADWORKS_SITES without")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="a list of objects instead of tables")] = False,
) -> None:
    """Read PLCs, listening where HEADWORKS_PLC_ADDRESSES says. Ends with 0 when all is good, 1 when a point is not, 2 when
    something asked or configured is wrong, 3 when a PLC does not answer at all."""
    try:
        settings = GatewaySettings() if sites is None else GatewaySettings(sites=sites)
        wanted = _wanted(settings, site, plc)
        found = asyncio.run(_probe_all(settings, wanted))
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from error
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(reading) for readings in found for reading in readings], indent=1))
    else:
        for readings in found:
            Console().print(_table(readings))
    raise typer.Exit(_exit_code(found))


def _wanted(
    settings: GatewaySettings, site: str | None, plc: str | None
) -> list[tuple[PlcPoints, tuple[Actuator, ...]]]:
    """The PLCs to read, each with its site's actuators. Raises ValueError where none has these names."""
    known = read_sites(settings.sites)
    if site is not None and site not in known:
        raise ValueError(f"--site={site!r} must be one of {sorted(known)}")
    found: list[tuple[PlcPoints, tuple[Actuator, ...]]] = []
    for each in known.values():
        if site in {None, each.site}:
            section = control_section(each)
            actuators = actuators_of(each, section)
            found += [(points, actuators) for points in plc_points(each.site, section).values()]
    names = {points.plc for points, _ in found}
    if plc is not None and plc not in names:
        raise ValueError(f"--plc={plc!r} must be one of {sorted(names)}")
    return [entry for entry in found if plc in {None, entry[0].plc}]


async def _probe_all(
    settings: GatewaySettings, wanted: Sequence[tuple[PlcPoints, tuple[Actuator, ...]]]
) -> list[list[Reading]]:
    """All PLCs at once: a hung one holds up none."""
    ports = [(plc_of(points, settings), actuators) for points, actuators in wanted]
    try:
        return list(await asyncio.gather(*(probe(plc, actuators) for plc, actuators in ports)))
    finally:
        for plc, _ in ports:
            plc.close()
        await asyncio.sleep(0)  # closing takes the loop one round


def _table(readings: Sequence[Reading]) -> Table:
    table = Table(title=readings[0].plc if readings else "no points")
    for heading in ("point", "address", "type", "registers", "value", "unit", "limits", "quality"):
        table.add_column(heading, justify="right" if heading == "value" else "left", overflow="fold")
    for r in readings:
        bounds = "" if r.minimum is None and r.maximum is None else f"{_number(r.minimum)} … {_number(r.maximum)}"
        look = LOOKS[r.quality]
        table.add_row(
            f"{r.point}{' *' if r.writable else ''}",
            f"{r.unit_id}: {r.table} {r.address}",
            r.type if r.registers is None or len(r.registers) == 1 else f"{r.type} {r.order}",
            "" if r.registers is None else " ".join(f"{register:04X}" for register in r.registers),
            _number(r.value),
            r.unit,
            bounds,
            f"[{look}]{r.quality}[/]{f' {r.reason}' if r.reason else ''}",
        )
    table.caption = "* may be written; addresses count from 0; registers as they came, in hexadecimal"
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _exit_code(found: Sequence[Sequence[Reading]]) -> int:
    if any(readings and all(r.registers is None for r in readings) for readings in found):
        return NO_ANSWER
    return NOT_ALL_GOOD if any(r.quality != "GOOD" for readings in found for r in readings) else 0
