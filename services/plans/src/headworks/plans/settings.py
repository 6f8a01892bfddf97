"""What the plans service is told beside what all services are."""

from pathlib import Path

from pydantic import Field

from headworks.common.settings import ServiceSettings


class PlansSettings(ServiceSettings):
    """Vendors can connect where both seeds are given; `headworks bus-keys` and deploy/make_secrets.py make them."""

    doorkeeper_seed_file: Path | None = Field(default=None, description="key in the bus' system account")
    vendor_issuer_seed_file: Path | None = Field(default=None, description="key that signs what a vendor may do")
    plan_retention_days: int = Field(default=5 * 365, ge=62, description="plans are kept so long at least")
    approval_retention_days: int | None = Field(
        default=None,
        ge=62,
        description="approvals are kept so long at least after they were decided; as long as plans unless it is given",
    )
    challenger_retention_days: int = Field(
        default=400,
        ge=31,
        description="challengers' plans are kept so long at least, and days so long ago can be scored",
    )
    vendor_intake_retention_days: int = Field(
        default=30, ge=2, description="what vendors sent, as their quota counts it, is kept so long"
    )
