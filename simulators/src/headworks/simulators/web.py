"""An HTTP server on a fixed port that can be taken away and brought back; with TLS that wants a client's certificate."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

ASKS_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key, and whom it knows as clients."""

    certificate: Path
    key: Path
    clients: Path


class WebServer:
    """An app on a port."""

    def __init__(self, app: FastAPI, port: int, host: str = "127.0.0.1", tls: Tls | None = None) -> None:
        self.app, self.port, self._host, self._tls = app, port, host, tls
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = _QuietServer(self._config())
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.01)

    def _config(self) -> uvicorn.Config:
        tls = self._tls
        return uvicorn.Config(
            self.app,
            host=self._host,
            port=self.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            ssl_ca_certs=str(tls.clients) if tls else None,
            ssl_cert_reqs=ssl.CERT_REQUIRED if tls else ssl.CERT_NONE,
        )

    async def stop(self) -> None:
        """Close."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            await self._task
            self._server = self._task = None


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def hang(request: Request) -> None:
    """Answer nothing until the client gives up."""
    while not await request.is_disconnected():
        await asyncio.sleep(ASKS_EVERY_S)
