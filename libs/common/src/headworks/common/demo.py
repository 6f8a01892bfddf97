"""`headworks demo`: the whole system on this machine, watched from the terminal, until Ctrl-C."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, assert_never

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from headworks.common.auth import Issuer, Role
from headworks.common.demo_looks import Answers, Look, afterbay_look, station_look
from headworks.common.embedded.process import ServerFault
from headworks.common.sites import read_sites
from headworks.common.stack import DEMO_USER, SERVICES, WORKER, Options, Stack
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_site import StationSite

console = Console()
DEMO_BEGINS = datetime(2026, 2, 17, 14, 0, tzinfo=UTC)
"""The trade date of the real award file, at six in the morning there: from eight on the schedule may move the unit freely."""


class Stopped(Exception):
    """A person or the system asks the demo to end."""


def demo(
    speed: Annotated[float, typer.Option(help="plant seconds per second; 144 is a plant-day in ten minutes")] = 144,
    port: Annotated[int | None, typer.Option(help="the dashboard's port; a free one without")] = None,
    scenario: Annotated[str, typer.Option(help="the weather: calm, mixed or storm")] = "mixed",
    seconds: Annotated[float | None, typer.Option(help="end after so long; without, at Ctrl-C")] = None,
    sites: Annotated[Path, typer.Option(help="folder of site files")] = Path("sites"),
    folder: Annotated[Path, typer.Option(help="where logs and secrets of the run are kept")] = Path(".headworks/demo"),
) -> None:
    """Start everything, print where it is, and follow the plants until Ctrl-C."""
    services = (*SERVICES, WORKER)
    options = Options(
        sites=sites, epoch=DEMO_BEGINS, speed=speed, scenario=scenario, dashboard_port=port, services=services
    )
    stack, started = Stack(folder, options), time.monotonic()
    with _signals():
        try:
            _start(stack)
            _welcome(stack)
            _follow(stack, started, seconds)
        except (Stopped, KeyboardInterrupt):
            console.print("\nstopping …")
        except ServerFault as fault:
            console.print(f"[red]{fault}[/]")
            raise typer.Exit(1) from fault
        finally:
            stack.stop()
            console.print("everything is stopped")


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the demo in order; while it cleans up, further ones wait."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    yield


def _start(stack: Stack) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting NATS", total=4 + len(stack.options.services))
        for step in stack.start():
            progress.update(task, advance=1, description=f"{step} is up")


def _welcome(stack: Stack) -> None:
    table = Table(title="Headworks is running", show_header=False)
    table.add_row("dashboard", f"[bold]{stack.url('dashboard')}[/]")
    table.add_row("sign in as", f"[bold]{DEMO_USER}[/] with password [bold]{stack.password}[/]")
    for name in SERVICES:
        if name != "dashboard":
            table.add_row(f"{name.replace('_', ' ')} API", stack.url(name))
    table.add_row("logs", os.path.relpath(stack.folder))
    table.add_row("for commands", f"set -a; . {os.path.relpath(stack.command_environment)}")
    console.print(table)
    console.print(
        f"look at the PLCs: HEADWORKS_PLC_ADDRESSES='{stack.plc_addresses}' headworks points probe", soft_wrap=True
    )


def _follow(stack: Stack, started: float, seconds: float | None) -> None:
    """For each site one line whenever something changes, and every half hour of the plant."""
    deadline = time.monotonic() + seconds if seconds is not None else None
    sites = read_sites(stack.options.sites)
    last: dict[str, tuple[object, ...]] = {}
    told: set[tuple[str, int]] = set()
    with httpx.Client(timeout=5) as client:
        while deadline is None or time.monotonic() < deadline:
            dead = stack.dead()
            if dead:
                raise ServerFault("; ".join(dead))
            for name, site in sites.items():
                look = _look(stack, client, site)
                if look is None:
                    continue
                if look.occasion != last.get(name):
                    console.print(look.line, highlight=False, soft_wrap=True)
                    last[name] = look.occasion
                for i, (text, there) in enumerate(look.firsts.items()):
                    if there and (name, i) not in told:
                        told.add((name, i))
                        console.print(f"[green]{text}, {time.monotonic() - started:.0f} s after the start[/]")
            time.sleep(1)  # between two looks: people read along, and the services are asked, they do not tell


def _look(stack: Stack, client: httpx.Client, site: AnySite) -> Look | None:
    """How a site stands, or None while somebody does not answer."""
    headers, name = {"Authorization": f"Bearer {_token(stack)}"}, site.site
    try:
        plant = client.get(f"http://127.0.0.1:{stack.world['control']}/plants/{name}")
        state = client.get(f"{stack.url('control_gateway')}/sites/{name}/state", headers=headers)
        latest = client.get(f"{stack.url('optimizer')}/sites/{name}/runs/latest", headers=headers)
        alarms = client.get(f"{stack.url('alerts')}/sites/{name}/alarms", headers=headers)
        journal = client.get(f"{stack.url('control_gateway')}/sites/{name}/journal", headers=headers)
    except httpx.HTTPError:
        return None
    if not all(answer.is_success for answer in (plant, state, alarms, journal)):
        return None
    run = latest.json() if latest.is_success else None
    answers = Answers(plant.json(), state.json(), run, alarms.json(), journal.json())
    match site:
        case AfterbaySite():
            return afterbay_look(name, answers)
        case StationSite():
            return station_look(name, answers)
        case _:
            assert_never(site)


def _token(stack: Stack) -> str:
    secret = Path(stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text().strip()
    return Issuer(secret, "headworks", "headworks").issue("demo", Role.VIEWER, timedelta(minutes=5))
