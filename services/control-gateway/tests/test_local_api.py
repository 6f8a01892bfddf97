"""The local API: e-stop by the command with bus, database, plans and identity provider down; two people's secrets to clear."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_rig import HandClock
from typer.testing import CliRunner

from headworks.common.embedded.process import free_port
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop import Scope
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.e_stop_cli import app
from headworks.control_gateway.journal import Journal
from headworks.control_gateway.local_api import create_local_api, serve_local_api
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.stop_orders import StopOrders


def said(*words: str, given: str | None = None) -> tuple[int, str]:
    """The command's exit code and what it says; `given` is its input."""
    result = CliRunner().invoke(app, list(words), input=given)
    return result.exit_code, result.output


class Desk:
    """A machine with the local API, where each person has a secret."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.board = EStopBoard(folder / "state")
        self.journal = Journal(folder / "state")
        entries = []
        for name, role in (("ann", "operator"), ("bob", "engineer"), ("carl", "engineer"), ("robot", "service")):
            secret, entry = said("new-secret", name, "--role", role)[1].splitlines()
            (folder / name).write_text(secret.partition(": ")[2] + "\n")
            entries.append(json.loads(entry.partition(": ")[2]))
        (folder / "secrets.json").write_text(json.dumps(entries))
        assert (folder / "ann").read_text().strip() not in (folder / "secrets.json").read_text()

    @asynccontextmanager
    async def serving(self, clock: HandClock) -> AsyncIterator[None]:
        settings = GatewaySettings(local_api=self.address, local_secrets_file=self.folder / "secrets.json")
        orders = StopOrders(self.board, {}, Auditor(self.journal, clock))
        async with in_background(serve_local_api(create_local_api(orders, settings), self.address)):
            await eventually(self._answers)
            yield

    async def _answers(self) -> bool:
        return (await self("bob", "state"))[0] == 0

    async def __call__(self, person: str, *words: str) -> tuple[int, str]:
        options = ["--address", self.address, "--secret-file", str(self.folder / person)]
        return await asyncio.to_thread(said, *words, *options)

    def noted(self) -> list[tuple[str, str, str]]:
        bodies = [link.body for link in self.journal.unshipped_links(1000)[0]]
        return [(body["event_type"], body["actor"], body["result"]) for body in bodies]


@pytest.fixture(params=["socket", "port"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, str(tmp_path / "run" / "s") if request.param == "socket" else f"127.0.0.1:{free_port()}")
    async with desk.serving(clock):
        yield desk


async def test_one_presses_one_asks_and_another_confirms(desk: Desk) -> None:
    code, output = await desk("ann", "press", "system", "--reason", "smoke")
    assert (code, "system: stopped by ann" in output, "smoke" in output) == (0, True, True)
    assert desk.board.now.stopped("abay") is not None
    assert await desk("ann", "clear", "system", "--reason", "no smoke") == (
        1,
        "NOT DONE: Not allowed ann has the role operator; this needs the scope 'engineer'\n",
    )
    code, output = await desk("bob", "clear", "system", "--reason", "no smoke")
    assert (code, "a second person, an engineer, must confirm within 10 min: system asked by bob" in output) == (
        0,
        True,
    )
    code, output = await desk("bob", "clear", "system", "--reason", "really")
    assert desk.board.now.stopped("abay") is not None
    code, output = await desk("carl", "clear", "system", "--reason", "seen")
    assert (code, output) == (0, "nothing is stopped\n")
    assert EStopBoard(desk.folder / "state").now.active() == ()
    assert desk.noted() == [
        ("e_stop_pressed", "ann", "success"),
        ("access_refused", "ann", "refused"),
        ("e_stop_clear_requested", "bob", "pending"),
        ("e_stop_clear_requested", "bob", "pending"),
        ("e_stop_cleared", "carl", "success"),
    ]


async def test_a_secret_may_come_by_the_input(desk: Desk) -> None:
    words = ("press", "system", "--reason", "smoke", "--address", desk.address, "--secret-file", "-")
    code, output = await asyncio.to_thread(said, *words, given="another\n")
    assert (code, desk.board.now.active()) == (1, ()), output
    code, output = await asyncio.to_thread(said, *words, given=(desk.folder / "ann").read_text() + "\n")
    assert (code, "system: stopped by ann" in output) == (0, True)


async def test_nobody_gets_in_without_a_secret_of_the_list(desk: Desk) -> None:
    (desk.folder / "eve").write_text("guessed")
    for words in (("press", "system", "--reason", "x"), ("state",)):
        code, output = await desk("eve", *words)
        assert (code, "NOT DONE: Not signed in" in output) == (1, True)
    assert (await desk("robot", "press", "system", "--reason", "smoke"))[0] == 0, "a machine may press"
    code, output = await desk("robot", "clear", "system", "--reason", "x")
    assert (code, "is a service; this is done by hand" in output) == (1, True)
    assert ("access_refused", "unknown", "refused") in desk.noted()


async def test_a_full_disk_stops_no_press_and_every_clearing(desk: Desk) -> None:
    (desk.folder / "state" / "e-stops.part").mkdir()
    code, output = await desk("ann", "press", "system", "--reason", "smoke")
    assert (code, "a restart would forget it" in output) == (0, True)
    assert desk.board.now.stopped("abay") is not None
    code, output = await desk("bob", "clear", "system", "--reason", "x")
    assert (code, "The order cannot be recorded" in output) == (1, True)
    assert ("e_stop_clear_failed", "bob", "failure") in desk.noted()


async def test_what_is_not_there_is_named(desk: Desk) -> None:
    code, output = await desk("ann", "press", "nowhere", "--reason", "x")
    assert (code, "site='nowhere': one of []" in output) == (1, True)


async def test_who_does_not_reach_the_gateway_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ann").write_text("secret")
    for address in (str(tmp_path / "none"), f"127.0.0.1:{free_port()}"):
        options = ("--address", address, "--secret-file", str(tmp_path / "ann"))
        code, output = await asyncio.to_thread(said, "press", "system", "--reason", "smoke", *options)
        assert (code, "is not reached" in output, "Use the plant's own stop" in output) == (2, True, True)


async def test_the_socket_is_for_its_owner_and_group_and_an_old_one_is_replaced(
    tmp_path: Path, clock: HandClock
) -> None:
    desk = Desk(tmp_path, str(tmp_path / "s"))
    for _ in range(2):
        async with desk.serving(clock):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
    desk.board.press(Scope(), "ann", "", clock.now())


async def test_a_token_of_the_identity_provider_opens_nothing_here(desk: Desk) -> None:
    transport = httpx.AsyncHTTPTransport(uds=desk.address) if desk.address.startswith("/") else None
    base = "http://gateway" if transport else f"http://{desk.address}"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        for headers in ({"Authorization": "Bearer x.y.z"}, {}):
            assert (await client.get("/e-stop", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"local_api": "0.0.0.0:8099", "local_secrets_file": "x"}, "must be an absolute path or 127.0.0.1:port"),
        ({"local_api": "relative/path", "local_secrets_file": "x"}, "must be an absolute path or 127.0.0.1:port"),
        ({"local_api": "/run/s"}, "HEADWORKS_LOCAL_SECRETS_FILE is missing"),
    ],
)
def test_a_local_api_that_others_could_reach_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GatewaySettings(**settings)
