"""An SMTP server that keeps what it is sent."""

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailBox:
    """Accepts every mail, unless a fault is on."""

    def __init__(self, fault: Callable[[], str]) -> None:
        self.mails: list[dict[str, str]] = []
        self._fault = fault

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        if self._fault() == "refuse":
            return "554 Transaction failed: refused for good"
        if self._fault() != "none":
            return "451 Requested action aborted: local error in processing"
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed: Any = message_from_bytes(content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(
            {
                "to": ", ".join(map(str, envelope.rcpt_tos)),
                "subject": str(parsed["Subject"]),
                "text": "\n".join(str(parsed.get_content()).strip().splitlines()),
            }
        )
        return "250 Message accepted for delivery"
