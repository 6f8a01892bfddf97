"""An afterbay's schedule as a table, in the site's display units and local time."""

from rich.console import Console
from rich.table import Table

from headworks.optimizer.afterbay.case import Solution
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.quantities import from_si


def show(site: AfterbaySite, solution: Solution, console: Console) -> None:
    """Each hour of the answer, and how it was found."""
    units = site.display_units
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
    if solution.timing is not None:
        timing, gap = solution.timing, "not known" if solution.gap is None else f"{solution.gap:.3%}"
        console.print(
            f"form {solution.form}, solver {solution.solver}, gap {gap}, build {timing.build_s * 1000:.0f} ms, "
            f"solve {timing.solve_s * 1000:.0f} ms, replay {timing.replay_s * 1000:.0f} ms"
        )
