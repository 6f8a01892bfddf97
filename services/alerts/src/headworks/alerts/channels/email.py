"""E-mail over SMTP."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from headworks.alerts.channels.outcome import Delivered, NotDelivered, Outcome


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server and the people behind it."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    start_tls: bool | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    async def send(self, recipient: str, subject: str, text: str) -> Outcome:
        """Hand one mail to the server; delivered is what the server has taken."""
        try:
            _, answer = await aiosmtplib.send(
                self._mail(recipient, subject, text),
                hostname=self.host,
                port=self.port,
                start_tls=self.start_tls,
                username=self.username,
                password=self.password,
                timeout=self.timeout_s,
            )
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return NotDelivered(f"{self.host}:{self.port}: {type(error).__name__}: {error}")
        return Delivered(answer)

    def _mail(self, recipient: str, subject: str, text: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, recipient, subject
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self.sender.partition("@")[2] or None)
        mail.set_content(text)
        return mail
