"""What leads the speed of pumps on two real PLCs: the plan by its calculator, and in silence the level."""

from itertools import pairwise

import pytest
from gateway_rig import good
from pump_rig import PumpGateway, pump_plan
from time_rig import NOW

from headworks.common.messages import ControlMode
from headworks.control_gateway.watchdog import Measured, WatchLimits

RATE_COUNTS_PER_S = 10


@pytest.fixture
def gateway(pump_gateway: PumpGateway) -> PumpGateway:
    return pump_gateway


async def test_a_pump_may_be_led_by_power(gateway: PumpGateway) -> None:
    gateway.begin_with(setpoint_from="power")
    await gateway.settle()
    gateway.follow(pump_plan("P1_1", None, power_kw=360.0, made=gateway.clock.now()))
    states = await gateway.tick(times=10)
    assert states["P1_1"].power_kw == pytest.approx(360, abs=1)
    assert states["P1_1"].actual == pytest.approx(50 * 0.9 ** (1 / 3), abs=0.03)


async def test_a_pump_may_be_led_by_level(gateway: PumpGateway) -> None:
    gateway.begin_with(setpoint_from="level")
    await gateway.settle()
    gateway.follow(pump_plan("P1_1", None, level_m=2.0, made=gateway.clock.now()))
    await gateway.tick(times=3)
    assert gateway.written() == [], "it begins at the present speed"
    gateway.set_level(2200)
    states = await gateway.tick(times=3)
    assert states["P1_1"].actual == pytest.approx(49.4, abs=0.03)
    gateway.loop.switches.set_mode(ControlMode.MANUAL, "ann", NOW)
    await gateway.tick(after_s=600, times=5)
    gateway.loop.switches.set_mode(ControlMode.AUTO, "ann", NOW)
    states = await gateway.tick()
    assert states["P1_1"].actual == pytest.approx(49.4, abs=0.03), "it begins anew, without a jump"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("power", "the plan gives no target_power_kw"),
        ("level", "the plan gives no target_level_m"),
        ("direct", "the plan gives no suggested_speed_hz"),
    ],
)
async def test_a_target_that_the_calculator_misses_is_refused(gateway: PumpGateway, source: str, reason: str) -> None:
    gateway.begin_with(setpoint_from=source)
    await gateway.settle()
    gateway.follow(pump_plan("P1_1", None if source == "direct" else 49.0, made=gateway.clock.now()))
    states = await gateway.tick()
    assert (states["P1_1"].refused, states["P1_1"].reason) == (True, reason)
    assert gateway.written() == []


async def test_without_a_plan_the_level_may_lead_what_runs(gateway: PumpGateway) -> None:
    gateway.begin_with(fail_safe="level")
    await gateway.settle()
    gateway.set_level(2500)
    states = await gateway.tick(after_s=300, times=3)
    assert gateway.running() == {"P1_1", "P1_4"}
    assert states["P1_1"].actual == pytest.approx(50, abs=0.5)
    assert states["P1_1"].fail_safe
    assert states["P2_2"].fail_safe


# ---------------------------------------------------------------- silence


SILENT_S = 1200
LEVEL = Measured("pi", "tunnel_level_m")


def measure(gateway: PumpGateway) -> None:
    """The level is measured now, by its source."""
    gateway.loop.leads.hear(good(*LEVEL, gateway.clock.now()), gateway.clock.now())


async def fallen_silent(gateway: PumpGateway, watch: WatchLimits) -> None:
    """P1_1 and P1_4 run at 49 Hz by plan; then nothing is heard for 20 min, while the tunnel fills to 2.5 m."""
    gateway.watch = watch
    gateway.begin_with(fail_safe="level")
    await gateway.settle()
    measure(gateway)
    gateway.plan("P1_1", "P1_4")
    states = await gateway.tick(times=3)
    assert (states["P1_1"].leader, gateway.written()) == ("plan", [])
    gateway.set_level(2500)
    await gateway.tick(after_s=SILENT_S / 4 - 10, times=4)
    assert gateway.written() == [], "the plan leads to the last"


@pytest.mark.parametrize(
    ("watch", "why"),
    [
        (WatchLimits(SILENT_S), "no plan update for 1200 s"),
        (WatchLimits(1e6, SILENT_S, (LEVEL,)), "no measurement of tunnel_level_m by pi for 1200 s"),
    ],
)
async def test_in_silence_the_level_leads_what_runs_and_the_return_is_at_the_rate(
    gateway: PumpGateway, watch: WatchLimits, why: str
) -> None:
    await fallen_silent(gateway, watch)
    states = await gateway.tick(after_s=20)
    assert (states["P1_1"].leader, states["P1_1"].fail_safe, states["P1_1"].leads_because) == ("fail_safe", True, why)
    assert gateway.written() == [], "it begins at the present speed"
    gateway.set_level(2900)
    await gateway.tick(after_s=1, times=20)
    assert gateway.pump("P1_1").speed == gateway.pump("P1_4").speed == pytest.approx(4980, abs=3), "2 Hz for each m"
    gateway.set_level(1000)
    states = await gateway.tick(after_s=1, times=60)
    assert states["P1_1"].actual == 47.8, "no lower than the station's minimum"
    assert (gateway.running(), {what for _, what, _ in gateway.written()}) == ({"P1_1", "P1_4"}, {"speed"})
    measure(gateway)
    gateway.plan("P1_1", "P1_4", speed_hz=49.5)
    states = await gateway.tick(after_s=1, times=30)
    assert (states["P1_1"].leader, states["P1_1"].fail_safe, states["P1_1"].actual) == ("plan", False, 49.5)
    assert gateway.led("P1_1")[-2:] == [f"fail-safe: {why}", "the plan leads again"]
    speeds = [4900, *(counts for pump, _, counts in gateway.written() if pump == "P1_1")]
    assert max(abs(b - a) for a, b in pairwise(speeds)) <= RATE_COUNTS_PER_S + 1


async def test_in_silence_without_a_level_the_speed_is_left_as_it_is_and_told(gateway: PumpGateway) -> None:
    await fallen_silent(gateway, WatchLimits(SILENT_S))
    gateway.set_level(20_000)
    await gateway.tick(after_s=301, times=2)
    written = gateway.written()
    states = await gateway.tick(after_s=300, times=3)
    why = "no plan update for 1200 s: what runs is held; the tunnel's level is not known"
    assert (states["P1_1"].refused, states["P1_1"].reason) == (True, why)
    assert gateway.written() == written
    assert gateway.running() == {"P1_1", "P1_4"}
