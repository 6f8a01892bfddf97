"""What many routes take: names of sites and actuators, plan ids, spans, a person's reason."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.messages import Instant, Name
from headworks.common.problems import FieldProblem, Problem

Responses = dict[int | str, dict[str, Any]]
"""What a route may answer besides its success."""
Station = Annotated[Name, Query(description="the site's name")]
Resource = Annotated[Name, Query(description="the actuator's name")]
PlanId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Start = Annotated[Instant, Query(description="the span's first instant")]
End = Annotated[Instant, Query(description="the first instant after the span")]
LONGEST = timedelta(days=366)


class Reason(BaseModel):
    """Why a person changes a plan; it is kept."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)


def check_span(start: datetime, end: datetime) -> None:
    """Answer 422 where a span is empty or too long."""
    if not start < end:
        wrong = FieldProblem(field="query.end", value=end.isoformat(), expected=f"after {start.isoformat()}")
        raise Problem(422, "The request is not valid", errors=[wrong])
    if end - start > LONGEST:
        expected = f"at most {LONGEST.days} days after {start.isoformat()}"
        wrong = FieldProblem(field="query.end", value=end.isoformat(), expected=expected)
        raise Problem(422, "The request is not valid", errors=[wrong])
