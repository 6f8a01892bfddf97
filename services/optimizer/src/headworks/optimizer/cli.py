"""`headworks solve`: a site and a case from files, the schedule as a table and as JSON. The same code as the service's."""

import json
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from headworks.optimizer.afterbay.case import Case, Form, Solution, case_from_text
from headworks.optimizer.afterbay.example_cases import EXAMPLES
from headworks.optimizer.afterbay.solve import lp_text, solve_case
from headworks.optimizer.values import Status
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si
from headworks.waterway.site_file import parse_site


class Exit(IntEnum):
    """What the shell learns."""

    SOLVED = 0
    NO_SCHEDULE = 1
    BAD_INPUT = 2


def solve(
    site: Annotated[Path, typer.Option(help="the site file", exists=True, dir_okay=False)],
    input: Annotated[Path | None, typer.Option(help="the case, JSON or YAML", exists=True, dir_okay=False)] = None,  # noqa: A002
    example: Annotated[str | None, typer.Option(help=f"a built-in case: {', '.join(EXAMPLES)}")] = None,
    out: Annotated[Path | None, typer.Option(help="write the whole answer here, as JSON")] = None,
    lp: Annotated[Path | None, typer.Option(help="write the problem here, in the LP format")] = None,
) -> None:
    """Solve one case from files, with no services running."""
    console = Console(stderr=True)
    try:
        model = _afterbay(site)
        case = _case(input, example)
    except (ValueError, OSError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(Exit.BAD_INPUT) from error
    solution = _solve(model, case, console)
    if lp is not None:
        lp.write_text(lp_text(model, case, solution.form or Form.MILP), encoding="utf-8")
    if out is not None:
        out.write_text(json.dumps(solution.model_dump(mode="json"), indent=1), encoding="utf-8")
    _show(model, solution, Console())
    raise typer.Exit(Exit.SOLVED if solution.publishable else Exit.NO_SCHEDULE)


def _afterbay(file: Path) -> AfterbaySite:
    site = parse_site(file.read_text(encoding="utf-8"))
    if not isinstance(site, AfterbaySite):
        raise ValueError(f"{file.name}: model={site.model!r}; this command solves sites of model afterbay")
    return site


def _case(file: Path | None, example: str | None) -> Case:
    if (file is None) == (example is None):
        raise ValueError("give either --input FILE or --example NAME")
    if file is not None:
        return case_from_text(file.read_text(encoding="utf-8"))
    if example not in EXAMPLES:
        raise ValueError(f"--example {example!r} must be one of {', '.join(EXAMPLES)}")
    return EXAMPLES[example]()


def _solve(site: AfterbaySite, case: Case, console: Console) -> Solution:
    """Solve with a line of progress; a gap once the solver has one."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"solving {case.grid.count} h of {site.name}")

        def tell(gap: float | None) -> bool:
            if gap is not None:
                progress.update(task, description=f"solving, gap {gap:.2%}")
            return False

        return solve_case(site, case, tell)


def _show(site: AfterbaySite, solution: Solution, console: Console) -> None:
    """The answer in the site's display units and local time."""
    units = site.display_units
    style = {Status.SOLVED: "green", Status.RELAXED: "yellow"}.get(solution.status, "red")
    console.print(f"[{style}]{solution.status}[/] {solution.reason}")
    for relaxation in solution.relaxations:
        console.print(f"  {relaxation.text}", style="yellow", markup=False)
    if not solution.hours:
        return
    columns = ("from", "setpoint MW", "power MW", f"elevation {units.elevation}", f"spill {units.flow}")
    table = Table(*columns, title=f"{site.name}: {solution.next_action}")
    for hour in solution.hours:
        table.add_row(
            f"{hour.start.astimezone(site.zone):%a %d %b %H:%M}",
            f"{hour.setpoint_mw:.2f}",
            f"{hour.power_mw:.2f}",
            f"{from_si(hour.elevation_m, 'm', units.elevation):.2f}",
            f"{from_si(hour.spill_m3s, 'm**3/s', units.flow):.0f}",
        )
    console.print(table)
    if solution.timing is not None and solution.gap is not None:
        timing, gap = solution.timing, solution.gap
        console.print(
            f"form {solution.form}, solver {solution.solver}, gap {gap:.3%}, build {timing.build_s * 1000:.0f} ms, "
            f"solve {timing.solve_s * 1000:.0f} ms, replay {timing.replay_s * 1000:.0f} ms"
        )


app = typer.Typer(add_completion=False)
app.command()(solve)
