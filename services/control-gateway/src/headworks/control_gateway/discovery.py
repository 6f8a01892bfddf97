"""What is new in the site files and plans, and what of it is wrong; pure.

A site that is new and whole, and an actuator that is new on a known site, may begin to be controlled. What controls already stays
exactly as it is: whatever a file changes, drops or breaks of it is a finding for people, and comes into force with a restart.
So do a site's interlocks, and an actuator that one of them guards waits with it: it is never led without what protects it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headworks.control_gateway.section import ControlSection, control_section
from headworks.waterway.site import Site

CONTROL = "control"
LONGEST_FINDING = 300


@dataclass(frozen=True, slots=True)
class Discovered:
    """Sites to begin with, by name: new ones, and known ones with actuators besides. `findings` are for people."""

    sites: Mapping[str, Site]
    findings: tuple[str, ...]


def discovered(
    running: Mapping[str, Site],
    files: Mapping[str, Site | str],
    planned: Mapping[str, frozenset[str]],
    check: Callable[[Site], object],
) -> Discovered:
    """Compare what runs with the files (by name, each a site or what is wrong with it) and with the actuators of plans.

    `check` raises ValueError for a site that could not be controlled.
    """
    findings = [f"{name} cannot be read: {wrong}" for name, wrong in files.items() if isinstance(wrong, str)]
    read = {content.site: content for content in files.values() if isinstance(content, Site)}
    if not findings:  # else a site whose file is broken would be told twice
        findings += [
            f"site {site} has no file any more; it is controlled until a restart" for site in running.keys() - read
        ]
    found: dict[str, Site] = {}
    for name, site in read.items():
        try:
            begun = _grown(running[name], site, findings) if name in running else site
            if begun is not None:
                check(begun)
                found[name] = begun
        except ValueError as error:
            findings.append(f"{error}; nothing new of site {name} begins")
    findings += _unlisted((running, read), planned)
    return Discovered(found, tuple(sorted(finding[:LONGEST_FINDING] for finding in findings)))


def _grown(before: Site, now: Site, findings: list[str]) -> Site | None:
    """The running site with the actuators that its file has besides; None where there is none. Raises ValueError."""
    old, new = control_section(before), control_section(now)
    findings += [f"site {now.site}: {change}; it comes into force with a restart" for change in _changes(old, new)]
    added = [name for name in new.actuators if name not in old.actuators and _why_it_waits(name, new) is None]
    if not added:
        return None
    section = _with(before.section(CONTROL), now.section(CONTROL), added)
    fields = {name: getattr(before, name) for name in type(before).model_fields}
    return type(before).model_construct(**fields, **{**(before.model_extra or {}), CONTROL: section})


def _with(old: Mapping[str, Any], new: Mapping[str, Any], added: list[str]) -> dict[str, Any]:
    """A control section, as it is written, with actuators of another one and their points; nothing else of it changes."""
    plcs = dict(old["plcs"])
    for name in added:
        plc = new["actuators"][name]["plc"]
        if plc in new["plcs"]:
            known = plcs.get(plc, {**new["plcs"][plc], "points": {}})
            own = {name: new["plcs"][plc]["points"][name]} if name in new["plcs"][plc]["points"] else {}
            plcs[plc] = {**known, "points": {**known["points"], **own}}
    return {**old, "plcs": plcs, "actuators": {**old["actuators"], **{name: new["actuators"][name] for name in added}}}


def _changes(old: ControlSection, new: ControlSection) -> Iterator[str]:
    """What a file says otherwise than what runs."""
    for name, actuator in old.actuators.items():
        if name not in new.actuators:
            yield f"actuator {name} is no longer listed"
        elif new.actuators[name] != actuator:
            yield f"actuator {name} is changed"
    for name, plc in old.plcs.items():
        if name not in new.plcs:
            yield f"PLC {name} is no longer listed"
            continue
        kept = {resource: points for resource, points in new.plcs[name].points.items() if resource in plc.points}
        if new.plcs[name].model_copy(update={"points": kept}) != plc:
            yield f"PLC {name} is changed"
    rest: dict[str, object] = {"plcs": {}, "actuators": {}}
    if old.model_copy(update=rest) != new.model_copy(update=rest):
        yield "what its actuators share is changed"
    for name in new.actuators:
        if name not in old.actuators and (why := _why_it_waits(name, new)) is not None:
            yield why


def _why_it_waits(name: str, new: ControlSection) -> str | None:
    """Why a new actuator of a known site cannot begin before a restart; None where it can."""
    if new.actuators[name].kind == "pump":
        return f"pump {name} is new, and all pumps of a site decide together"
    # An interlock that is in force names only actuators that are known, so one that names a new one is new or changed.
    guards = [interlock.name for interlock in new.interlocks if name in interlock.applies_to]
    return f"actuator {name} is new, and its interlock {', '.join(guards)} is not in force yet" if guards else None


def _unlisted(known: tuple[Mapping[str, Site], ...], planned: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What is planned and stands in no file; a site whose file is wrong was told already."""
    for name, resources in planned.items():
        sites = [of[name] for of in known if name in of]
        try:
            listed = {resource for site in sites for resource in control_section(site).actuators}
        except ValueError:
            continue
        if not sites:
            yield f"plans name site {name}, which has no file here; not controlled: {', '.join(sorted(resources))}"
            continue
        for resource in sorted(resources - listed):
            yield f"site {name}: plans name {resource}, which its file does not list; it is not controlled"
