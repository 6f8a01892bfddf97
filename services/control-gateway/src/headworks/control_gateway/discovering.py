"""Looks for new sites and actuators while the gateway runs, begins with what is whole, and tells what is wrong."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import structlog
from pydantic import TypeAdapter

from headworks.common.audit import Category
from headworks.common.client import UNANSWERED
from headworks.common.messages import PlannedActuator
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.controlled import ControlledSites
from headworks.control_gateway.discovery import discovered
from headworks.waterway.site import Site
from headworks.waterway.site_file import parse_site

log = structlog.get_logger(__name__)
_ACTUATORS = TypeAdapter(list[PlannedActuator])
UNKNOWN = "the plans service did not say which stations have plans; it is asked again with the next look"


@dataclass
class Discovery:
    """Keeps what is controlled in step with the folder of site files and with the plans."""

    folder: Path
    controlled: ControlledSites
    auditor: Auditor
    client: httpx.AsyncClient | None
    """Asks the plans service which stations have plans; None where plans are not heard of."""
    every_s: float
    elsewhere: frozenset[str] = frozenset()
    """Stations that other gateways control."""
    _told: frozenset[str] = field(default=frozenset())

    async def run(self) -> None:
        """Look again and again; run it as a task."""
        while True:
            await asyncio.sleep(self.every_s)
            await self.look()

    async def look(self) -> tuple[str, ...]:
        """Look once; what people are told."""
        planned, unknown = await self._planned()
        files, hashes = await asyncio.to_thread(_files, self.folder)  # large ones take long to read: control goes on
        found = discovered(self.controlled.sites, files, planned, self.controlled.build)
        findings = [*found.findings, *unknown]
        for name, site in found.sites.items():
            try:
                await self.controlled.begin(site)
            except (ValueError, OSError) as error:
                findings.append(f"site {name} could not begin: {error}")
            else:
                self._note(name, hashes[name])
        self._tell(tuple(findings))
        return tuple(findings)

    async def _planned(self) -> tuple[Mapping[str, frozenset[str]], tuple[str, ...]]:
        """The actuators with plans by station, and what is said where the plans service does not name them all."""
        planned = {name: loop.plans.resources for name, loop in self.controlled.loops.items()}
        if self.client is None:
            return planned, ()
        try:
            answer = await self.client.get("/plans/actuators")
            named = _ACTUATORS.validate_json(answer.raise_for_status().content)
        except (*UNANSWERED, ValueError) as error:
            log.warning("stations with plans are not known", error=repr(error))
            return planned, (UNKNOWN,)
        for actuator in named:
            station = actuator.station_id
            if station in self.controlled.loops or station not in self.elsewhere:
                planned[station] = planned.get(station, frozenset()) | {actuator.resource_id}
        return planned, ()

    def _note(self, site: str, sha256: str) -> None:
        """Note a site that began, with the hash of the file from which it or its new actuators were taken."""
        gateway = self.auditor.journal.gateway
        self.auditor.note(Category.CONFIGURATION, "site_discovered", gateway, subject=site, sha256=sha256)

    def _tell(self, findings: tuple[str, ...]) -> None:
        """Each finding is logged once, and stands in the state of every site until it is mended."""
        for finding in findings:
            if finding not in self._told:
                log.error("discovery", finding=finding)
        self._told = frozenset(findings)
        for loop in self.controlled.loops.values():
            if loop.findings != findings:
                loop.findings = findings
                loop.changed.set()


def _files(folder: Path) -> tuple[Mapping[str, Site | str], Mapping[str, str]]:
    """Every site file by its name, or what is wrong with it; and by its site the hash of what was read."""
    found: dict[str, Site | str] = {}
    hashes: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = path.read_bytes()
            found[path.name] = site = parse_site(content.decode("utf-8"))
            hashes[site.site] = hashlib.sha256(content).hexdigest()
        except (ValueError, OSError) as error:
            found[path.name] = str(error)
    return found, hashes
