"""What every service is told by its environment: HEADWORKS_ variables, checked at the start.

What is secret may lie in files instead, named as the variables in lower case, in the folder HEADWORKS_SECRETS_DIR.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """The settings that all services share; each service adds its own in one small subclass."""

    model_config = SettingsConfigDict(env_prefix="HEADWORKS_", frozen=True, extra="ignore")

    def __init__(self, **values: Any) -> None:
        """Read the environment. Raises ValueError naming each wrong variable, its value and what would be right."""
        try:
            super().__init__(_secrets_dir=os.environ.get("HEADWORKS_SECRETS_DIR"), **values)
        except ValidationError as error:
            raise ValueError("; ".join(_variable_fault(fault) for fault in error.errors())) from None

    nats_url: str = "nats://127.0.0.1:4222"
    nats_seed_file: Path | None = None
    database_url: str = Field(default="postgresql+asyncpg://headworks@127.0.0.1:5432/headworks", repr=False)
    sites: Path = Field(default=Path("sites"), description="directory of site files")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    ops_port: int = Field(default=9000, ge=0, le=65535, description="health and metrics")
    state_dir: Path = Path(".headworks")
    log_level: str = "INFO"
    otlp_endpoint: str | None = None

    jwt_secret_file: Path | None = Field(default=None, description="secret of the built-in issuer (HS256)")
    jwks_url: str | None = Field(default=None, description="keys of an outside issuer")
    jwt_issuer: str = "headworks"
    jwt_audience: str = "headworks"
    api_keys_file: Path | None = Field(default=None, description="hashed API keys with their roles")

    outbox_retention_days: int = Field(default=7, ge=1, description="messages are kept so long after they were sent")

    ingest_url: str = "http://127.0.0.1:8001"
    optimizer_url: str = "http://127.0.0.1:8002"
    plans_url: str = "http://127.0.0.1:8003"
    control_gateway_url: str = "http://127.0.0.1:8004"
    alerts_url: str = "http://127.0.0.1:8005"
    dashboard_url: str = "http://127.0.0.1:8006"


def _variable_fault(fault: ErrorDetails) -> str:
    name = "_".join(map(str, fault["loc"])).upper()
    return f"HEADWORKS_{name}={fault['input']!r}: {fault['msg']}"
