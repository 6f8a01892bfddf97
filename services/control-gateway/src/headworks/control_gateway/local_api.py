"""The local API: the emergency stop with bus, database and identity provider down, for who is at the machine.

It listens on a unix socket or on loopback alone. People show secrets of their own, whose hashes lie in a local file that is read
at the start; with two people's secrets an e-stop is also cleared.
"""

import asyncio
import os
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from headworks.common.auth import Authenticator
from headworks.common.refused_requests import RefusedRequests
from headworks.common.service import Server, create_app
from headworks.control_gateway.e_stop_api import add_e_stop_routes
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.stop_orders import StopOrders

LEAVE_S = 2.0


def create_local_api(orders: StopOrders, settings: GatewaySettings) -> FastAPI:
    """The routes of the emergency stop, for the local secrets alone."""
    app = create_app("control gateway, local", "The emergency stop with everything else down.")
    app.middleware("http")(RefusedRequests(orders.auditor.refused_request))
    add_e_stop_routes(app, orders, keys_of_people=True)
    nobody_else = {"jwt_secret_file": None, "jwks_url": None, "api_keys_file": settings.local_secrets_file}
    app.state.authenticator = Authenticator(settings.model_copy(update=nobody_else))
    return app


async def serve_local_api(app: FastAPI, address: str) -> None:
    """Serve for ever; run it as a task."""
    with listening(address) as listener:
        server = Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await asyncio.wait({serving}, timeout=LEAVE_S)


def listening(address: str) -> socket.socket:
    """A socket that only this machine reaches; one of the file system only its owner and group. Raises OSError."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_server((host.strip("[]"), int(port)), family=_family(host))
    path = Path(address)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o117)
    try:
        listener.bind(address)
    finally:
        os.umask(before)
    listener.listen()
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if host.startswith("[") else socket.AF_INET
