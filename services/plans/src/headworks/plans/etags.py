"""Strong entity tags (RFC 9110): the same tag for the same bytes, 304 to whoever has them, 412 to whoever would change others."""

import hashlib
import re
from typing import Annotated, Any

from fastapi import Header, Request, Response
from pydantic import TypeAdapter

from headworks.common.messages import Plan
from headworks.common.problems import Problem
from headworks.plans.parameters import Responses

TAGGED: Responses = {304: {"description": "What If-None-Match names is still right"}}
STALE: Responses = {412: {"description": "The plan is not the one that If-Match names"}}
IfMatch = Annotated[
    str | None,
    Header(description="the ETag of the plan as it was read: it is changed only while it is still so", max_length=500),
]
_any: TypeAdapter[Any] = TypeAdapter(Any)


def tag_of(body: bytes) -> str:
    """The tag of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def body_of(content: object) -> bytes:
    """The JSON of models or lists of them."""
    return _any.dump_json(content)


def tagged(request: Request, content: object, headers: dict[str, str] | None = None) -> Response:
    """The content (bytes are JSON already) with its tag, or 304 when the caller has it already."""
    body = content if isinstance(content, bytes) else body_of(content)
    own = {**(headers or {}), "ETag": tag_of(body), "Cache-Control": "private, no-cache"}
    wanted = request.headers.get("If-None-Match")
    if wanted is not None and _names(wanted, own["ETag"], weak=True):
        return Response(status_code=304, headers=own)
    return Response(body, media_type="application/json", headers=own)


def check_match(if_match: str | None, plan: Plan) -> None:
    """Answer 412 when the plan is not as the caller read it."""
    if if_match is not None and not _names(if_match, tag_of(body_of(plan)), weak=False):
        raise changed_meanwhile(plan, if_match)


def changed_meanwhile(plan: Plan, if_match: str | None) -> Problem:
    """What is answered then: 409 to whoever did not say what they had read."""
    status = plan.plan_status.value
    return Problem(
        409 if if_match is None else 412,
        "The plan has changed",
        f"plan_id={plan.plan_id} is {status} now; read it again, then decide",
    )


def _names(header: str, tag: str, *, weak: bool) -> bool:
    """Whether the header's tags hold this one; weakly compared, a mark W/ does not count."""
    if header.strip() == "*":
        return True
    tags = re.findall(r'(?:W/)?"[^"]*"', header)
    return tag in ([each.removeprefix("W/") for each in tags] if weak else tags)
