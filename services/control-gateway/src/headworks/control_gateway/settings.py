"""What the gateway is told besides what all services are."""

import re
import socket
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from headworks.common.settings import ServiceSettings

NAME = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,49}$"


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9_\-]+", "-", socket.gethostname())[:50].strip("-_") or "gateway"


class GatewaySettings(ServiceSettings):
    """Where each PLC listens, by its name in the site file: {"oxph-plc": "127.0.0.1:5020"}."""

    gateway_name: Annotated[str, StringConstraints(pattern=NAME)] = Field(
        default_factory=_host_name,
        description="tells gateways of one site apart; it stays the same over restarts",
    )
    plc_addresses: dict[str, str] = Field(default_factory=dict)

    def plc_address(self, name: str) -> tuple[str, int]:
        """Host and port of a PLC. Raises ValueError when it is not given, or not host:port."""
        text = self.plc_addresses.get(name)
        if text is None:
            raise ValueError(f'HEADWORKS_PLC_ADDRESSES lacks {name!r}; write {{"{name}": "host:502"}}')
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"HEADWORKS_PLC_ADDRESSES: {name}={text!r} must be host:port")
        return host, int(port)

    @property
    def folder(self) -> Path:
        """Where journal, switches and cached plans are kept."""
        return self.state_dir / "control-gateway"
