"""Which of a site's interlocks are tripped, from what its PLCs were seen to hold; kept in a local file over a restart.

A file that cannot be read means that all are tripped until their release: nobody knows which were.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from headworks.common.messages import Instant, TrippedInterlock
from headworks.control_gateway.files import replace_durably
from headworks.control_gateway.plc import LinkFault, Snapshot
from headworks.control_gateway.safety import CLOCKS_DIFFER_S
from headworks.control_gateway.site_interlocks import SiteInterlocks
from headworks.control_gateway.trips import Interlock, TripState, acting, next_state

log = structlog.get_logger(__name__)


class Kept(BaseModel):
    """A tripped interlock, as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    since: Instant
    why: str


_kept = TypeAdapter(dict[str, Kept])


@dataclass(frozen=True, slots=True)
class Value:
    """What a point gave, in its unit, and when."""

    value: float
    at: datetime


class TripBoard:
    """The interlocks of one site."""

    def __init__(self, folder: Path, site: str, made: SiteInterlocks, begun_at: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._made, self._begun_at = folder / f"interlocks-{site}.json", made, begun_at
        self._values: dict[str, Value] = {}
        self.stored = True
        """Whether what is tripped would be known after a restart."""
        self._states = self._read()

    def _read(self) -> dict[str, TripState]:
        names = {interlock.name for interlock in self._made.interlocks}
        try:
            kept = _kept.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            kept = {}
        except (OSError, ValidationError):
            log.exception("all interlocks are tripped: their file cannot be read", file=self._path.name)
            kept = dict.fromkeys(names, Kept(since=self._begun_at, why="the file of interlocks cannot be read"))
        return {name: TripState(True, k.since, k.why) if (k := kept.get(name)) else TripState() for name in names}

    def point_names(self, plc: str) -> list[str]:
        """The points of a PLC that must be read."""
        return [point.name for point in self._made.points.values() if point.plc == plc]

    def saw(self, plc: str, snapshot: Snapshot, at: datetime) -> None:
        """A PLC was read; a point that could not be keeps its last value, which grows old."""
        for name, point in self._made.points.items():
            if point.plc == plc:
                number = snapshot.number(point)
                if not isinstance(number, LinkFault):
                    self._values[name] = Value(point.value_of(number), at)

    def judge(self, now: datetime) -> bool:
        """Judge all interlocks on what is known; True when another set of them is tripped than before."""
        before = self._tripped()
        for interlock in self._made.interlocks:
            if not self._is_undetermined(interlock, now):
                state = self._states[interlock.name]
                self._states[interlock.name] = next_state(interlock, state, self._known(interlock, now), now)
        changed = self._tripped() != before
        if changed or not self.stored:
            self._store()
        return changed

    def acting_on(self, resource: str) -> tuple[Interlock, str] | None:
        """The strongest tripped interlock of an actuator, and why it tripped."""
        interlock = acting(self._made.interlocks, self._tripped(), resource)
        return None if interlock is None else (interlock, self._states[interlock.name].why)

    def undetermined(self, resource: str, now: datetime) -> str | None:
        """The interlock of an actuator of which nobody can say yet whether it is tripped: the gateway has just begun."""
        mine = (i for i in self._made.interlocks if resource in i.applies_to)
        return next((i.name for i in mine if self._is_undetermined(i, now)), None)

    def told(self) -> tuple[TrippedInterlock, ...]:
        """The tripped interlocks, for people."""
        states = ((i.name, self._states[i.name]) for i in self._made.interlocks)
        return tuple(TrippedInterlock(name=n, since=s.since, why=s.why) for n, s in states if s.tripped and s.since)

    def _tripped(self) -> frozenset[str]:
        return frozenset(name for name, state in self._states.items() if state.tripped)

    def _known(self, interlock: Interlock, now: datetime) -> Mapping[str, float | None]:
        fresh = {name: v for name in interlock.points if (v := self._values.get(name)) is not None}
        age_s = {name: (now - v.at).total_seconds() for name, v in fresh.items()}
        return {n: v.value for n, v in fresh.items() if -CLOCKS_DIFFER_S <= age_s[n] <= interlock.stale_after_s}

    def _is_undetermined(self, interlock: Interlock, now: datetime) -> bool:
        just_begun = (now - self._begun_at).total_seconds() <= interlock.stale_after_s
        return just_begun and not interlock.points <= self._values.keys()

    def _store(self) -> None:
        """Keep what is tripped; where the disk refuses, it holds all the same and is tried again with each judgement."""
        kept = {n: Kept(since=s.since, why=s.why) for n, s in self._states.items() if s.tripped and s.since}
        try:
            replace_durably(self._path, _kept.dump_json(kept).decode())
        except OSError:
            if self.stored:
                with contextlib.suppress(OSError):  # the log may lie on the same full disk
                    log.exception("interlocks: a restart would forget which are tripped", file=self._path.name)
            self.stored = False
        else:
            self.stored = True
