"""The dashboard's OpenAPI: sign in and out, the view of a site, its live news, and orders in the user's own name."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Caller, Issuer, Operator, Viewer
from headworks.common.clock import Clock
from headworks.common.messages import ControlMode, ControlState, Name
from headworks.common.problems import FieldProblem, Problem, ProblemDetails
from headworks.common.service import create_app
from headworks.dashboard import shapes
from headworks.dashboard.answers import AlarmRecord, ApprovalState, Away
from headworks.dashboard.display import control_of
from headworks.dashboard.gate import SafeHeaders, SessionGate
from headworks.dashboard.live import Live
from headworks.dashboard.orders import Orders
from headworks.dashboard.pages import add_pages
from headworks.dashboard.parts import Moment
from headworks.dashboard.services import Services
from headworks.dashboard.sessions import COOKIE, Sessions, SignedIn, TooMany, Wrong
from headworks.dashboard.view import View, view_of
from headworks.waterway.site_file import AnySite

VIEW_LIVES_S = 2.0
AWAY: dict[int | str, dict[str, Any]] = {
    502: {"model": ProblemDetails, "description": "The service that carries it out does not answer"}
}

ALARM_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such alarm"},
    409: {"description": "The alarm's state does not allow it"},
}

APPROVAL_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such approval"},
    409: {"description": "It waits no more, or the rules refuse the plan now"},
}
ApprovalId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_Body):
    """A name and a password. Neither has a rule here, for a refusal would repeat the value."""

    name: str
    password: str = Field(repr=False)


class Reason(_Body):
    """Why; it is kept."""

    reason: str = Field(min_length=1, max_length=250)


class ModeOrder(Reason):
    """Who shall lead."""

    mode: ControlMode


class Comment(_Body):
    """What the operator has to say to an alarm."""

    comment: str | None = Field(default=None, max_length=300)


class Queued(BaseModel):
    """The run that was queued."""

    run_id: str


@dataclass
class Desk:
    """What the routes work with."""

    sites: Mapping[str, AnySite]
    services: Services
    orders: Orders
    live: Live
    sessions: Sessions
    issuer: Issuer
    clock: Clock
    stale_after: timedelta
    public_url: str | None = None
    _views: dict[str, tuple[float, int, View]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def view(self, site: AnySite) -> View:
        """The view; pages that ask at the same moment share one."""
        async with self._locks.setdefault(site.site, asyncio.Lock()):
            kept = self._views.get(site.site)
            told = self.live.told(site.site)
            if kept is not None and kept[1] == told and monotonic() - kept[0] < VIEW_LIVES_S:
                return kept[2]
            now = self.clock.now()
            view = await view_of(site, self.services, Moment(now, self.clock.speed, self.stale_after))
            self._views[site.site] = (monotonic(), told, view)
            return view

    def changed(self, site: str) -> None:
        """An order was carried out: the next view is a new one."""
        self._views.pop(site, None)


def create_api(desk: Desk) -> FastAPI:
    """The API and the page."""
    app = create_app("dashboard", "The operator's page: one view of a site, live, and orders in the user's own name.")
    app.state.desk = desk
    app.add_middleware(SessionGate, sessions=desk.sessions, issuer=desk.issuer, public_url=desk.public_url)
    app.add_middleware(SafeHeaders)
    app.router.routes.extend(_sign_in_routes(desk))
    _add_session(app, desk)
    _add_views(app, desk)
    _add_orders(app, desk)
    _add_approvals(app, desk)
    add_pages(app)
    return app


def _sign_in_routes(desk: Desk) -> list[APIRoute]:
    """The one route that is open to all; so it is not under the app's own dependencies."""
    router = APIRouter()

    @router.post(
        "/session",
        responses={
            401: {"model": ProblemDetails, "description": "Name and password do not belong together"},
            429: {"model": ProblemDetails, "description": "Too many wrong tries"},
        },
    )
    async def sign_in(credentials: Credentials, request: Request, response: Response) -> shapes.Session:
        """Sign in; the answer sets the session's cookie."""
        address = request.client.host if request.client else "unknown"
        outcome = await desk.sessions.sign_in(credentials.name, credentials.password, address, datetime.now(UTC))
        match outcome:
            case TooMany(wait_s=wait_s):
                raise Problem(429, "Too many wrong tries", f"Try again in {wait_s:.0f} s")
            case Wrong():
                raise Problem(401, "Not signed in", "Name and password do not belong together")
            case SignedIn():
                _set_cookie(desk, request, response, outcome)
                return _session(Caller(outcome.user.name, outcome.user.role), outcome.ends_at)

    return [route for route in router.routes if isinstance(route, APIRoute)]


def _set_cookie(desk: Desk, request: Request, response: Response, session: SignedIn) -> None:
    public = desk.public_url or str(request.url)
    response.set_cookie(
        COOKIE,
        desk.sessions.cookie_of(session),
        expires=session.ends_at,
        httponly=True,
        samesite="strict",
        secure=public.startswith("https:"),
        path="/",
    )


def _session(caller: Caller, ends_at: datetime | None) -> shapes.Session:
    return shapes.Session(name=caller.name, role=caller.role, scopes=sorted(caller.scopes), ends_at=ends_at)


def _held(request: Request) -> SignedIn | None:
    """The session that the gate found; None where the caller came with a token or a key."""
    held = getattr(request.state, "session", None)
    return held if isinstance(held, SignedIn) else None


