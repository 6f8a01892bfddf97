"""`headworks solve`: a site and a case from files, the schedule as a table and as JSON. The same code as the service's."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Generic, TypeVar, assert_never

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from headworks.optimizer.afterbay import example_cases as afterbay_examples
from headworks.optimizer.afterbay import show as afterbay_table
from headworks.optimizer.afterbay import solve as afterbay_solve
from headworks.optimizer.afterbay.case import Case, Form, Solution
from headworks.optimizer.solver import Progress as OnProgress
from headworks.optimizer.station import example_cases as station_examples
from headworks.optimizer.station import lp as station_lp
from headworks.optimizer.station import show as station_table
from headworks.optimizer.station.case import StationInputs, StationSolution
from headworks.optimizer.station.planning import solve_inputs
from headworks.optimizer.values import Answer, Status, Value, value_from_text
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import AnySite, parse_site
from headworks.waterway.station_site import StationSite

V = TypeVar("V", bound=Value)
A = TypeVar("A", bound=Answer)
NAMES = ", ".join((*afterbay_examples.EXAMPLES, *station_examples.EXAMPLES))


class Exit(IntEnum):
    """What the shell learns."""

    SOLVED = 0
    NO_SCHEDULE = 1
    BAD_INPUT = 2


@dataclass(frozen=True, slots=True)
class Asked(Generic[A]):
    """A problem, and what is done with it in the way of its kind of site."""

    title: str
    solve: Callable[[OnProgress], A]
    lp_text: Callable[[A], str]
    show: Callable[[A, Console], None]


def solve(
    site: Annotated[Path, typer.Option(help="the site file", exists=True, dir_okay=False)],
    input: Annotated[Path | None, typer.Option(help="the case, JSON or YAML", exists=True, dir_okay=False)] = None,  # noqa: A002
    example: Annotated[str | None, typer.Option(help=f"a built-in case of the site's kind: {NAMES}")] = None,
    out: Annotated[Path | None, typer.Option(help="write the whole answer here, as JSON")] = None,
    lp: Annotated[Path | None, typer.Option(help="write the problem here, in the LP format")] = None,
) -> None:
    """Solve one case from files, with no services running."""
    console = Console(stderr=True)
    try:
        model = parse_site(site.read_text(encoding="utf-8"))
        answer = _answer_of(model, _Files(input, out, lp), example, console)
    except (ValueError, OSError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(Exit.BAD_INPUT) from error
    raise typer.Exit(Exit.SOLVED if answer.publishable else Exit.NO_SCHEDULE)


@dataclass(frozen=True, slots=True)
class _Files:
    """What is read, and what is written where a person wants it."""

    case: Path | None
    out: Path | None
    lp: Path | None


def _answer_of(site: AnySite, files: _Files, example: str | None, console: Console) -> Answer:
    match site:
        case AfterbaySite():
            return _answer(_afterbay(site, files.case, example), files, console)
        case StationSite():
            return _answer(_station(site, files.case, example), files, console)
    assert_never(site)


def _afterbay(site: AfterbaySite, file: Path | None, example: str | None) -> Asked[Solution]:
    case = _given(file, example, Case, afterbay_examples.EXAMPLES)
    return Asked(
        title=f"{case.grid.count} h of {site.name}",
        solve=lambda progress: afterbay_solve.solve_case(site, case, progress),
        lp_text=lambda solution: afterbay_solve.lp_text(site, case, solution.form or Form.MILP),
        show=lambda solution, console: afterbay_table.show(site, solution, console),
    )


def _station(site: StationSite, file: Path | None, example: str | None) -> Asked[StationSolution]:
    inputs = _given(file, example, StationInputs, station_examples.EXAMPLES)
    return Asked(
        title=site.name,
        solve=lambda progress: solve_inputs(site, inputs, progress),
        lp_text=lambda _solution: station_lp.lp_text(site, inputs),
        show=lambda solution, console: station_table.show(site, solution, console),
    )


def _given(file: Path | None, example: str | None, kind: type[V], examples: Mapping[str, Callable[[], V]]) -> V:
    """What is to be solved. Raises ValueError."""
    if file is not None and example is None:
        return value_from_text(file.read_text(encoding="utf-8"), kind)
    if file is not None or example is None:
        raise ValueError("give either --input FILE or --example NAME")
    if example not in examples:
        raise ValueError(f"--example {example!r} must be one of {', '.join(examples)}")
    return examples[example]()


def _answer(asked: Asked[A], files: _Files, console: Console) -> A:
    """Solve, show, and write what is wanted."""
    answer = _solved(asked, console)
    if files.lp is not None:
        files.lp.write_text(asked.lp_text(answer), encoding="utf-8")
    if files.out is not None:
        files.out.write_text(json.dumps(answer.model_dump(mode="json"), indent=1), encoding="utf-8")
    _show(asked, answer, Console())
    return answer


def _solved(asked: Asked[A], console: Console) -> A:
    """Solve with a line of progress; a gap once the solver has one."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"solving {asked.title}")

        def tell(gap: float | None) -> bool:
            if gap is not None:
                progress.update(task, description=f"solving, gap {gap:.2%}")
            return False

        return asked.solve(tell)


def _show(asked: Asked[A], answer: A, console: Console) -> None:
    """How it ended, what had to give way, and the schedule where there is one."""
    style = {Status.SOLVED: "green", Status.RELAXED: "yellow"}.get(answer.status, "red")
    console.print(f"[{style}]{answer.status}[/] {answer.reason}")
    for text in answer.relaxed:
        console.print(f"  {text}", style="yellow", markup=False)
    if answer.publishable:
        asked.show(answer, console)


app = typer.Typer(add_completion=False)
app.command()(solve)
