"""Who changed what: every write, who asked it from where, and how it ended."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from headworks.common.audit import Whole
from headworks.common.auth import Engineer, Viewer
from headworks.common.messages import Instant, Name
from headworks.plans.audit_store import AuditStore, Wanted, Write
from headworks.plans.etags import TAGGED, tagged
from headworks.plans.paging import PAGED, Cursor, Limit, cursor_after, key_of, next_link
from headworks.plans.parameters import PlanId, Station


class Verification(BaseModel):
    """Whether the chain of the audit is as it was written, and if not, where it breaks first."""

    whole: bool
    links: int | None = Field(default=None, description="how many there are, of a whole chain")
    hash: str | None = Field(default=None, description="that of the last link: kept elsewhere, it shows a cut-off end")
    where: str | None = None
    why: str | None = None


def add_audit_routes(app: FastAPI, audit: AuditStore) -> None:
    """The audit."""

    @app.get("/audit", response_model=list[Write], responses={**PAGED, **TAGGED})
    async def list_writes(
        request: Request,
        _caller: Viewer,
        station: Station | None = None,
        plan_id: PlanId | None = None,
        actor: Annotated[Name | None, Query(description="who asked")] = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: Limit = 200,
        cursor: Cursor = None,
    ) -> Response:
        """Every write, newest first: who, when, from where, what, and how it ended."""
        key = key_of(cursor, int)
        wanted = Wanted(station, plan_id, actor, since, until)
        writes = await audit.writes(wanted, limit + 1, key[0] if key else None)
        more = cursor_after(writes[limit - 1].sequence) if len(writes) > limit else None
        return tagged(request, writes[:limit], next_link(request, more))

    @app.get("/audit/verification")
    async def verify_chain(_caller: Engineer) -> Verification:
        """Whether no entry was changed, taken out or put in."""
        found = await audit.verify()
        if isinstance(found, Whole):
            return Verification(whole=True, links=found.last, hash=found.hash)
        broken: dict[str, Any] = asdict(found)
        return Verification(whole=False, **broken)
