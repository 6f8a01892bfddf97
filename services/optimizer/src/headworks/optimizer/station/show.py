"""A station's schedule as a table, in the site's display units and local time."""

from rich import box
from rich.console import Console
from rich.table import Table

from headworks.optimizer.station.case import StationSolution, StationStep
from headworks.waterway.quantities import from_si
from headworks.waterway.station_site import StationSite


def show(site: StationSite, solution: StationSolution, console: Console) -> None:
    """Each step of the answer, what it costs, and how it was tuned."""
    units = site.display_units
    pumps = [pump.name for pump in site.pumping_station.pumps]
    told_in = f"speeds in Hz, flows in {units.flow}, level in {units.elevation}, price in EUR/MWh"
    table = Table(title=f"{site.name}: {solution.next_action}\n{told_in}", box=box.SIMPLE_HEAD, padding=0)
    for column in ("from", *pumps, "out", "in", "level", "price"):
        table.add_column(column, justify="right", no_wrap=True)
    for step in solution.steps:
        table.add_row(*_row(site, step))
    console.print(table)
    if solution.energy_cost_eur is not None and solution.energy_mwh is not None:
        emptied = ", ".join(f"{at.astimezone(site.zone):%a %H:%M}" for at in solution.emptied_at) or "not at all"
        console.print(
            f"{solution.energy_mwh:.2f} MWh for {solution.energy_cost_eur:.2f} EUR, {solution.starts} starts, empty at: {emptied}"
        )
    if solution.tuning is not None:
        tuning = solution.tuning
        console.print(
            f"inflow by {solution.inflow_source}, forecasts {tuning.quality}, risk {tuning.risk}, strategy {tuning.strategy}, "
            f"up to {tuning.maximum_level_m:.2f} m: {'; '.join(tuning.reasons)}",
            markup=False,
        )
    if solution.timing is not None:
        gap = "not known" if solution.gap is None else f"{solution.gap:.3%}"
        console.print(f"gap {gap}, {solution.rounds} rounds, {solution.timing.total_s:.2f} s")


def _row(site: StationSite, step: StationStep) -> tuple[str, ...]:
    units = site.display_units
    speeds = [step.frequency_hz[pump.resource] for pump in site.pumping_station.pumps]
    return (
        f"{step.start.astimezone(site.zone):%a %H:%M}",
        *(f"{hz:.1f}" if hz > 0 else "–" for hz in speeds),
        f"{from_si(step.outflow_m3s, 'm**3/s', units.flow):.0f}",
        f"{from_si(step.inflow_m3s, 'm**3/s', units.flow):.0f}",
        f"{from_si(step.level_m, 'm', units.elevation):.2f}",
        f"{step.price_eur_per_mwh:.2f}" + (" " if step.price_known else "?"),
    )
