"""Pages of lists that grow: an opaque cursor says after which entry to go on, so that new entries move none."""

import base64
import json
from typing import Annotated, Any

from fastapi import Query, Request

from headworks.common.problems import FieldProblem, Problem
from headworks.plans.parameters import Responses

Cursor = Annotated[str | None, Query(description="as the link to the next page gives it", max_length=500)]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most")]
PAGED: Responses = {
    200: {"headers": {"Link": {"description": '<…>; rel="next" while there are more', "schema": {"type": "string"}}}}
}


def cursor_after(*key: int | str) -> str:
    """The cursor that goes on after the entry of this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def key_of(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The key that a cursor holds, None for the first page. Answers 422 for what is no cursor of this list."""
    if cursor is None:
        return None
    try:
        key = json.loads(base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if isinstance(key, list) and [type(part) for part in key] == list(kinds) and all(map(_bounded, key)):
            return tuple(key)
    except ValueError:
        pass
    wrong = FieldProblem(
        field="query.cursor", value=cursor[:200], expected="a cursor as the link to the next page gives it"
    )
    raise Problem(422, "The request is not valid", errors=[wrong])


def _bounded(part: int | str) -> bool:
    return isinstance(part, str) or 0 <= part < 2**31


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page; none after the last."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
