"""What every message is made of: frozen models, aware UTC instants, days, names and ids."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints


def aware_utc(instant: datetime) -> datetime:
    """The same instant in UTC; a naive one is refused, for nobody can say when it is."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; write it as 2026-02-17T08:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{instant.isoformat()} is beyond the years 1 to 9999 in UTC") from error


def iso_day(day: object) -> object:
    """A day as it is; a text must be an ISO date, for seconds since 1970 would be taken as well."""
    if isinstance(day, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise ValueError(f"{day[:40]!r} is no day; write it as 2026-02-17")
    return day


Instant = Annotated[datetime, AfterValidator(aware_utc)]
Day = Annotated[date, BeforeValidator(iso_day)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
"""A name that may stand in a subject: letters, digits, dash and underscore, at most 64."""
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$")]


class Message(BaseModel):
    """The base of everything on the bus."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
