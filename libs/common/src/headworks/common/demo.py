"""`headworks demo`: the whole system on this machine, watched from the terminal, until Ctrl-C."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from headworks.common.auth import Issuer, Role
from headworks.common.embedded.process import ServerFault
from headworks.common.stack import DEMO_USER, SERVICES, Options, Stack

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
    """Start everything, print where it is, and follow the plant until Ctrl-C."""
    options = Options(sites=sites, epoch=DEMO_BEGINS, speed=speed, scenario=scenario, dashboard_port=port)
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
        task = progress.add_task("starting NATS", total=4 + len(SERVICES))
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
    console.print(table)


@dataclass(frozen=True, slots=True)
class Look:
    """How things stand at one moment, for one line."""

    at: datetime
    elevation_ft: float
    forecast_ft: float | None
    requested_mw: float | None
    read_back_mw: float | None
    run: str
    written_mw: float | None
    alarms: tuple[str, ...]

    @property
    def occasion(self) -> tuple[object, ...]:
        """What makes a new line: a change, or the next half hour of the plant."""
        return self.at.hour, self.at.minute // 30, self.requested_mw, self.read_back_mw, self.run, self.alarms

    @property
    def holds(self) -> bool:
        """Whether the register holds what the plan asks."""
        return self.requested_mw is not None and self.requested_mw == self.read_back_mw

    @property
    def firsts(self) -> dict[str, bool]:
        """What a person waits for, and whether it is there."""
        written = f"a setpoint is written to the PLC and read back: {_mw(self.written_mw)}"
        return {
            "a plan is solved and the register holds what it asks": self.holds,
            written: self.written_mw is not None,
        }

    def __str__(self) -> str:
        """The line."""
        difference = (
            "no forecast" if self.forecast_ft is None else f"forecast {self.elevation_ft - self.forecast_ft:+.2f}"
        )
        alarms = f"[red]{', '.join(self.alarms)}[/]" if self.alarms else "none"
        return (
            f"{self.at:%a %H:%M}Z  {self.elevation_ft:8.2f} ft ({difference})  plan {_mw(self.requested_mw)}  "
            f"register {_mw(self.read_back_mw)}  run {self.run}  alarms {alarms}"
        )


def _follow(stack: Stack, started: float, seconds: float | None) -> None:
    """One line whenever something changes, and every half hour of the plant."""
    deadline = time.monotonic() + seconds if seconds is not None else None
    last: Look | None = None
    told: set[int] = set()
    with httpx.Client(timeout=5) as client:
        while deadline is None or time.monotonic() < deadline:
            dead = stack.dead()
            if dead:
                raise ServerFault("; ".join(dead))
            look = _look(stack, client)
            if look is not None and (last is None or look.occasion != last.occasion):
                console.print(str(look), highlight=False, soft_wrap=True)
                last = look
            for i, (text, there) in enumerate(look.firsts.items() if look is not None else ()):
                if there and i not in told:
                    told.add(i)
                    console.print(f"[green]{text}, {time.monotonic() - started:.0f} s after the start[/]")
            time.sleep(1)


def _look(stack: Stack, client: httpx.Client) -> Look | None:
    """How things stand, or None while somebody does not answer."""
    headers = {"Authorization": f"Bearer {_token(stack)}"}
    try:
        plant = client.get(f"http://127.0.0.1:{stack.world['control']}/plants/abay").json()
        state = client.get(f"{stack.url('control_gateway')}/sites/abay/state", headers=headers)
        latest = client.get(f"{stack.url('optimizer')}/sites/abay/runs/latest", headers=headers)
        alarms = client.get(f"{stack.url('alerts')}/sites/abay/alarms", headers=headers)
        journal = client.get(f"{stack.url('control_gateway')}/sites/abay/journal", headers=headers)
    except httpx.HTTPError:
        return None
    if not (state.is_success and alarms.is_success and journal.is_success):
        return None
    [resource] = state.json()["resources"]
    at = datetime.fromisoformat(plant["at"])
    run = latest.json() if latest.is_success else None
    return Look(
        at=at,
        elevation_ft=plant["elevation_ft"],
        forecast_ft=_expected_ft(run, at) if run else None,
        requested_mw=resource["requested"],
        read_back_mw=resource["read_back"],
        run=f"{run['run']['run_id']} {run['run']['status']}" if run else "none yet",
        written_mw=next((e["read_back"] for e in journal.json() if e["outcome"] == "verified"), None),
        alarms=tuple(alarm["title"] for alarm in alarms.json() if alarm["state"].startswith("active")),
    )


def _expected_ft(run: dict[str, Any], at: datetime) -> float | None:
    """The forecast elevation at an instant: between that at the start of the schedule and those at the ends of its hours."""
    hours, initial_m = run["solution"]["hours"] if run["solution"] else [], run["initial_elevation_m"]
    if not hours or initial_m is None:
        return None
    ends = [(datetime.fromisoformat(hour["start"]) + timedelta(hours=1), hour["elevation_m"]) for hour in hours]
    known = [(ends[0][0] - timedelta(hours=1), initial_m), *ends]
    for (t0, h0), (t1, h1) in pairwise(known):
        if t0 <= at < t1:
            elevation_m: float = h0 + (h1 - h0) * ((at - t0) / (t1 - t0))
            return elevation_m / 0.3048
    return None


def _mw(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f} MW"


def _token(stack: Stack) -> str:
    secret = Path(stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text().strip()
    return Issuer(secret, "headworks", "headworks").issue("demo", Role.VIEWER, timedelta(minutes=5))