def _add_session(app: FastAPI, desk: Desk) -> None:
    @app.get("/session")
    async def session(request: Request, caller: Viewer) -> shapes.Session:
        """Who is signed in."""
        held = _held(request)
        return _session(caller, held.ends_at if held else None)

    @app.delete("/session", status_code=204)
    async def sign_out(request: Request, response: Response, _caller: Viewer) -> None:
        """Sign out; the session is over at once."""
        held = _held(request)
        if held is not None:
            desk.sessions.sign_out(held, datetime.now(UTC))
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def _known_site(site: Name, request: Request) -> AnySite:
    sites: Mapping[str, AnySite] = request.app.state.desk.sites
    if site not in sites:
        wrong = FieldProblem(field="site", value=site, expected=f"one of {sorted(sites)}")
        raise Problem(404, "No such site", errors=[wrong])
    return sites[site]


KnownSite = Annotated[AnySite, Depends(_known_site)]


def _add_views(app: FastAPI, desk: Desk) -> None:
    @app.get("/sites")
    async def sites(_caller: Viewer) -> list[shapes.SiteName]:
        """The sites of this deployment."""
        return [shapes.SiteName(site=site.site, name=site.name, model=site.model) for site in desk.sites.values()]

    @app.get("/sites/{site}/view", responses={404: {"description": "No such site"}})
    async def view(site: KnownSite, _caller: Viewer) -> View:
        """All that the page shows. A part whose service is away is null and named in `not_known`."""
        return await desk.view(site)

    @app.get("/sites/{site}/live", response_class=EventSourceResponse, responses={404: {"description": "No such site"}})
    async def live(site: KnownSite, request: Request, _caller: Viewer) -> AsyncIterator[shapes.News]:
        """Server-sent events: what is new, as it comes, and a beat every few seconds."""
        held = _held(request)

        def welcome() -> bool:
            if held is None:
                return True
            return desk.sessions.holds(held, datetime.now(UTC))

        async for news in desk.live.news(site.site, welcome):
            yield news


def _add_approvals(app: FastAPI, desk: Desk) -> None:
    async def decide(site: AnySite, approval_id: int, decision: str, body: Reason, caller: Caller) -> shapes.Decided:
        if not caller.is_person:  # the order would go on in a person's form
            raise Problem(
                403, "Not yours to decide", f"{caller.name} is no person: services and API keys approve nothing"
            )
        found = await desk.services.approval(approval_id)
        if isinstance(found, Away):
            raise Problem(502, "plans does not answer", found.reason)
        if found is None or found.site != site.site:
            raise Problem(404, "No such approval", f"approval_id={approval_id} of {site.site}")
        answer = await desk.orders.give(caller, "plans", f"/approvals/{approval_id}/{decision}", body.model_dump())
        desk.changed(site.site)
        return shapes.Decided.model_validate(ApprovalState.model_validate(answer).model_dump())

    @app.post("/sites/{site}/approvals/{approval_id}/approve", responses={**AWAY, **APPROVAL_REFUSED})
    async def approve(site: KnownSite, approval_id: ApprovalId, body: Reason, caller: Viewer) -> shapes.Decided:
        """Let a plan that waits into force. Whose approval counts the site says; plans asks for it."""
        return await decide(site, approval_id, "approve", body, caller)

    @app.post("/sites/{site}/approvals/{approval_id}/reject", responses={**AWAY, **APPROVAL_REFUSED})
    async def reject(site: KnownSite, approval_id: ApprovalId, body: Reason, caller: Viewer) -> shapes.Decided:
        """Refuse a plan that waits; its publisher is told by whom and why."""
        return await decide(site, approval_id, "reject", body, caller)


def _add_orders(app: FastAPI, desk: Desk) -> None:
    @app.post("/sites/{site}/alarms/{alarm}/acknowledge", responses={**AWAY, **ALARM_REFUSED})
    async def acknowledge(site: KnownSite, alarm: Name, body: Comment, caller: Operator) -> shapes.Alarm:
        """Say that a person has seen an alarm."""
        path = f"/sites/{site.site}/alarms/{alarm}/acknowledge"
        answer = await desk.orders.give(caller, "alerts", path, body.model_dump())
        desk.changed(site.site)
        return shapes.Alarm.model_validate(AlarmRecord.model_validate(answer).model_dump())

    async def control(site: AnySite, caller: Caller, order: str, body: BaseModel) -> shapes.Control:
        path = f"/sites/{site.site}/{order}"
        answer = await desk.orders.give(caller, "control_gateway", path, body.model_dump(mode="json"))
        desk.changed(site.site)
        return control_of(ControlState.model_validate(answer))

    @app.post("/sites/{site}/mode", responses={**AWAY})
    async def mode(site: KnownSite, body: ModeOrder, caller: Operator) -> shapes.Control:
        """Put the plan, a person, or nobody in the lead."""
        return await control(site, caller, "mode", body)

    @app.post("/sites/{site}/e-stop", responses={**AWAY})
    async def e_stop(site: KnownSite, body: Reason, caller: Operator) -> shapes.Control:
        """Stop all writes to the site at once."""
        return await control(site, caller, "e-stop", body)

    @app.post("/sites/{site}/e-stop/clear", responses={**AWAY})
    async def clear_e_stop(site: KnownSite, body: Reason, caller: Operator) -> shapes.Control:
        """Ask to allow writes again, or confirm it: the gateway takes it from two engineers only."""
        return await control(site, caller, "e-stop/clear", body)

    @app.post("/sites/{site}/runs", status_code=202, responses={**AWAY})
    async def run_now(site: KnownSite, body: Reason, caller: Operator) -> Queued:
        """Ask for a schedule now."""
        answer = await desk.orders.give(caller, "optimizer", f"/sites/{site.site}/runs", body.model_dump())
        return Queued.model_validate(answer)
