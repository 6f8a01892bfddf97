"""Orders that let writes go on: by people only, and in the journal before they are carried out."""

import contextlib
from collections.abc import Iterator
from typing import Any

from headworks.common.auth import Caller, Role
from headworks.common.problems import Problem
from headworks.control_gateway.loop import ControlLoop

UNRECORDED: dict[int | str, dict[str, Any]] = {
    503: {"description": "The order cannot be recorded; nothing was changed"}
}


def by_hand(caller: Caller, reason: str) -> str:
    """Who gives an order that lets writes go on. Answers 403 to a machine: that is for people."""
    refuse_machines(caller)
    return f"{caller.name}: {reason}"


def refuse_machines(caller: Caller, *, keys_of_people: bool = False) -> None:
    """Answer 403 to services, and to keys where these are not people's own: one person may hold several, under other names."""
    if caller.role is Role.SERVICE:
        raise Problem(403, "Not allowed", f"{caller.name} is a service; this is done by hand, by a person")
    if not (caller.is_person or keys_of_people):
        raise Problem(403, "Not allowed", f"{caller.name} shows an API key; this is done by hand: sign in with a token")


@contextlib.contextmanager
def recorded(loop: ControlLoop, order: str, resource: str | None = None) -> Iterator[None]:
    """Carry an order out once it is in the journal. Answers 503 when it cannot be recorded or kept."""
    unrecorded = Problem(503, "The order cannot be recorded", "the gateway's disk refuses; nothing was changed")
    if not loop.record_order(order, resource):
        raise unrecorded
    try:
        yield
    except OSError as error:
        raise unrecorded from error
    finally:
        loop.changed.set()
        loop.wake()
