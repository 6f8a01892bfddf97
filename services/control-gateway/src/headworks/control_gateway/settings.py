"""What the gateway is told besides what all services are."""

import re
import socket
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from headworks.common.settings import ServiceSettings

_addresses = TypeAdapter(dict[str, str])
NAME = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$"


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9_\-]+", "-", socket.gethostname())[:50].strip("-_") or "gateway"


class GatewaySettings(ServiceSettings):
    """Where each PLC listens, by its name in the site file: {"oxph-plc": "127.0.0.1:5020"}."""

    gateway_name: Annotated[str, StringConstraints(pattern=NAME)] = Field(
        default_factory=_host_name,
        description="tells gateways of one site apart; it stays the same over restarts",
    )
    local_api: str | None = Field(
        default=None,
        description="a unix socket's path, or 127.0.0.1:port: e-stop without bus, database and identity provider",
    )
    local_secrets_file: Path | None = Field(
        default=None, description="hashed secrets of the people who may use the local API, with their roles"
    )
    plc_addresses: dict[str, str] = Field(default_factory=dict)
    plc_addresses_file: Path | None = Field(
        default=None, description="more addresses, as a JSON object; read anew for each PLC that is discovered"
    )
    optimization_monitoring_enabled: bool = Field(
        default=True,
        description="hear of plans; else only those in the cache file are followed, for as long as they hold",
    )
    optimization_refresh_seconds: float = Field(
        default=30, gt=0, allow_inf_nan=False, description="how often all plans are asked for, beside the bus' events"
    )
    auto_discovery_enabled: bool = Field(default=True, description="look for new sites and actuators while running")
    auto_discovery_refresh_minutes: float = Field(default=60, gt=0)
    stations_elsewhere: frozenset[str] = Field(
        default=frozenset(),
        description='stations of other gateways, as a JSON list such as ["abay"]: for these no file here is no finding',
    )
    plc_ca_file: Path | None = Field(default=None, description="who signs the PLCs' certificates (transport: tls)")
    plc_certificate_file: Path | None = Field(
        default=None, description="the gateway's certificate, with its Modbus role"
    )
    plc_key_file: Path | None = Field(default=None, description="the key of that certificate")

    def plc_address(self, name: str) -> tuple[str, int]:
        """Host and port of a PLC. Raises ValueError when it is not given, or not host:port."""
        text = self.plc_addresses.get(name) or self._addresses_in_file().get(name)
        if text is None:
            raise ValueError(f'HEADWORKS_PLC_ADDRESSES lacks {name!r}; write {{"{name}": "host:502"}}')
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"HEADWORKS_PLC_ADDRESSES: {name}={text!r} must be host:port")
        return host, int(port)

    def _addresses_in_file(self) -> dict[str, str]:
        if self.plc_addresses_file is None:
            return {}
        try:
            return _addresses.validate_json(self.plc_addresses_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise ValueError(
                f"HEADWORKS_PLC_ADDRESSES_FILE={self.plc_addresses_file} cannot be read; it must be a JSON object such as "
                f'{{"plc": "host:502"}} ({error})'
            ) from error

    @model_validator(mode="after")
    def _local_api_is_closed(self) -> "GatewaySettings":
        host, _, port = (self.local_api or "").rpartition(":")
        if self.local_api is None or self.local_api.startswith("/"):
            wrong = None
        else:
            wrong = None if host in {"127.0.0.1", "[::1]"} and port.isdigit() else "an absolute path or 127.0.0.1:port"
        if wrong is not None:
            raise ValueError(f"HEADWORKS_LOCAL_API={self.local_api!r} must be {wrong}: nobody else may reach it")
        if self.local_api is not None and self.local_secrets_file is None:
            raise ValueError("HEADWORKS_LOCAL_SECRETS_FILE is missing: the local API lets nobody in without it")
        return self

    @property
    def folder(self) -> Path:
        """Where journal, switches and cached plans are kept."""
        return self.state_dir / "control-gateway"
