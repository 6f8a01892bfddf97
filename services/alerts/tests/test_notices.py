"""A notice is sent when the mail server has taken it, and tried again until then; each attempt is kept."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import func, update

from headworks.alerts import tables
from headworks.alerts.channels.email import Email
from headworks.alerts.notices import MAX_ATTEMPTS, NoticeDesk
from headworks.common.database import Database
from headworks.common.embedded.process import free_port

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)


class Server:
    """A real SMTP server that takes mails, or refuses them."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.answer = "250 taken"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append((envelope.original_content or b"").decode())
        return self.answer


@pytest.fixture
def server() -> Iterator[tuple[Server, int]]:
    handler = Server()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def email(port: int, timeout_s: float = 5) -> Email:
    return Email(
        "127.0.0.1", port, "headworks@example.org", ("ann@example.org", "bob@example.org"), timeout_s=timeout_s
    )


async def due_now(database: Database) -> None:
    """Let the waiting of all notices be over."""
    async with database.transaction() as connection:
        await connection.execute(update(tables.notices).values(due_at=func.now()))


async def only(desk: NoticeDesk, recipient: str) -> dict[str, Any]:
    [found] = [notice for notice in await desk.newest(None, 10) if notice["recipient"] == recipient]
    return found


async def test_a_test_notice_reaches_every_recipient(database: Database, server: tuple[Server, int]) -> None:
    desk = NoticeDesk(database, {"email": email(server[1])})
    assert len(await desk.add_test("email", "ann", NOW)) == 2
    assert [await desk.send_next() for _ in range(3)] == [True, True, False]
    assert [f"To: {name}@example.org" in mail for name, mail in zip(("ann", "bob"), server[0].mails, strict=True)]
    notice = await only(desk, "ann@example.org")
    assert notice["status"] == "SENT"
    assert notice["sent_at"] is not None
    assert [(a["delivered"], a["detail"]) for a in notice["attempts"]] == [(True, "taken")]


async def test_a_refused_notice_waits_and_is_tried_again(database: Database, server: tuple[Server, int]) -> None:
    handler, port = server
    handler.answer = "451 busy"
    desk = NoticeDesk(database, {"email": email(port)})
    await desk.add_test("email", "ann", NOW)
    assert [await desk.send_next() for _ in range(3)] == [True, True, False]
    waiting = await only(desk, "ann@example.org")
    assert (waiting["status"], waiting["attempts"][0]["delivered"]) == ("PENDING", False)
    assert "451" in waiting["attempts"][0]["detail"]
    handler.answer = "250 taken"
    await due_now(database)
    assert await desk.send_next()
    assert await desk.send_next()
    sent = await only(desk, "ann@example.org")
    assert (sent["status"], [a["delivered"] for a in sent["attempts"]]) == ("SENT", [False, True])


async def test_no_server_is_not_sent(database: Database) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        desk = NoticeDesk(database, {"email": email(unused.getsockname()[1])})
        await desk.add_test("email", "ann", NOW)
        assert await desk.send_next()
    notice = next(n for n in await desk.newest(None, 10) if n["attempts"])
    assert notice["status"] == "PENDING"
    assert "127.0.0.1" in notice["attempts"][0]["detail"]


async def test_a_server_that_says_nothing_times_out(database: Database) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        desk = NoticeDesk(database, {"email": email(silent.getsockname()[1], timeout_s=0.3)})
        await desk.add_test("email", "ann", NOW)
        assert await desk.send_next()
    notice = next(n for n in await desk.newest(None, 10) if n["attempts"])
    assert "imed out" in notice["attempts"][0]["detail"] or "Timeout" in notice["attempts"][0]["detail"]


async def test_it_is_given_up_only_after_many_attempts_and_then_says_so(
    database: Database, server: tuple[Server, int]
) -> None:
    server[0].answer = "554 never"
    desk = NoticeDesk(database, {"email": email(server[1])})
    await desk.add_test("email", "ann", NOW)
    async with database.transaction() as connection:
        await connection.execute(update(tables.notices).values(attempts=MAX_ATTEMPTS - 1))
    assert await desk.send_next()
    assert sorted(notice["status"] for notice in await desk.newest(None, 10)) == ["FAILED", "PENDING"]


async def test_a_notice_in_hand_is_out_of_others_reach(database: Database, server: tuple[Server, int]) -> None:
    first, second = (NoticeDesk(database, {"email": email(server[1])}) for _ in range(2))
    await first.add_test("email", "ann", NOW)
    taken = [await first._take(), await second._take(), await first._take()]
    assert taken[0] is not None
    assert taken[1] is not None
    assert taken[0].notice_id != taken[1].notice_id
    assert taken[2] is None
