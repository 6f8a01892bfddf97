"""Two gateways for one PLC: who takes over moves an actuator within the window no further than both together may."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from pathlib import Path

import httpx
import pytest
from gateway_rig import HandClock, PlcServer, plan_of
from loop_rig import Gateway

from headworks.common.bus import Bus
from headworks.control_gateway.fencing import Term
from headworks.control_gateway.lease import Held
from headworks.control_gateway.limits import Actuator
from headworks.control_gateway.movement import MaxChange

LIMIT = MaxChange(counts=10, within_s=600)
STEP_S = 15


@dataclass
class Two:
    """Gateways a and b, ticked by hand; the lease is given by hand."""

    gateways: dict[str, Gateway]
    clock: HandClock
    plc: PlcServer
    epoch: int = 0
    leader: str = ""
    plan_id: int = 0
    track: list[tuple[datetime, int]] = field(default_factory=list)

    def lead(self, name: str, value: float) -> None:
        """One of them leads from now on, and the plan asks this value [MW]."""
        self.epoch, self.plan_id = self.epoch + (name != self.leader), self.plan_id + 1
        self.leader = name
        for each, gateway in self.gateways.items():
            assert gateway.term is not None
            gateway.term.held = Held(self.epoch, self.epoch, inf) if each == name else None
        self.gateways[name].follow(plan_of(value, plan_id=self.plan_id))

    async def tick(self, *names: str, minutes: float) -> str:
        """So long only these look at the PLC. Why the first of them did nothing last, if it did not."""
        reason = ""
        for _ in range(round(minutes * 60 / STEP_S)):
            self.clock.forward(STEP_S)
            self.track.append((self.clock.now(), self.plc.setpoint))
            for name in reversed(names):
                reason = (await self.gateways[name].tick(after_s=0)).reason
            self.track.append((self.clock.now(), self.plc.setpoint))
        return reason

    async def look(self, name: str, *, after_s: float) -> None:
        """This one alone looks at the PLC, so long after the last look of either."""
        self.clock.forward(after_s)
        self.track.append((self.clock.now(), self.plc.setpoint))
        await self.gateways[name].tick(after_s=0)
        self.track.append((self.clock.now(), self.plc.setpoint))

    def keeps_to_the_rate(self) -> bool:
        """From one turn's end to any later one's the register moves at most rate x time + 1 count, whoever writes."""
        [actuator] = self.gateways["a"].actuators
        ends = self.track[1::2]
        return all(
            abs(after - before) <= actuator.limits.rate_per_s * (end - begin).total_seconds() + 1
            for i, (begin, before) in enumerate(ends)
            for end, after in ends[i:]
        )

    def keeps_to_the_window(self) -> bool:
        return all(
            abs(after - before) <= LIMIT.counts
            for i, (begin, before) in enumerate(self.track)
            for end, after in self.track[i:]
            if (end - begin).total_seconds() <= LIMIT.within_s
        )


@pytest.fixture
async def two(tmp_path: Path, actuator: Actuator, plc_server: PlcServer, clock: HandClock) -> AsyncIterator[Two]:
    bound = actuator.model_copy(update={"limits": replace(actuator.limits, max_change=LIMIT)})
    async with Bus.connect_in_background("nats://127.0.0.1:1", "test") as bus, httpx.AsyncClient() as client:
        made = {
            name: Gateway(
                tmp_path / name, (bound,), {"oxph-plc": plc_server.port}, clock, bus, client, term=Term("stop")
            )
            for name in ("a", "b")
        }
        yield Two(made, clock, plc_server)
        for gateway in made.values():
            gateway.close()


async def test_who_looked_away_while_the_other_led_counts_all_that_it_may_have_written(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", "b", minutes=11)
    two.lead("a", 2.1)
    await two.tick("a", minutes=4)
    two.lead("a", 2.0)
    await two.tick("a", minutes=4)
    assert (max(two.plc.writes), two.plc.setpoint) == (210, 200)
    two.lead("b", 1.5)
    assert await two.tick("b", minutes=5) == "the change within the window allows no step yet"
    assert two.plc.setpoint == 200
    await two.tick("b", minutes=60)
    assert two.plc.setpoint < 180, "it goes on once a window has passed"
    assert two.keeps_to_the_window()
    assert two.keeps_to_the_rate()


async def test_who_never_looked_moves_nothing_until_a_window_has_passed(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", minutes=1)
    two.lead("b", 2.5)
    assert await two.tick("b", minutes=9) == "the change within the window allows no step yet"
    assert two.plc.writes == []
    await two.tick("b", minutes=4)
    assert 200 < two.plc.setpoint <= 210


async def test_who_looked_on_all_the_time_goes_on_with_what_is_left_of_the_window(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", "b", minutes=21)
    two.lead("a", 2.05)
    await two.tick("a", "b", minutes=4)
    assert two.plc.setpoint == 205
    two.lead("b", 2.5)
    await two.tick("b", "a", minutes=2)
    assert 205 < two.plc.setpoint <= 210
    two.lead("a", 1.5)
    await two.tick("a", "b", minutes=60)
    assert two.keeps_to_the_window()
    assert two.keeps_to_the_rate()
    assert two.plc.setpoint < 190


async def test_a_leader_that_begins_anew_counts_what_may_have_been_written_while_it_was_away(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", "b", minutes=21)
    two.lead("b", 2.1)
    await two.tick("b", minutes=4)
    two.lead("b", 2.0)
    await two.tick("b", minutes=4)
    two.gateways["a"].close()
    two.gateways["a"].begin()
    two.lead("a", 1.5)
    await two.tick("a", minutes=30)
    assert two.plc.setpoint < 200
    assert two.keeps_to_the_window()
    assert two.keeps_to_the_rate()


async def test_who_is_woken_to_lead_right_after_the_others_write_earned_no_rate_by_watching(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", "b", minutes=11)
    two.lead("a", 2.5)
    await two.tick("a", "b", minutes=1)
    await two.look("a", after_s=STEP_S)
    written = two.plc.setpoint
    two.lead("b", 2.5)
    await two.look("b", after_s=0.1)
    assert two.plc.setpoint == written, "it was held for a tenth of a second only"
    await two.look("b", after_s=STEP_S)
    assert two.plc.setpoint == written + 1
    assert two.keeps_to_the_rate()


async def test_who_led_before_and_leads_again_earned_no_rate_while_the_other_led_unseen(two: Two) -> None:
    two.lead("a", 2.0)
    await two.tick("a", "b", minutes=11)
    two.lead("b", 2.5)
    await two.tick("b", minutes=1)
    written = two.plc.setpoint
    assert written > 200
    two.lead("a", 2.5)
    await two.look("a", after_s=0.1)
    assert two.plc.setpoint == written
    assert two.keeps_to_the_rate()
