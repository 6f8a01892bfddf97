"""What the alerts are told besides what all services are: the mail server, and who is written to."""

from pathlib import Path

from pydantic import Field

from headworks.common.settings import ServiceSettings


class AlertsSettings(ServiceSettings):
    """The e-mail channel; without `smtp_host` alarms reach browsers alone, and the log says so."""

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_start_tls: bool | None = Field(default=None, description="None: where the server offers it")
    smtp_username: str | None = None
    smtp_password_file: Path | None = None
    smtp_timeout_s: float = Field(default=10, gt=0)
    mail_from: str = "headworks@localhost"
    mail_to: str = Field(default="", description="addresses, parted by commas")
    notice_cooldown_min: float = Field(default=30, ge=0, description="plant minutes between notices of one alarm")
