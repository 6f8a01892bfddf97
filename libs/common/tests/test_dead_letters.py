"""Dead letters on a real bus: listed with the reason, sent again to where they came from, gone once sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.client import JetStreamContext
from typer.testing import CliRunner, Result

from headworks.common.bus import Bus
from headworks.common.cli import create_app
from headworks.common.dead_letters import NotReplayable, dead_letters, replay
from headworks.common.embedded.nats import NatsServer
from headworks.common.handling import Delivery, Unacceptable
from headworks.common.messages import SolveJob
from headworks.common.permissions import MIGRATE, OPERATIONS, authorization, write_seeds
from headworks.common.subjects import SOLVE_JOB
from headworks.common.tasks import in_background
from headworks.common.testing import eventually

JOB = SolveJob(
    run_id="r1", site="abay", requested_at=datetime(2026, 2, 17, tzinfo=UTC), requested_by="test", reason="test"
)


@pytest.fixture
async def jetstream(bus: Bus, nats_server: NatsServer) -> AsyncIterator[JetStreamContext]:
    """A bus with streams, as the operator's tool sees it."""
    client = await nats.connect(nats_server.url)
    yield client.jetstream()
    await client.close()


async def bury(bus: Bus, reason: str) -> None:
    """Let a consumer refuse one job."""
    refused = asyncio.Event()

    async def handler(_job: SolveJob, _delivery: Delivery) -> None:
        refused.set()
        raise Unacceptable(reason)

    await bus.publish(SOLVE_JOB, JOB, site="abay")
    async with in_background(bus.consume(SOLVE_JOB, handler, durable="workers")):
        await refused.wait()
        await eventually(lambda: is_empty(bus, "JOBS"))


async def is_empty(bus: Bus, stream: str) -> bool:
    return (await bus._jetstream.stream_info(stream)).state.messages == 0


async def test_a_letter_says_where_it_came_from_and_why(bus: Bus, jetstream: JetStreamContext) -> None:
    await bury(bus, "no such site")
    [letter] = [letter async for letter in dead_letters(jetstream)]
    assert (letter.subject, letter.consumer, letter.reason) == ("jobs.solve.abay", "test", "no such site")
    assert SolveJob.model_validate_json(letter.body or b"") == JOB
    assert letter.buried_at.tzinfo is not None


async def test_a_letter_sent_again_is_handled_once_and_gone(bus: Bus, jetstream: JetStreamContext) -> None:
    await bury(bus, "no such site")
    [letter] = [letter async for letter in dead_letters(jetstream)]
    await replay(jetstream, letter)
    assert [letter async for letter in dead_letters(jetstream)] == []
    seen: list[str] = []

    async def handler(job: SolveJob, _delivery: Delivery) -> None:
        seen.append(job.run_id)

    async with in_background(bus.consume(SOLVE_JOB, handler, durable="workers")):
        await eventually(lambda: seen == ["r1"])


async def test_a_replay_that_was_cut_off_does_not_send_twice(bus: Bus, jetstream: JetStreamContext) -> None:
    await bury(bus, "no such site")
    [letter] = [letter async for letter in dead_letters(jetstream)]
    await jetstream.publish(
        letter.subject, letter.body or b"", headers={"Nats-Msg-Id": f"dead-letter:{letter.sequence}"}
    )
    await replay(jetstream, letter)
    assert (await jetstream.stream_info("JOBS")).state.messages == 1


async def test_a_job_that_used_up_its_deliveries_is_listed_and_sent_again(
    bus: Bus, jetstream: JetStreamContext
) -> None:
    """A consumer that is not ours limits its deliveries; the server then only says so, and the job stays in its queue."""
    await bus.publish(SOLVE_JOB, JOB, site="abay")
    config = ConsumerConfig(durable_name="others", ack_policy=AckPolicy.EXPLICIT, max_deliver=1, ack_wait=0.05)
    pull = await jetstream.pull_subscribe("jobs.solve.*", durable="others", stream="JOBS", config=config)
    await pull.fetch(1)

    async def is_listed() -> bool:
        with contextlib.suppress(nats.errors.TimeoutError):
            await pull.fetch(1, timeout=0.1)
        return [letter async for letter in dead_letters(jetstream)] != []

    await eventually(is_listed)
    [letter] = [letter async for letter in dead_letters(jetstream)]
    assert (letter.subject, letter.consumer, letter.reason) == (
        "jobs.solve.abay",
        "others",
        "no answer after 1 deliveries",
    )
    await replay(jetstream, letter)
    [raw] = await pull.fetch(1)
    assert SolveJob.model_validate_json(raw.data) == JOB
    await raw.ack_sync()
    assert await is_empty(bus, "JOBS")


