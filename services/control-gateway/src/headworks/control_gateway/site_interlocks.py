"""The interlocks of a site file, read and checked once, at the start: conditions over its points, and what they ask in counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headworks.control_gateway.expressions import Condition, parse, points_of
from headworks.control_gateway.limits import Actuator, allowed_counts
from headworks.control_gateway.points import Point
from headworks.control_gateway.section import ControlSection, InterlockSection
from headworks.control_gateway.site_points import plc_points
from headworks.control_gateway.trips import Action, Interlock
from headworks.waterway.site import Site


@dataclass(frozen=True, slots=True)
class SiteInterlocks:
    """The interlocks in the site file's order, and the points that they ask, by the names that they use."""

    interlocks: tuple[Interlock, ...] = ()
    points: Mapping[str, Point] = field(default_factory=dict)


def interlocks_of(site: Site, section: ControlSection, actuators: Sequence[Actuator]) -> SiteInterlocks:
    """The site's interlocks. Raises ValueError naming the field, the text and the place in it."""
    points = named_points(site.site, section)
    known = {actuator.resource: actuator for actuator in actuators}
    made: list[Interlock] = []
    for k, written in enumerate(section.interlocks):
        where = f"site {site.site}: control.interlocks.{k} ({written.name})"
        if any(other.name == written.name for other in made):
            raise ValueError(f"{where}.name={written.name!r} must be another: there is one of this name already")
        made.append(_interlock(where, written, points, known))
    asked = frozenset().union(*(i.points for i in made))
    return SiteInterlocks(tuple(made), {name: points[name] for name in asked})


def named_points(site: str, section: ControlSection) -> dict[str, Point]:
    """All points by the names that a condition may use: `P1_1.actual`, `pumps-1.level`; `level` where one PLC alone has it."""
    by_plc = plc_points(site, section)
    shared = Counter(name for plc in section.plcs.values() for name in plc.shared_points)
    named: dict[str, Point] = {}
    for plc, known in by_plc.items():
        for name, point in known.points.items():
            if name not in section.plcs[plc].shared_points:
                named[name] = point
            else:
                named[f"{plc}.{name}"] = point
                if shared[name] == 1:
                    named[name] = point
    return named


def _interlock(
    where: str, written: InterlockSection, points: Mapping[str, Point], known: Mapping[str, Actuator]
) -> Interlock:
    for resource in written.applies_to:
        if resource not in known:
            raise ValueError(f"{where}.applies_to: {resource!r} must be one of {', '.join(sorted(known))}")
    mine = [known[resource] for resource in written.applies_to]
    action, counts = _action(where, written, mine)
    when = _condition(f"{where}.when", written.when, points)
    release = None if written.release is None else _condition(f"{where}.release", written.release, points)
    return Interlock(
        name=written.name,
        when=when,
        when_text=written.when,
        release=release,
        action=action,
        applies_to=frozenset(written.applies_to),
        counts=counts,
        trips_when_unknown=written.when_unknown == "trip",
        points=points_of(when) | (frozenset() if release is None else points_of(release)),
        stale_after_s=min(actuator.limits.feedback_stale_after_s for actuator in mine),
    )


def _condition(where: str, text: str, points: Mapping[str, Point]) -> Condition:
    try:
        return parse(text, {name: point.unit for name, point in points.items()})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _action(where: str, written: InterlockSection, mine: Sequence[Actuator]) -> tuple[Action, dict[str, int]]:
    match written.then:
        case "stop":
            for actuator in mine:
                if actuator.run is None:
                    raise ValueError(
                        f"{where}.then='stop' must be hold, refuse or value: {actuator.resource} is no pump"
                    )
            return "stop", {}
        case "hold" | "refuse" as action:
            return action, {}
        case _:
            text = written.then.removeprefix("value ")
            return "value", {a.resource: allowed_counts(f"{where}.then", text, a.unit, a.limits, a.scale) for a in mine}
