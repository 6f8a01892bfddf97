"""What can be made to go wrong outside: by whom, and how."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, model_validator

Target = Literal["pi", "hydroforecast", "caiso", "entsoe", "plc", "pumps-1", "pumps-2", "smtp", "inflow"]
PLC_FAULTS = frozenset({"down", "restart", "hang", "exception", "refuse", "read_back_differs"})
FAULTS: dict[Target, frozenset[str]] = {
    "pi": frozenset(
        {"down", "garbage", "refuse_auth", "unavailable", "hang", "bad_quality", "io_timeout", "pt_created"}
    ),
    "hydroforecast": frozenset(
        {"down", "garbage", "refuse_auth", "unavailable", "no_data", "no_primary", "stale", "hang"}
    ),
    "caiso": frozenset({"down", "garbage", "refuse_auth", "unavailable", "no_data", "bad_hash", "hang"}),
    "entsoe": frozenset({"down", "garbage", "refuse_auth", "unavailable", "no_data", "hang"}),
    "plc": PLC_FAULTS,
    "pumps-1": PLC_FAULTS,
    "pumps-2": PLC_FAULTS,
    "smtp": frozenset({"down", "refuse", "unavailable"}),
    "inflow": frozenset({"flood"}),
}


class FaultOrder(BaseModel):
    """What shall go wrong, and where; "none" heals it."""

    model_config = ConfigDict(extra="forbid")
    target: Target
    kind: str

    @model_validator(mode="after")
    def _known(self) -> "FaultOrder":
        if self.kind not in {"none", *FAULTS[self.target]}:
            raise ValueError(
                f"kind={self.kind!r} of {self.target} must be none or one of {sorted(FAULTS[self.target])}"
            )
        return self


def healthy() -> dict[str, str]:
    """No fault anywhere."""
    return dict.fromkeys(get_args(Target), "none")
