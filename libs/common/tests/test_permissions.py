"""Permissions on a real server: everyone can do all it needs, and nothing else. Vendors: services/plans/tests/vendors."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
import nkeys
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig
from typer.testing import CliRunner

from headworks.common.bus import Bus, Deliver
from headworks.common.cli import create_app
from headworks.common.embedded.nats import NatsServer
from headworks.common.link import BusRefused
from headworks.common.messages import Message
from headworks.common.permissions import (
    CONNECTIONS,
    DOOR,
    DOORKEEPER,
    MIGRATE,
    OPERATIONS,
    VENDOR_ISSUER,
    all_permissions,
    authorization,
    new_seed,
    permissions_of_vendor,
    public_key,
    write_seeds,
)
from headworks.common.subjects import CONTROL_STATE, PLAN_REPLY, SERVICES, SUBJECTS, Subject
from headworks.common.testing import eventually


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def guarded(tmp_path: Path, keys: Path) -> Iterator[NatsServer]:
    """A server with the generated permissions and the registry's streams."""
    server = NatsServer(tmp_path / "nats", authorization=authorization(write_seeds(keys)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def streams(guarded: NatsServer, keys: Path) -> None:
    async with await Bus.connect(guarded.url, MIGRATE, keys / f"{MIGRATE}.nk") as bus:
        await bus.declare_streams()


@asynccontextmanager
async def connected(server: NatsServer, keys: Path, name: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A bare client as anyone would write it, and the errors that the server tells it."""
    errors: list[str] = []

    async def on_error(error: Exception) -> None:
        errors.append(str(error))

    client = await nats.connect(
        server.url,
        nkeys_seed=str(keys / f"{name}.nk"),
        inbox_prefix=f"_INBOX_{name}",
        error_cb=on_error,
        allow_reconnect=False,
    )
    try:
        yield client, errors
    finally:
        await client.close()


def concrete(subject: Subject[Message], party: str) -> str:
    parts = dict.fromkeys(subject.parameters, "abay")
    return subject.at(**parts | ({"publisher": party} if "publisher" in parts else {}))


async def pulled(bus: Bus, subject: Subject[Message], name: str) -> bytes:
    """What a service's own way of consuming gives for a subject."""
    assert subject.stream is not None
    jetstream = bus._jetstream
    pull = await jetstream.pull_subscribe(subject.wildcard, durable=name, stream=subject.stream.name)
    [raw] = await pull.fetch(1, timeout=5)
    await raw.ack_sync()
    return raw.data


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_can_publish_and_consume_what_the_registry_says(
    guarded: NatsServer, keys: Path, streams: None, service: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        buses = {
            name: await stack.enter_async_context(await Bus.connect(guarded.url, name, keys / f"{name}.nk"))
            for name in SERVICES
        }
        for subject in SUBJECTS:
            publisher = next(name for name in subject.publishers if name in SERVICES)
            if service == publisher or service in subject.hearers:
                await buses[publisher].publish_raw(concrete(subject, publisher), b"x", {})
            if service in subject.hearers and not (subject is PLAN_REPLY and service == "optimizer"):
                assert await pulled(buses[service], subject, f"{service}-{subject.message.__name__}") == b"x"
                await buses[service].publish_raw(f"dead.{concrete(subject, service)}", b"x", {})


async def test_a_follower_works_with_permissions(guarded: NatsServer, keys: Path, streams: None) -> None:
    async with (
        await Bus.connect(guarded.url, "control_gateway", keys / "control_gateway.nk") as gateway,
        await Bus.connect(guarded.url, "dashboard", keys / "dashboard.nk") as dashboard,
    ):
        state = {"site": "abay", "at": "2026-02-17T08:00:00Z", "mode": "auto", "e_stop": False, "resources": []}
        await gateway.publish_raw("control.state.abay", json.dumps(state).encode(), {})
        async for message, _ in dashboard.follow(CONTROL_STATE, deliver=Deliver.LAST_PER_SUBJECT, site="abay"):
            assert message.site == "abay"
            break


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_can_publish_nothing_else(guarded: NatsServer, keys: Path, streams: None, service: str) -> None:
    foreign = [subject for subject in SUBJECTS if service not in subject.publishers]
    async with await Bus.connect(guarded.url, service, keys / f"{service}.nk") as bus:
        for subject in foreign:
            with pytest.raises(BusRefused, match="does not let this client publish"):
                await bus.publish_raw(concrete(subject, service), b"x", {})
        with pytest.raises(BusRefused):
            await bus.publish_raw("plans.submit.acme.abay", b"{}", {})


async def test_a_service_makes_no_consumer_on_what_is_not_its_own(
    guarded: NatsServer, keys: Path, streams: None
) -> None:
    """The dashboard hears plans' events, and so has a foot in the stream that keeps the replies to vendors too."""
    async with connected(guarded, keys, "dashboard") as (client, errors):
        jetstream = client.jetstream(timeout=1)
        with pytest.raises(nats.errors.TimeoutError):
            await jetstream.add_consumer("PLAN_EVENTS", ConsumerConfig(name="spy", filter_subject="plans.reply.*.*"))
        with pytest.raises(nats.errors.TimeoutError):
            await jetstream.add_consumer("PLAN_EVENTS", ConsumerConfig(name="spy"))
        with pytest.raises(nats.errors.TimeoutError):
            await jetstream.add_consumer("PLAN_EVENTS", ConsumerConfig(durable_name="spy"))
        assert len(errors) == 3


@pytest.mark.parametrize("lie", [{"filter_subject": "plans.reply.*.*"}, {"filter_subjects": ["plans.reply.*.*"]}])
async def test_a_consumer_s_filter_is_the_one_in_the_subject(
    guarded: NatsServer, keys: Path, streams: None, lie: dict[str, object]
) -> None:
    async with connected(guarded, keys, "dashboard") as (client, _errors):
        asked = {"stream_name": "PLAN_EVENTS", "config": {"name": "spy", "ack_policy": "none", **lie}}
        subject = "$JS.API.CONSUMER.CREATE.PLAN_EVENTS.spy.plans.event.*.*"
        answer = await client.request(subject, json.dumps(asked).encode(), timeout=5)
        assert "error" in json.loads(answer.data)


async def handshake(server: NatsServer, signed_by: str | None) -> bytes:
    """The server's answer to a client that proves itself with a seed, or with nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    nonce = json.loads((await reader.readline()).removeprefix(b"INFO "))["nonce"]
    proof = {}
    if signed_by is not None:
        signature = nkeys.from_seed(signed_by.encode()).sign(nonce.encode())
        proof = {"nkey": public_key(signed_by), "sig": base64.urlsafe_b64encode(signature).rstrip(b"=").decode()}
    writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps({"verbose": False, **proof}).encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer.strip()


async def test_nobody_connects_without_a_known_key(guarded: NatsServer, keys: Path) -> None:
    refused = b"-ERR 'Authorization Violation'"
    assert await handshake(guarded, None) == refused
    assert await handshake(guarded, new_seed()) == refused
    assert await handshake(guarded, (keys / "plans.nk").read_text().strip()) == b"PONG"


async def test_a_service_s_key_is_let_in_while_nobody_is_there_to_ask(guarded: NatsServer, keys: Path) -> None:
    """The door of the vendors is not that of the services: the plans service may be down."""
    for name in all_permissions():
        assert await handshake(guarded, (keys / f"{name}.nk").read_text().strip()) == b"PONG"


@pytest.mark.parametrize("subject", ["$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.x.RELOAD", "plans.submit.acme.abay"])
async def test_the_doorkeeper_sees_who_is_there_and_nothing_else(guarded: NatsServer, keys: Path, subject: str) -> None:
    async with connected(guarded, keys, DOORKEEPER) as (client, errors):
        told = json.loads((await client.request(CONNECTIONS, b'{"auth": true}', timeout=5)).data)
        assert [each["cid"] for each in told["data"]["connections"]] == [client.client_id]
        await client.publish(subject, b"{}")
        await client.flush()
        await eventually(lambda: [e for e in errors if "permissions violation for publish" in e] != [])


@pytest.mark.parametrize("subject", [DOOR, "$SYS.>"])
async def test_only_the_plans_service_answers_at_the_door(guarded: NatsServer, keys: Path, subject: str) -> None:
    async with connected(guarded, keys, "optimizer") as (client, errors):
        await client.subscribe(subject)
        await client.flush()
        await eventually(lambda: [e for e in errors if "permissions violation for subscription" in e] != [])


async def test_only_migrate_declares_streams(guarded: NatsServer, keys: Path, streams: None) -> None:
    for name in ("plans", OPERATIONS):
        async with connected(guarded, keys, name) as (client, errors):
            with pytest.raises(nats.errors.TimeoutError):
                await client.jetstream(timeout=1).add_stream(name="PLAN_EVENTS", subjects=["plans.event.>"])
            assert "permissions violation" in errors[0]


def test_seeds_are_made_once_and_are_secret(keys: Path) -> None:
    first = write_seeds(keys)
    seed_file = keys / "plans.nk"
    assert seed_file.stat().st_mode & 0o777 == 0o600
    assert write_seeds(keys) == first
    assert first["plans"] == public_key(seed_file.read_text().strip())
    assert first["plans"].startswith("U")
    assert first[VENDOR_ISSUER].startswith("A")


@pytest.mark.parametrize(
    "name", ["optimizer", "plans", "migrate", "operations", "*", ">", "a.b", "", "-a", "a b", "x" * 65]
)
def test_a_vendor_cannot_take_a_name_that_is_more_than_a_vendor_s(name: str) -> None:
    with pytest.raises(ValueError, match="must be letters"):
        permissions_of_vendor(name, ["abay"])


def test_a_vendor_is_held_to_its_own_name_and_its_sites() -> None:
    allowed = permissions_of_vendor("acme", ["abay", "blominmaki"])
    assert allowed.publish == ("plans.submit.acme.abay", "plans.submit.acme.blominmaki")
    assert allowed.subscribe == ("_INBOX_acme.>", "plans.reply.acme.abay", "plans.reply.acme.blominmaki")
    assert not allowed.answers
    with pytest.raises(ValueError, match="cannot stand in subject"):
        permissions_of_vendor("acme", ["*"])


def test_the_command_writes_a_config_that_the_server_takes(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    result = CliRunner().invoke(create_app(), ["bus-keys", "--keys", str(keys)])
    assert result.exit_code == 0, result.output
    assert {file.stem for file in keys.iterdir()} == {*SERVICES, MIGRATE, OPERATIONS, DOORKEEPER, VENDOR_ISSUER}
    server = NatsServer(tmp_path / "nats", authorization=result.stdout)
    server.start()
    server.stop()
