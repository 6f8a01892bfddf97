"""What is around every write by API: it stands in the audit before and after, and is done once for its Idempotency-Key.

Whoever has no access is in the audit too, with reads and writes alike.
"""

import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, assert_never

import structlog
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute

from headworks.common.audit import AuditEvent, Category, Result
from headworks.common.auth import Caller, caller_of
from headworks.common.clock import Clock
from headworks.common.database import Database, DatabaseUnavailable
from headworks.common.problems import FieldProblem, Problem
from headworks.common.refused_requests import WITHOUT_ACCESS, RefusedRequests
from headworks.plans.access_record import AccessRecord
from headworks.plans.audit_store import About, AuditStore
from headworks.plans.idempotency import Answered, IdempotencyKeys, Mine, OtherContent, UnderWay

log = structlog.get_logger(__name__)
KEY = "Idempotency-Key"
KEY_FORM = r"^[!-~]{1,255}$"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LONGEST_BODY = 8192
"""What is kept of a body in the audit; of a longer one its length and hash."""
NOT_KEPT = frozenset({401, 403})
"""Answers about the caller, not the request: they may change, and are given anew."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def idempotency_key(
    key: Annotated[
        str | None,
        Header(alias=KEY, pattern=KEY_FORM, description="any text of your own: sent again, the answer is given again"),
    ] = None,
) -> str | None:
    """The header, for the API's document and its check."""
    return key


@dataclass(frozen=True, slots=True)
class Writes:
    """What the writes of an app go through."""

    audit: AuditStore
    keys: IdempotencyKeys
    clock: Clock
    access: AccessRecord
    real_now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def over(cls, database: Database, clock: Clock) -> "Writes":
        """Both in the plans' schema."""
        audit = AuditStore(database)
        return cls(audit, IdempotencyKeys(database), clock, AccessRecord(audit, clock))

    def install(self, app: FastAPI) -> None:
        """Let every route that is added from now on go through here."""
        app.state.writes = self
        app.middleware("http")(RefusedRequests(self.access.refused_request, WITHOUT_ACCESS))
        app.router.route_class = WriteRoute

    async def answer(self, request: Request, what: str, handler: Handler) -> Response:
        """Do the write that is called so, once for its key."""
        caller, key = await caller_of(request), request.headers.get(KEY)
        if key is None or not re.fullmatch(KEY_FORM, key):
            return await self._recorded(request, what, caller, handler)
        fingerprint = _fingerprint(request, await request.body())
        match await self.keys.claim(caller.name, key, fingerprint, self.real_now()):
            case Mine():
                return await self._once(request, what, caller, key, handler)
            case Answered(status, headers, body):
                return Response(body, status, {**headers, "Idempotency-Replayed": "true"})
            case UnderWay():
                detail = "The same request is being answered; ask again in a moment"
                raise Problem(409, "The request is under way", detail, headers={"Retry-After": "1"})
            case OtherContent():
                wrong = FieldProblem(field=f"header.{KEY}", value=key, expected="a new key: this one had other content")
                raise Problem(422, "The key belongs to another request", errors=[wrong])
            case other:
                assert_never(other)

    async def _once(self, request: Request, what: str, caller: Caller, key: str, handler: Handler) -> Response:
        try:
            response = await self._recorded(request, what, caller, handler)
        except BaseException:
            await self.keys.release(caller.name, key)
            raise
        if response.status_code >= 500 or response.status_code in NOT_KEPT:
            await self.keys.release(caller.name, key)
        else:
            headers = {name: value for name, value in response.headers.items() if name != "content-length"}
            async with _not_undone_by_an_outage():
                await self.keys.keep(caller.name, key, Answered(response.status_code, headers, bytes(response.body)))
        return response

    async def _recorded(self, request: Request, what: str, caller: Caller, handler: Handler) -> Response:
        """The answer, with what was asked and how it ended in the audit."""
        asked, about = await self._asked(request, what, caller)
        await self.audit.append(asked, about, answers=False)
        request.state.in_audit = True
        response = await _answered(request, handler)
        async with _not_undone_by_an_outage():
            await self.audit.append(self._ended(asked, response), about, answers=True)
        return response

    async def _asked(self, request: Request, what: str, caller: Caller) -> tuple[AuditEvent, About]:
        body, path = await request.body(), request.path_params
        address = request.client.host if request.client else "unknown"
        site = _site_of(body)
        plan_id = str(path.get("plan_id", ""))
        about = About(uuid.uuid4().hex, site, int(plan_id) if re.fullmatch(r"\d{1,9}", plan_id) else None)
        details = {
            "method": request.method,
            "path": request.url.path,
            "role": caller.role.value,
            "body": _shown(body),
            **({"key": request.headers[KEY]} if KEY in request.headers else {}),
        }
        event = AuditEvent(
            at=self.clock.now(),
            source=f"plans, asked from {address}",
            category=Category.CONTROL_SYSTEM,
            event_type=what,
            result=Result.PENDING,
            actor=caller.name,
            subject=f"plan {plan_id}" if plan_id else site or "",
            details=details,
        )
        return event, about

    def _ended(self, asked: AuditEvent, response: Response) -> AuditEvent:
        status = response.status_code
        changed = {
            "event_id": uuid.uuid4().hex,
            "at": self.clock.now(),
            "category": _category(status),
            "result": _result(status),
            "details": {"status": status, "answer": _shown(bytes(response.body))},
        }
        return asked.model_copy(update=changed)


class WriteRoute(APIRoute):
    """A route whose writes go through `Writes`; a read passes by."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if UNSAFE & set(options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(idempotency_key)]
            under_way = {409: {"description": "The same request is under way"}}
            options["responses"] = {**under_way, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """The handler, with what is around it."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.method not in UNSAFE:
                return await handler(request)
            writes: Writes = request.app.state.writes
            return await writes.answer(request, self.name, handler)

        return handle


@asynccontextmanager
async def _not_undone_by_an_outage() -> AsyncIterator[None]:
    """What was done is answered so, even if the database went away before that could be noted."""
    try:
        yield
    except DatabaseUnavailable:
        log.exception("a write was done, and its end could not be noted")


async def _answered(request: Request, handler: Handler) -> Response:
    """The answer, one to an error too: what the app answers it with. Raises what it has no answer for."""
    try:
        return await handler(request)
    except Exception as error:
        for kind in type(error).__mro__:
            if answer := request.app.exception_handlers.get(kind):
                response: Response = await answer(request, error)
                return response
        raise


def _fingerprint(request: Request, body: bytes) -> str:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(asked + body).hexdigest()


def _site_of(body: bytes) -> str | None:
    """The site that a body names. It is looked for, not read: whether the body is right is the route's to say."""
    found = re.search(rb'"site"\s*:\s*"([A-Za-z0-9_\-]{1,64})"', body)
    return found.group(1).decode() if found else None


def _shown(body: bytes) -> str | dict[str, int | str]:
    if len(body) <= LONGEST_BODY:
        return body.decode("utf-8", "replace")
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def _category(status: int) -> Category:
    if status in {401, 403}:
        return Category.ACCESS_CONTROL
    return Category.REQUEST_ERROR if 400 <= status < 500 else Category.CONTROL_SYSTEM


def _result(status: int) -> Result:
    if status < 400:
        return Result.SUCCESS
    return Result.REFUSED if status < 500 else Result.FAILURE