async def test_a_letter_whose_message_is_gone_is_listed_but_not_sent(bus: Bus, jetstream: JetStreamContext) -> None:
    advisory = b'{"stream": "JOBS", "consumer": "workers", "stream_seq": 99, "deliveries": 3}'
    await jetstream.publish("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.JOBS.workers", advisory)
    [letter] = [letter async for letter in dead_letters(jetstream)]
    with pytest.raises(NotReplayable, match="letter 1: its message is gone from JOBS:99"):
        await replay(jetstream, letter)


async def test_a_letter_of_an_unknown_subject_stays(bus: Bus, jetstream: JetStreamContext) -> None:
    await jetstream.publish("dead.jobs.paint.abay", b"")
    [letter] = [letter async for letter in dead_letters(jetstream)]
    assert (letter.subject, letter.consumer, letter.reason) == ("jobs.paint.abay", "unknown", "no reason was given")
    with pytest.raises(NotReplayable, match=r"jobs\.paint\.abay is no subject of the registry"):
        await replay(jetstream, letter)
    assert len([letter async for letter in dead_letters(jetstream)]) == 1


class TestCommand:
    """`headworks dead-letters` with the key of operations, on a server with permissions."""

    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        return tmp_path / "keys"

    @pytest.fixture
    def guarded(self, tmp_path: Path, keys: Path) -> Iterator[NatsServer]:
        server = NatsServer(tmp_path / "guarded", authorization=authorization(write_seeds(keys)))
        server.start()
        yield server
        server.stop()

    @pytest.fixture
    def letters(self, guarded: NatsServer, keys: Path) -> None:
        """Two letters: a job, and one of a subject that nobody knows."""

        async def fill() -> None:
            async with await Bus.connect(guarded.url, MIGRATE, keys / f"{MIGRATE}.nk") as migrate:
                await migrate.declare_streams()
            headers = {"Headworks-Subject": "jobs.solve.abay", "Headworks-Reason": "no such site"}
            async with await Bus.connect(guarded.url, "optimizer", keys / "optimizer.nk") as bus:
                await bus.publish_raw("dead.jobs.solve.abay", JOB.model_dump_json().encode(), headers)
                await bus.publish_raw("dead.jobs.solve.x", b"{", {"Headworks-Subject": "jobs.paint.x"})

        asyncio.run(fill())

    def run(self, server: NatsServer, seed_file: Path, *arguments: str) -> Result:
        options = ["--nats-url", server.url, "--seed-file", str(seed_file)]
        return CliRunner().invoke(create_app(), ["dead-letters", *arguments, *options])

    def test_it_lists_and_replays(self, guarded: NatsServer, keys: Path, letters: None) -> None:
        operations = keys / f"{OPERATIONS}.nk"
        listed = self.run(guarded, operations, "list").output
        assert "jobs.solve.abay" in listed
        assert "no such site" in listed
        assert listed.endswith("2 dead letters\n")
        replayed = self.run(guarded, operations, "replay", "1")
        assert (replayed.exit_code, replayed.output) == (0, "letter 1 sent again to jobs.solve.abay\n")
        rest = self.run(guarded, operations, "replay", "--all")
        assert rest.exit_code == 1
        assert "letter 2: jobs.paint.x is no subject of the registry" in rest.output
        assert self.run(guarded, operations, "list").output.endswith("1 dead letters\n")

    def test_a_number_that_is_none_is_said(self, guarded: NatsServer, keys: Path, letters: None) -> None:
        result = self.run(guarded, keys / f"{OPERATIONS}.nk", "replay", "7")
        assert (result.exit_code, result.output) == (1, "letter 7: there is none\n")

    def test_it_wants_numbers_or_all(self, guarded: NatsServer, keys: Path) -> None:
        for arguments in (["replay"], ["replay", "1", "--all"]):
            result = self.run(guarded, keys / f"{OPERATIONS}.nk", *arguments)
            assert result.exit_code == 2

    def test_without_the_right_key_it_says_so(self, guarded: NatsServer, keys: Path, letters: None) -> None:
        result = self.run(guarded, keys / "plans.nk", "list")
        assert result.exit_code == 1
        assert "may this key" in result.output

    def test_without_a_bus_it_says_so(self, guarded: NatsServer, keys: Path) -> None:
        guarded.stop()
        result = self.run(guarded, keys / f"{OPERATIONS}.nk", "list")
        assert result.exit_code == 1
        assert "is the bus there" in result.output
