"""What tests of who leads ask of a gateway: what it told, how fast it went, and silence, which ends with a new plan."""

from itertools import pairwise

from gateway_rig import PlcServer, plan_of
from loop_rig import Gateway

from headworks.common.messages import Outcome
from headworks.control_gateway.watchdog import WatchLimits


def led(gateway: Gateway) -> list[str]:
    """What the journal says of who leads, one after the other."""
    return [entry.reason for entry in gateway.told() if entry.outcome is Outcome.HELD]


def keeps_to_the_rate(server: PlcServer, counts: int) -> bool:
    return all(abs(b - a) <= counts for a, b in pairwise([200, *server.writes]))


async def silent(gateway: Gateway, **fail_safe: object) -> None:
    """The gateway follows a plan to 2.1 MW; then nobody makes a new one for longer than 20 min."""
    gateway.watch = WatchLimits(1200)
    gateway.begin_with(**fail_safe)
    gateway.follow(plan_of(2.1))
    await gateway.tick(after_s=60, times=20)


async def wakes(gateway: Gateway) -> None:
    """A new plan to 2.3 MW is made."""
    gateway.follow(plan_of(2.3, plan_id=2, made=gateway.clock.now()))
