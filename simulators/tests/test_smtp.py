"""The SMTP server: keeps what it is sent, or refuses for now or for good."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from headworks.simulators.smtp import MailBox


@dataclass
class Post:
    """The server's port and mail box, and what goes wrong there."""

    port: int = 0
    fault: str = "none"

    def __post_init__(self) -> None:
        self.box = MailBox(lambda: self.fault)

    async def send(self, subject: str, text: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "headworks@example.org", "operator@example.org", subject
        mail.set_content(text)
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=self.port, start_tls=False)


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    found = Post()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(found.box, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


async def test_a_mail_is_kept_with_its_words(post: Post) -> None:
    await post.send("Afterbay: 1 172,9 ft – höher", "Spill in 20 min.\nSee the plan.")
    assert post.box.mails == [
        {
            "to": "operator@example.org",
            "subject": "Afterbay: 1 172,9 ft – höher",
            "text": "Spill in 20 min.\nSee the plan.",
        }
    ]


@pytest.mark.parametrize(("fault", "code"), [("unavailable", 451), ("refuse", 554)])
async def test_a_refused_mail_is_not_kept_and_says_for_now_or_for_good(post: Post, fault: str, code: int) -> None:
    post.fault = fault
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await post.send("x", "y")
    assert refused.value.code == code
    assert post.box.mails == []
