"""`headworks backtest`: a closed loop over a record, resumable, with a progress bar; results as a table, JSON and a picture."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from headworks.common.historian.reading import read_record
from headworks.common.historian.record import Record as Historian
from headworks.optimizer.station.backtest import Inflow, Knowledge, Prices, Record, Turn, run
from headworks.optimizer.station.backtest_folder import BacktestFolder, asked_of
from headworks.optimizer.station.case import StrategyPeriod
from headworks.optimizer.station.judged import Judged, price_series, there
from headworks.optimizer.station.report import RUNNING_HZ, report
from headworks.optimizer.station.strategies import default_document, periods_of
from headworks.waterway.series import PRICE, STATION_OUTFLOW, TUNNEL_INFLOW, TUNNEL_VOLUME, pump_series
from headworks.waterway.site_file import parse_site
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

RESTED_STEPS = 99


def backtest(
    record: Annotated[Path, typer.Argument(help="the historian's file", exists=True, dir_okay=False)],
    site: Annotated[Path, typer.Option(help="the site file", exists=True, dir_okay=False)] = Path(
        "sites/blominmaki.yaml"
    ),
    out: Annotated[Path, typer.Option(help="folder of the results; what is there already is gone on with")] = Path(
        ".backtest"
    ),
    mapping: Annotated[str | None, typer.Option(help="the mapping of the site's `import` section")] = None,
    price: Annotated[str, typer.Option(help="the price series that is planned for")] = PRICE,
    inflow: Annotated[Inflow, typer.Option(help="what is known of the inflow ahead")] = Inflow.OWN,
    prices: Annotated[Prices, typer.Option(help="what is known of the prices ahead")] = Prices.DAY_AHEAD,
    every: Annotated[int, typer.Option(help="steps between solves", min=1, max=96)] = 1,
    days: Annotated[int | None, typer.Option(help="only so many days", min=1)] = None,
    initial_volume: Annotated[
        float | None, typer.Option(help="m³ before the first row; without, from the balance")
    ] = None,
    noise: Annotated[int | None, typer.Option(help="a seed: the real station's flows differ from the model's")] = None,
    strategies: Annotated[
        Path | None, typer.Option(help="a strategy document (YAML: its periods)", exists=True, dir_okay=False)
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option(help="another value in the site file, as planning.prices.change_of_outflow=1")
    ] = None,
) -> None:
    """Plan as if living through a record, run every plan on the station's true curves, and compare with what was done."""
    console = Console()
    try:
        station_site = _site(site, change or [])
        historian = read_record(record, station_site, mapping)
        if price not in historian.series:
            raise typer.BadParameter(f"--price {price}: must be one of {', '.join(price_series(historian))}")
        lived = lived_of(station_site, historian, price, days, initial_volume)
        knowledge = Knowledge(inflow=inflow, prices=prices, noise_seed=noise)
        periods = _periods(strategies, station_site)
        asked = asked_of(record, mapping, station_site, price, knowledge, every, lived, periods)
        folder = BacktestFolder(out)
        folder.begin(asked)
        done = folder.done()
    except (ValueError, OSError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from error
    left = folder.plan_of(done[-1].step) if done else None
    to_come = run(station_site, lived, knowledge, every, periods, done, left, folder.keep_plan)
    turns = [*done, *_followed(to_come, folder, len(done), lived, every, console)]
    results = report(Judged(station_site, historian, lived, turns, asked), out)
    console.print(results)
    console.print(f"{out / 'results.json'} and {out / 'picture.png'} are written")


def lived_of(
    site: StationSite, historian: Historian, price: str, days: int | None, initial_volume_m3: float | None
) -> Record:
    """What really came, by row: flows of a row act over the step that ends at its stamp, and are paid at its price.

    Raises ValueError where inflow, price, the volume before the first row or how a pump stood in it is not known.
    """
    step_s = historian.grid.step.total_seconds()
    count = (
        len(historian.grid.stamps) if days is None else min(len(historian.grid.stamps), days * round(86_400 / step_s))
    )
    inflow = [there(historian, TUNNEL_INFLOW, i) * step_s for i in range(count)]
    if initial_volume_m3 is None:
        out_m3 = there(historian, STATION_OUTFLOW, 0) * step_s
        initial_volume_m3 = there(historian, TUNNEL_VOLUME, 0) - inflow[0] + out_m3
    return Record(
        start=historian.grid.stamps[0] - historian.grid.step,
        step_s=step_s,
        inflow_m3=tuple(inflow),
        price_eur_per_mwh=tuple(there(historian, price, i) for i in range(count)),
        initial_volume_m3=initial_volume_m3,
        before=tuple(
            Before(there(historian, pump_series(pump.resource, "frequency"), 0) > RUNNING_HZ, RESTED_STEPS)
            for pump in site.pumping_station.pumps
        ),
        end_volume_m3=there(historian, TUNNEL_VOLUME, count - 1),
    )


def _site(file: Path, changes: Sequence[str]) -> StationSite:
    """The site, with other values where they are asked. Raises ValueError."""
    raw: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    for change in changes:
        key, _, value = change.partition("=")
        *path, last = key.split(".")
        section = raw
        for name in path:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise ValueError(f"--change {change}: {key} is no key of {file.name}")
        section[last] = yaml.safe_load(value)
    site = parse_site(yaml.safe_dump(raw, allow_unicode=True))
    if not isinstance(site, StationSite):
        raise ValueError(f"{file.name}: model={site.model!r}; a back-test is of a site of model pumping_station")
    return site


def _periods(file: Path | None, site: StationSite) -> tuple[StrategyPeriod, ...]:
    """What an outside planner asks; without a file what the site file says. Raises ValueError naming the field."""
    if file is None:
        return default_document(site).periods
    try:
        raw: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"--strategies {file.name}: no YAML: {error}") from error
    return periods_of(raw, file.name)


def _followed(
    turns: Iterator[Turn], folder: BacktestFolder, done: int, lived: Record, every: int, console: Console
) -> Iterator[Turn]:
    """Each turn, kept in the file before the next begins, with a bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    total = -(-len(lived.inflow_m3) // every)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("planning", total=total, completed=done)
        for turn in turns:
            folder.keep(turn)
            at = lived.start + turn.step * timedelta(seconds=lived.step_s)
            progress.update(task, advance=1, description=f"{at:%d %b %H:%M}Z {turn.status} in {turn.solve_s:.1f} s")
            yield turn
