"""What the plans service is told beside what all services are."""

from pathlib import Path

from pydantic import Field

from headworks.common.settings import ServiceSettings


class PlansSettings(ServiceSettings):
    """Vendors can connect where both seeds are given; `headworks bus-keys` and deploy/make_secrets.py make them."""

    doorkeeper_seed_file: Path | None = Field(default=None, description="key in the bus' system account")
    vendor_issuer_seed_file: Path | None = Field(default=None, description="key that signs what a vendor may do")
