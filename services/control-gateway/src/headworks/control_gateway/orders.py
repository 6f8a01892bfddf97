"""What people ordered of single actuators: their mode, a value for a while (an override), and who was handed to local control.

Kept in a local file, so that it holds over a restart and with all else down. A file that cannot be read means mode `off` for
every actuator: nobody knows where a person has a hand in the machine.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from headworks.common.messages import ControlMode, Instant, KeptMode, SetpointOverride
from headworks.control_gateway.files import replace_durably

log = structlog.get_logger(__name__)
NEVER = datetime.min.replace(tzinfo=UTC)
A_TICK = timedelta(microseconds=1)
"""So much later an order is than the one that it takes the place of, where the clock says it is earlier."""
STRICTEST_LAST = (ControlMode.AUTO, ControlMode.MANUAL, ControlMode.OFF, ControlMode.MAINTENANCE)


class Orders(BaseModel):
    """All orders in force, by actuator. `handed`: since when the gateway has left it to the PLC's own control."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    modes: dict[str, KeptMode] = {}
    overrides: dict[str, SetpointOverride] = {}
    handed: dict[str, Instant] = {}


def strictest(*modes: ControlMode) -> ControlMode:
    """The mode that counts where several do."""
    return max(modes, key=STRICTEST_LAST.index)


class OrderBook:
    """The orders on one site's actuators. What changes it raises OSError, and leaves all as it was, when it cannot be stored."""

    def __init__(self, folder: Path, site: str, resources: Iterable[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"orders-{site}.json"
        self.now = self._read(resources)

    def _read(self, resources: Iterable[str]) -> Orders:
        try:
            return Orders.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Orders()
        except (OSError, ValidationError):
            log.exception("mode off: the orders on actuators cannot be read", file=self._path.name)
            off = KeptMode(mode=ControlMode.OFF, by="unreadable orders file", at=NEVER)
            return Orders(modes=dict.fromkeys(resources, off))

    def mode_of(self, resource: str) -> ControlMode:
        """The actuator's own mode; the site's may be stricter."""
        ordered = self.now.modes.get(resource)
        return ControlMode.AUTO if ordered is None else ordered.mode

    def set_mode(self, resource: str, mode: ControlMode, by: str, at: datetime) -> None:
        """Who leads the actuator from now on; `auto` leaves it to the site's mode."""
        self._store(modes=self.now.modes | {resource: mode_after(self.now.modes.get(resource), mode, by, at)})

    def override_of(self, resource: str, now: datetime) -> SetpointOverride | None:
        """The value that a person set for the actuator, while it is in force."""
        override = self.now.overrides.get(resource)
        return override if override is not None and override.given_at <= now < override.until else None

    def override(self, resource: str, override: SetpointOverride) -> None:
        """Set a value; it stands in place of an earlier one, by whatever clock that was given."""
        kept = self.now.overrides.get(resource)
        after = None if kept is None else _stamp(kept)
        self._store(overrides=self.now.overrides | {resource: override.model_copy(update={"after": after})})

    def end_override(self, resource: str, at: datetime) -> SetpointOverride | None:
        """End it by hand; what was ended, if one was in force."""
        ended = self.override_of(resource, at)
        if ended is not None:
            self._store(overrides=self.now.overrides | {resource: ended.model_copy(update={"until": at})})
        return ended

    def take_over(self, modes: Mapping[str, KeptMode], overrides: Mapping[str, SetpointOverride]) -> None:
        """Take over what was ordered at another gateway, where it is the newer order. It holds whatever the disk says."""
        newer = {name: mode for name, mode in modes.items() if supersedes(mode, self.now.modes.get(name))}
        later = {name: o for name, o in overrides.items() if _is_newer_override(o, self.now.overrides.get(name))}
        if not newer and not later:
            return
        merged = {"modes": self.now.modes | newer, "overrides": self.now.overrides | later}
        try:
            self._store(**merged)
        except OSError:
            log.exception("orders of another gateway hold, but are not stored", file=self._path.name)
            self.now = self.now.model_copy(update=merged)

    def handed_at(self, resource: str) -> datetime | None:
        """Since when the gateway has left the actuator to the PLC's own control."""
        return self.now.handed.get(resource)

    def hand_over(self, resource: str, at: datetime) -> None:
        """Remember that the gateway leaves it to the PLC: what people switched there it never takes back."""
        self._store(handed=self.now.handed | {resource: at})

    def take_back(self, resource: str) -> None:
        """The gateway leads again."""
        self._store(handed={name: at for name, at in self.now.handed.items() if name != resource})

    def _store(self, **changes: object) -> None:
        orders = self.now.model_copy(update=changes)
        replace_durably(self._path, orders.model_dump_json())
        self.now = orders


def mode_after(kept: KeptMode | None, mode: ControlMode, by: str, at: datetime) -> KeptMode:
    """An order of now: it comes after the one that is known here, by whatever clock that was given."""
    known = NEVER if kept is None else kept.at
    return KeptMode(mode=mode, by=by, at=max(at, known + A_TICK), after=known)


def supersedes(heard: KeptMode, kept: KeptMode | None) -> bool:
    """Whether an order of another gateway takes the place of the one that is kept here. Both gateways come to the same.

    The one that was given where the other was known does. Where neither was known to the other one's person, no clock says
    which is meant to stand: the stricter does.
    """
    if kept is None:
        return True
    if heard.after is not None and kept.after is not None:
        knew, was_known = heard.after >= kept.at, kept.after >= heard.at
        if knew is not was_known:
            return knew
        if heard.mode is not kept.mode:
            return strictest(heard.mode, kept.mode) is heard.mode
    if heard.at == kept.at and heard.mode is not kept.mode:
        return strictest(heard.mode, kept.mode) is heard.mode
    return heard.at > kept.at


def _stamp(override: SetpointOverride) -> datetime:
    """What orders it among others: after all that were known where it was given."""
    return override.given_at if override.after is None else max(override.given_at, override.after + A_TICK)


def _is_newer_override(override: SetpointOverride, before: SetpointOverride | None) -> bool:
    """A later one, or the same one ended earlier."""
    if before is None or _stamp(override) != _stamp(before):
        return before is None or _stamp(override) > _stamp(before)
    return override.until < before.until
