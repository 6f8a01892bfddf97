"""Orders of the signed-in user, passed on to the service that carries them out, in that user's name and role."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from headworks.common.auth import Caller, Issuer
from headworks.common.client import UNANSWERED
from headworks.common.problems import FieldProblem, Problem
from headworks.common.telemetry import outgoing_headers

TOKEN_LIFETIME = timedelta(minutes=1)


class Orders:
    """Passes orders on. The services decide; their refusals come back as they are."""

    def __init__(self, clients: Mapping[str, httpx.AsyncClient], issuer: Issuer) -> None:
        self._clients, self._issuer = clients, issuer

    async def give(self, caller: Caller, service: str, path: str, body: dict[str, Any]) -> Any:
        """POST the order and give back the answer. Raises Problem: the service's own, or 502 when it does not answer."""
        token = self._issuer.issue(caller.name, caller.role, TOKEN_LIFETIME, datetime.now(UTC))

        def in_the_callers_name(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        try:
            response = await self._clients[service].post(
                path, json=body, headers=outgoing_headers(), auth=in_the_callers_name
            )
        except UNANSWERED as error:
            detail = f"{service} does not answer ({type(error).__name__}); the order may not have been carried out"
            raise Problem(502, f"{service.replace('_', ' ')} does not answer", detail) from error
        if response.is_success:
            return response.json()
        raise _refusal(service, response)


def _refusal(service: str, response: httpx.Response) -> Problem:
    """The service's refusal, told as it told it."""
    try:
        content = response.json()
    except ValueError:
        content = {}
    if not isinstance(content, dict):
        content = {}
    errors = [FieldProblem.model_validate(e) for e in content.get("errors", []) if isinstance(e, dict)]
    status = response.status_code if 400 <= response.status_code < 500 else 502
    title = str(content.get("title") or f"{service.replace('_', ' ')} answered {response.status_code}")
    return Problem(status, title, str(content.get("detail", "")), errors)
