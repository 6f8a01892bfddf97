"""The route by which others have noted in the gateway's chain what it does not do itself: backups, and care of the audit."""

from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict

from headworks.common.audit import Category, Result
from headworks.common.auth import Operator
from headworks.common.messages import Name
from headworks.common.problems import Problem
from headworks.common.refused_requests import where_of
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.text import Text


class Noted(BaseModel):
    """What was done beside the services, such as a backup, to what, and how it ended."""

    model_config = ConfigDict(extra="forbid")
    category: Literal["backup_and_restore", "audit_log"]
    event_type: Name
    result: Literal["success", "failure"]
    subject: Text
    reason: Text


def add_audit_routes(app: FastAPI, auditor: Auditor) -> None:
    """The route that notes."""

    @app.post("/audit/events", status_code=201, responses={503: {"description": "The event cannot be recorded"}})
    async def note(event: Noted, request: Request, caller: Operator) -> Noted:
        """Note a backup, a restore, or what was done to the audit itself. A backup's script may, by its key."""
        stored = auditor.note(
            Category(event.category),
            event.event_type,
            caller.name,
            result=Result(event.result),
            subject=event.subject,
            reason=event.reason,
            where=where_of(request),
        )
        if not stored:
            raise Problem(503, "The event cannot be recorded", "the gateway's disk refuses; send it again")
        return event
