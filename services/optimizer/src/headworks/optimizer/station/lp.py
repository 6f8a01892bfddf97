"""A station's program as one can read it: the first round's, linear about what the solve begins with."""

from headworks.optimizer import solver
from headworks.optimizer.models.pumping import build_pumping
from headworks.optimizer.models.pumping_data import flat_reference, group_pumps, prepare_station
from headworks.optimizer.models.pumping_problem import PumpingProblem
from headworks.optimizer.station.case import StationInputs
from headworks.optimizer.station.coarse import first_plan
from headworks.optimizer.station.continuing import reference_of
from headworks.optimizer.station.draining import drained_instead, goes_first
from headworks.optimizer.station.flush import last_steps
from headworks.optimizer.station.planning import plan_problem
from headworks.waterway.station_site import StationSite

PATIENCE_S = 60.0
"""For each round of the first plan, which mostly takes a tenth of a second: the text shall not hang on how slow a machine is."""


class NoProblem(Exception):
    """Why inputs make no program."""


def lp_text(site: StationSite, inputs: StationInputs) -> str:
    """The problem of a station's inputs in the LP format. Raises NoProblem."""
    return solver.write_lp(first_program(site, inputs).lp)


def first_program(site: StationSite, inputs: StationInputs) -> PumpingProblem:
    """The first round's program: about the last plan, or the first one that is made, or in a storm all that the plant takes.

    Raises NoProblem.
    """
    planned = plan_problem(site, inputs)
    if isinstance(planned, str):
        raise NoProblem(planned)
    case, options = planned.case, planned.options
    groups = group_pumps(planned.station.pumps, options.alike_m, case.not_planned)
    volume_m3 = max(case.initial_volume_m3, options.first_volume_m3)
    begun_hz = planned.last_hz or first_plan(
        planned.station, planned.rules, case, planned.weights, options.first_volume_m3, PATIENCE_S
    )
    flush = last_steps(inputs, planned.flush)
    drained_hz = drained_instead(planned.station, planned.rules, case, planned.weights, begun_hz, flush)
    if drained_hz and goes_first(case):
        begun_hz = drained_hz
    about = reference_of(planned.station, planned.rules, case, groups, begun_hz) or flat_reference(
        case, groups, volume_m3
    )
    data = prepare_station(planned.station, planned.rules, case, planned.weights, groups, about)
    return build_pumping(data)
