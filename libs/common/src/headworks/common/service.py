"""How a service runs: its API, its ops port and its tasks in one TaskGroup; they live and die together.

A dead consumer is a dead process, not a healthy-looking one. SIGTERM ends the tasks, drains the API and exits.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from headworks.common.auth import Authenticator, authenticated
from headworks.common.logs import configure_logs
from headworks.common.problems import ProblemDetails, install_problem_handlers
from headworks.common.settings import ServiceSettings
from headworks.common.tasks import end
from headworks.common.telemetry import configure_telemetry

log = structlog.get_logger(__name__)
Ready = Callable[[], Awaitable[bool]]
Task = Callable[[], Awaitable[None]]

_ERRORS: dict[int | str, dict[str, object]] = {
    401: {"model": ProblemDetails, "description": "Not signed in"},
    403: {"model": ProblemDetails, "description": "Not allowed"},
    422: {"model": ProblemDetails, "description": "The request is not valid"},
    503: {"model": ProblemDetails, "description": "What it needs is away"},
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}


def create_app(title: str, description: str) -> FastAPI:
    """An API closed by default: every route needs a caller, and errors are problem details."""
    app = FastAPI(
        title=f"Headworks {title}",
        description=description,
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(authenticated)],
        responses=_ERRORS,
    )
    install_problem_handlers(app)
    app.add_api_route("/openapi.json", lambda: openapi_document(app), include_in_schema=False)
    return app


def openapi_document(app: FastAPI) -> dict[str, object]:
    """The app's OpenAPI document. Every error is a problem; what the framework may answer is said with the rest."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path, item in document["paths"].items():
        for operation in item.values():
            _say_errors(path, operation)
    return document


def _say_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "{" in path:
        responses.setdefault("404", {"description": "Nothing has that name"})
    if "requestBody" in operation:
        responses.setdefault("400", {"description": "The body cannot be read"})
    for code, response in responses.items():
        if code >= "400":
            response["content"] = _PROBLEM


def create_ops_app(ready: Mapping[str, Ready]) -> FastAPI:
    """Health, readiness and metrics: the only anonymous routes, on a port of their own."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, bool]:
        checks = {name: await check() for name, check in ready.items()}
        response.status_code = 200 if all(checks.values()) else 503
        return checks

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def prepare(name: str, settings: ServiceSettings) -> None:
    """Logs and traces, before anything else runs."""
    configure_logs(name, settings.log_level)
    configure_telemetry(name, settings.otlp_endpoint)


async def run(
    name: str, settings: ServiceSettings, app: FastAPI, tasks: Mapping[str, Task], ready: Mapping[str, Ready]
) -> None:
    """Serve until SIGTERM or SIGINT. Raises what a task raised, so that the process ends when one dies."""
    app.state.authenticator = Authenticator(settings)
    FastAPIInstrumentor.instrument_app(app)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = [
        _server(app, settings.http_host, settings.http_port),
        _server(create_ops_app(ready), settings.http_host, settings.ops_port),
    ]
    async with asyncio.TaskGroup() as group:
        serving = [group.create_task(server.serve()) for server in servers]
        working = [group.create_task(_until_it_ends(task_name, task)) for task_name, task in tasks.items()]
        log.info("service started", http_port=settings.http_port, ops_port=settings.ops_port)
        stopping = group.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for server in servers:
                server.should_exit = True
            stopping.cancel()
            await end(*working)
    log.info("service stopped", service=name)


async def _until_it_ends(name: str, task: Task) -> None:
    await task()
    raise RuntimeError(f"task {name} ended by itself; the service ends with it")


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: this runner has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    return Server(
        uvicorn.Config(
            app, host=host, port=port, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3
        )
    )


Authenticated = Annotated[object, Depends(authenticated)]
