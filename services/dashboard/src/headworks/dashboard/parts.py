"""The part of a view that every site has, from the services' answers; pure. A part that is away is null and named, with why."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from headworks.dashboard import shapes
from headworks.dashboard.answers import Answers, Away
from headworks.dashboard.approvals import approval_of
from headworks.dashboard.display import Display, control_of, input_of, run_of, setpoint_of
from headworks.waterway import series as names
from headworks.waterway.site_file import AnySite

T = TypeVar("T")
PARTS = {
    "latest": "newest inputs",
    "sources": "health of sources",
    "newest_run": "newest run",
    "plans": "active plan",
    "approvals": "plans that wait for approval",
    "control": "gateway state",
    "journal": "setpoints",
    "alarms": "alarms",
}
KNOWN_AHEAD = frozenset({names.PRICE})
"""Series whose newest value is of the future: no input of now."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a view is made: plant time, plant seconds for each second, and when a measured value is old."""

    now: datetime
    clock_speed: float
    stale_after: timedelta


def common_part(site: AnySite, answers: Answers, missing: Iterable[shapes.NotKnown], moment: Moment) -> shapes.SiteView:
    """What the page of every site shows, in the site's display units. `missing` is what its kind adds to what is not known."""
    display, units = Display(site), site.display_units
    inputs, sources, newest_run = if_known(answers.latest), if_known(answers.sources), if_known(answers.newest_run)
    control, journal, alarms = if_known(answers.control), if_known(answers.journal), if_known(answers.alarms)
    approvals, shown = if_known(answers.approvals), None
    if inputs is not None:
        of_now = [pair for pair in inputs if pair[0].series not in KNOWN_AHEAD]
        shown = [input_of(display, sample, moment.stale_after, good) for sample, good in of_now]
    return shapes.SiteView(
        site=site.site,
        name=site.name,
        time_zone=site.time_zone,
        now=moment.now,
        clock_speed=moment.clock_speed,
        units=shapes.Units(elevation=units.elevation, flow=units.flow, volume=units.volume, power=units.power),
        not_known=[*not_known(answers, PARTS), *missing],
        inputs=shown,
        sources=None if sources is None else [shapes.Source.model_validate(s.model_dump()) for s in sources],
        newest_run=None if newest_run is None else run_of(newest_run),
        control=None if control is None else control_of(control),
        setpoints=None if journal is None else [setpoint_of(entry) for entry in reversed(journal)],
        alarms=None if alarms is None else [shapes.Alarm.model_validate(a.model_dump()) for a in alarms],
        approvals=None if approvals is None else [approval_of(each, actuator_units(site)) for each in approvals],
    )


def actuator_units(site: AnySite) -> dict[str, str]:
    """The unit of each actuator's targets, as the site file writes it."""
    entries = (site.model_extra or {}).get("actuators", [])
    return {str(entry["resource"]): str(entry.get("unit", "")) for entry in entries}


def if_known(part: T | Away) -> T | None:
    """The part, or None where its service is away."""
    return None if isinstance(part, Away) else part


def not_known(answers: object, parts: Mapping[str, str]) -> Iterator[shapes.NotKnown]:
    """The answers that are away, as people call those parts."""
    for name, text in parts.items():
        part = getattr(answers, name)
        if isinstance(part, Away):
            yield shapes.NotKnown(part=text, service=part.service, reason=part.reason)
