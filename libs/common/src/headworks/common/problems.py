"""Errors of the APIs as RFC 9457 problem details: each names the field, the value and what would be right."""

import math

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, JsonValue
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from headworks.common.database import DatabaseUnavailable, raised_by_driver

log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One wrong field."""

    field: str
    value: JsonValue = None
    expected: str


class ProblemDetails(BaseModel):
    """The body of every error, as application/problem+json."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = Field(default_factory=list)


class Problem(Exception):
    """Raised by a route to answer with a problem."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: list[FieldProblem] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.headers = headers
        self.details = ProblemDetails(title=title, status=status, detail=detail, errors=errors or [])


def _response(details: ProblemDetails, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        details.model_dump(mode="json"),
        details.status,
        headers=headers,
        media_type="application/problem+json",
    )


async def _on_problem(_request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return _response(problem.details, problem.headers)


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    details = ProblemDetails(title=error.detail, status=error.status_code)
    return _response(details, dict(error.headers) if error.headers else None)


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldProblem(field=".".join(map(str, e["loc"])), value=_plain(e.get("input")), expected=e["msg"])
        for e in error.errors()
    ]
    return _response(ProblemDetails(title="The request is not valid", status=422, errors=errors))


async def _on_outage(_request: Request, error: Exception) -> JSONResponse:
    log.warning("a request met what is away", error=repr(error))
    return _response(ProblemDetails(title="What this needs is away", status=503, detail="Try again later"))


async def _on_database_fault(_request: Request, error: Exception) -> JSONResponse:
    """What the database calls bad data, such as a NUL in a text, came from the caller; what may stand there once stands there
    already (409).
    """
    fault = raised_by_driver(error)
    if isinstance(fault, asyncpg.ExclusionViolationError):
        return _response(ProblemDetails(title="It overlaps what is there", status=409, detail=str(fault)))
    if isinstance(fault, asyncpg.DataError):
        details = f"a value cannot be stored: {fault}"
        return _response(ProblemDetails(title="The request is not valid", status=422, detail=details))
    raise error


def _plain(value: object) -> JsonValue:
    """The value as JSON can carry it, cut short; an object is left out rather than echoed whole."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:200] if isinstance(value, str) else None


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app in this form."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    for outage in (DatabaseUnavailable, OSError):
        app.add_exception_handler(outage, _on_outage)
    for fault in (DBAPIError, asyncpg.DataError, asyncpg.ExclusionViolationError):
        app.add_exception_handler(fault, _on_database_fault)
