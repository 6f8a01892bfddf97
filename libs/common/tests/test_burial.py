"""What becomes of a message that cannot be handled while the bus is away, so that it cannot be buried either."""

from datetime import UTC, datetime

import pytest

from headworks.common.bus import Bus
from headworks.common.dead_letters import dead_letters
from headworks.common.embedded.nats import NatsServer
from headworks.common.handling import Delivery, Unacceptable
from headworks.common.messages import SolveJob
from headworks.common.subjects import SOLVE_JOB
from headworks.common.tasks import in_background
from headworks.common.testing import eventually


async def test_a_server_that_restarts_during_a_burial_ends_no_consumer_and_loses_no_dead_letter(
    bus: Bus, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headworks.common.bus.RETRY_S", 0.05)
    seen: list[str] = []

    async def handler(message: SolveJob, delivery: Delivery) -> None:
        seen.append(message.run_id)
        if message.run_id == "good":
            return
        if delivery.deliveries == 1:
            nats_server.stop()
            await eventually(lambda: not bus.is_connected)
        raise Unacceptable("no such site")

    def job(run_id: str) -> SolveJob:
        at = datetime(2026, 2, 17, tzinfo=UTC)
        return SolveJob(run_id=run_id, site="abay", requested_at=at, requested_by="test", reason="test")

    async def is_buried() -> bool:
        return [letter.reason async for letter in dead_letters(bus._jetstream)] == ["no such site"]

    await bus.publish(SOLVE_JOB, job("bad"), site="abay")
    async with in_background(bus.consume(SOLVE_JOB, handler, durable="workers", ack_wait_s=1)):
        await eventually(lambda: seen == ["bad"] and not bus.is_connected)
        nats_server.start()
        await eventually(lambda: bus.is_connected)
        await bus.publish(SOLVE_JOB, job("good"), site="abay")
        await eventually(lambda: seen.count("bad") == 2 and "good" in seen, 30)
        await eventually(is_buried)
