"""What the dashboard is told besides what all services are."""

from pathlib import Path

from pydantic import Field

from headworks.common.settings import ServiceSettings


class DashboardSettings(ServiceSettings):
    """Who may sign in, where people reach the page, and when a value on it is old."""

    users_file: Path | None = Field(default=None, description='JSON: [{"name", "role", "argon2"}]')
    session_hours: float = Field(default=12, gt=0, le=72, description="a session ends so long after its sign-in")
    public_url: str | None = Field(
        default=None, description="the address that people use, where a proxy stands before this service: https://…"
    )
    stale_after_s: float = Field(default=1800, gt=0, description="a measured value older than this is shown as stale")
