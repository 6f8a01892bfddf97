"""`headworks import`: a historian file judged by the site file's mapping here, or sent to a running ingest that stores it."""

import json
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from headworks.common.historian.files import examine
from headworks.common.historian.report import LevelVolumeReport, RecordReport
from headworks.common.problems import ProblemDetails
from headworks.ingest.import_printing import print_report
from headworks.waterway.site import Site
from headworks.waterway.site_file import parse_site

Report = RecordReport | LevelVolumeReport
_Reports: TypeAdapter[Report] = TypeAdapter(Report)
TIMEOUT_S = 60.0


class Exit(IntEnum):
    """What the shell learns."""

    READ = 0
    NOT_READ = 2


class _Refused(Exception):
    """The running ingest did not take the file."""


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX", exists=True, dir_okay=False)],
    site: Annotated[Path, typer.Option(help="the site file", exists=True, dir_okay=False)],
    mapping: Annotated[str | None, typer.Option(help="the mapping of the site file; its first where left out")] = None,
    to: Annotated[str | None, typer.Option(help="the address of a running ingest, which then stores the file")] = None,
    token: Annotated[str, typer.Option(envvar="HEADWORKS_TOKEN", help="an engineer's token there")] = "",
    report: Annotated[Path | None, typer.Option(help="write the whole report here, as JSON")] = None,
) -> None:
    """Judge a historian file and say what is wrong with it; with --to, have a running ingest store it."""
    console = Console(stderr=True)
    try:
        known = parse_site(site.read_text(encoding="utf-8"))
        found = _with_progress(console, file, known, mapping, to, token)
    except (ValueError, OSError, _Refused) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(Exit.NOT_READ) from error
    if report is not None:
        report.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print_report(found, Console())


def _with_progress(console: Console, file: Path, site: Site, mapping: str | None, to: str | None, token: str) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("reading", total=1.0)
        if to is not None:
            return _sent(file, site, mapping, to, token, progress, bar)
        return examine(file.read_bytes(), site, mapping, lambda share: progress.update(bar, completed=share)).report


def _sent(file: Path, site: Site, mapping: str | None, to: str, token: str, progress: Progress, bar: TaskID) -> Report:
    """What a running ingest found. Raises _Refused with its reason."""
    if not token:
        raise _Refused("--to needs an engineer's token: give --token or HEADWORKS_TOKEN")
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    url = f"{to.rstrip('/')}/sites/{site.site}/imports"
    parameters = {"mapping": mapping} if mapping is not None else {}
    try:
        with (
            file.open("rb") as content,
            httpx.Client(timeout=TIMEOUT_S, headers=headers) as client,
            client.stream("POST", url, params=parameters, files={"file": (file.name, content)}) as answer,
        ):
            if answer.status_code >= 400:
                raise _Refused(_problem(answer.read(), answer.status_code))
            for event, data in _events(answer.iter_lines()):
                match event:
                    case "progress":
                        step = json.loads(data)
                        progress.update(bar, description=step["stage"], completed=step["share"])
                    case "report":
                        return _Reports.validate_json(data)
                    case "problem":
                        raise _Refused(_problem(data.encode(), answer.status_code))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Refused(f"{url} does not answer: {error!r}") from error
    raise _Refused(f"{url} ended its answer without a report; whether the file is stored, its list of imports says")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Server-sent events: the kind and the data of each."""
    event = data = ""
    for line in lines:
        name, _, value = line.partition(":")
        match name:
            case "event":
                event = value.strip()
            case "data":
                data = value.strip()
            case "" if not value and event:
                yield event, data
                event = data = ""


def _problem(body: bytes, status: int) -> str:
    try:
        problem = ProblemDetails.model_validate_json(body)
    except ValidationError:
        return f"ingest answered {status}: {body[:200].decode(errors='replace')}"
    wrong = "; ".join(f"{e.field}={e.value!r}: {e.expected}" for e in problem.errors)
    return ": ".join(part for part in (problem.title, problem.detail, wrong) if part)
