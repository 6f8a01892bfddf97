"""What a person or a system may order: a run, or what an edited schedule would lead to."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from headworks.common.messages import Name, Override

Setpoints = Annotated[
    list[Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]], Field(min_length=1, max_length=744)
]


class RunOrder(BaseModel):
    """A run that a person or a system asks for."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)
    overrides: tuple[Override, ...] = Field(default=(), max_length=2000)
    publish: bool = Field(default=True, strict=True, description="submit the plan; false for a trial")


class EditedSchedule(BaseModel):
    """A schedule as a person has edited it: what its kind of site is told in each step of the run."""

    model_config = ConfigDict(extra="forbid")
    run_id: str
    setpoint_mw: Setpoints | None = Field(default=None, description="of an afterbay, one an hour")
    frequency_hz: dict[Name, Setpoints] | None = Field(
        default=None,
        max_length=100,
        description="of a pumping station, one a step for each pump by its resource; 0 is off",
    )
