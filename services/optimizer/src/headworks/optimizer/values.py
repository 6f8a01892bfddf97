"""What cases and answers of every kind of site are made of, and how a solve may end."""

from abc import abstractmethod
from enum import StrEnum
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headworks.waterway.site import explain


class Value(BaseModel):
    """The base of everything here: frozen, no unknown key, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Status(StrEnum):
    """How a solve ended."""

    SOLVED = "SOLVED"
    RELAXED = "RELAXED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Answer(Value):
    """What every solve answers: how it ended, and why. Each kind of site adds its schedule."""

    status: Status
    reason: str = Field(default="", description="why there is no schedule, or why it is not what was asked for")

    @property
    @abstractmethod
    def publishable(self) -> bool:
        """Whether the schedule may be acted on."""

    @property
    @abstractmethod
    def relaxed(self) -> tuple[str, ...]:
        """What had to give way, in words."""

    @property
    @abstractmethod
    def took_s(self) -> float | None:
        """How long build, solve and replay took; None where nothing was solved."""


V = TypeVar("V", bound=Value)


def value_from_text(text: str, kind: type[V]) -> V:
    """A value from JSON or YAML, in SI as its kind names it. Raises ValueError naming each field, its value and what is right."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"neither JSON nor YAML: {error}") from error
    if not isinstance(raw, dict):
        needed = [name for name, field in kind.model_fields.items() if field.is_required()]
        raise ValueError(f"a {kind.__name__} is a mapping with at least the keys {', '.join(needed)}")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ValueError(explain(error)) from error
