"""A source that refuses the caller's certificate: TLS 1.3 says so after the handshake, at the first read."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import cast

import httpx
import pytest

from headworks.ingest.sources.asking import ask
from headworks.ingest.sources.fault import Unreachable
from headworks.simulators.certificates import make_server_certificate


class Refusing:
    """A server that wants a client's certificate. It sends its alert and then waits for the client to leave, as nginx does."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
        self._context.load_cert_chain(certificate, key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.refused = 0
        self.served: list[asyncio.Task[None]] = []

    async def on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One handshake, the alert with which it ends, and then nothing."""
        self.served.append(cast("asyncio.Task[None]", asyncio.current_task()))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(ConnectionError):  # however the client leaves
            while data := await reader.read(65536):
                incoming.write(data)
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    self.refused += 1
                writer.write(outgoing.read())
        writer.close()


async def test_a_source_that_refuses_our_certificate_is_a_fault_by_its_name(tmp_path: Path) -> None:
    certificate, key = make_server_certificate(tmp_path)
    refusing = Refusing(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        await asyncio.start_server(refusing.on_client, "127.0.0.1", 0) as server,
        httpx.AsyncClient(verify=trusting, timeout=10) as client,
    ):
        request = client.build_request("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(Unreachable, match=r"CAISO does not answer: SSLError.*certificate"):
            await ask(client, request, "CAISO")
    await asyncio.gather(*refusing.served)
    assert refusing.refused > 0
