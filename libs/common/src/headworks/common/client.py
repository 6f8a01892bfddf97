"""Calls from one service to another's OpenAPI, signed in as a service, with the trace."""

from collections.abc import Generator
from datetime import timedelta

import httpx

from headworks.common.auth import Authenticator, Role
from headworks.common.settings import ServiceSettings
from headworks.common.telemetry import outgoing_headers

UNANSWERED = (httpx.HTTPError, OSError)
"""What a call over HTTP raises without an answer. TLS refused after the handshake is an OSError, which httpx passes on."""
KEEP_ALIVE_S = 2.0
"""Shorter than the 5 s after which uvicorn closes an idle connection: none is used as it closes."""


class ServiceAuth(httpx.Auth):
    """Signs each request with a fresh short-lived token of the built-in issuer, in the service's name."""

    def __init__(self, settings: ServiceSettings, service: str) -> None:
        self._issuer = Authenticator(settings).issuer
        self._service = service

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token and the trace."""
        token = self._issuer.issue(self._service, Role.SERVICE, timedelta(minutes=1))
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers.update(outgoing_headers())
        yield request


def service_client(
    settings: ServiceSettings, service: str, base_url: str, *, timeout_s: float = 5.0
) -> httpx.AsyncClient:
    """An HTTP client for another service's API."""
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_S)
    return httpx.AsyncClient(base_url=base_url, auth=ServiceAuth(settings, service), timeout=timeout_s, limits=limits)
