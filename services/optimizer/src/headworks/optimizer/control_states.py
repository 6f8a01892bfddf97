"""What the gateways said last of each site: an actuator that no plan leads is not planned."""

from headworks.common.bus import Bus, Deliver
from headworks.common.messages import ControlState
from headworks.common.subjects import CONTROL_STATE


class ControlStates:
    """The newest state of each site that was heard."""

    def __init__(self) -> None:
        self._newest: dict[str, ControlState] = {}

    async def hear(self, bus: Bus) -> None:
        """Hear for ever, from what was said last on; run it as a task."""
        async for state, _delivery in bus.follow(CONTROL_STATE, deliver=Deliver.LAST_PER_SUBJECT):
            self._newest[state.site] = state

    def newest(self, site: str) -> ControlState | None:
        """Of one site; None where no gateway was heard."""
        return self._newest.get(site)
