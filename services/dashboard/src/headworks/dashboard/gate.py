"""The door of the dashboard: sessions become tokens, writes of other origins are refused, every answer is made safe.

A request with a valid session is given the one-minute token of its user, so that the API has one way of asking who calls.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headworks.common.auth import Issuer
from headworks.common.problems import ProblemDetails
from headworks.dashboard.sessions import COOKIE, Sessions

TOKEN_LIFETIME = timedelta(minutes=1)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def same_origin(headers: Headers, public_url: str | None) -> bool:
    """Whether a write comes from our own page: its Origin is where the request went, or the public address."""
    origin = headers.get("origin")
    if not origin:
        return False
    allowed = {urlsplit(url).netloc for url in (public_url, f"//{headers.get('host', '')}") if url}
    return urlsplit(origin).netloc in allowed - {""}


@dataclass
class SessionGate:
    """Middleware: exchanges a session cookie for the user's short-lived token; refuses cookie writes of other origins."""

    app: ASGIApp
    sessions: Sessions
    issuer: Issuer
    public_url: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through as its user, or answer 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        now = datetime.now(UTC)
        cookie = connection.cookies.get(COOKIE)
        session = self.sessions.session_of(cookie, now)
        write = scope["method"] not in SAFE_METHODS
        foreign = connection.headers.get("origin") is not None or session is not None
        if write and foreign and not same_origin(connection.headers, self.public_url):
            await _refused_origin(connection)(scope, receive, send)
            return
        if session is not None:
            token = self.issuer.issue(session.user.name, session.user.role, TOKEN_LIFETIME, now)
            MutableHeaders(scope=scope)["Authorization"] = f"Bearer {token}"
            scope.setdefault("state", {})["session"] = session
        await self.app(scope, receive, send)


@dataclass
class SafeHeaders:
    """Middleware: the browser may load only what is ours, guess no types, and keep no answer of the API."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to whatever is answered."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


def _refused_origin(connection: HTTPConnection) -> JSONResponse:
    origin = connection.headers.get("origin", "none")
    detail = f"Origin is {origin}; orders are taken only from this dashboard's own page"
    body = ProblemDetails(title="Not from this page", status=403, detail=detail).model_dump(mode="json")
    return JSONResponse(body, 403, media_type="application/problem+json")
