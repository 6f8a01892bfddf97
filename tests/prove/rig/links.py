"""The cable between the gateway and a PLC, which can be cut or go silent while the PLC itself goes on."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping


class Link:
    """Passes bytes on from a port of its own to a PLC's. `break_down` with `hang`: nothing passes; `drop`: nobody gets through.

    What a hung link held is lost when it is whole again, and so are its connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int) -> None:
        self._loop, self._target_port = loop, target_port
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._passes, self._refuses = True, False
        listening = asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more and end what passes."""
        self._server.close()
        self._cut()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    def break_down(self, kind: str) -> None:
        """Begin a fault."""
        assert kind in {"hang", "drop"}, kind
        self._passes, self._refuses = False, kind == "drop"
        if kind == "drop":
            self._loop.call_soon_threadsafe(self._cut)

    def heal(self) -> None:
        """Pass bytes again, for new connections."""
        self._loop.call_soon_threadsafe(self._cut)
        self._passes, self._refuses = True, False

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        if self._refuses:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            plc_reader, plc_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(plc_writer)
        await asyncio.gather(self._pump(reader, plc_writer), self._pump(plc_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                if self._passes:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()
        self._open.discard(writer)


@contextlib.contextmanager
def links_to(ports: Mapping[str, int]) -> Iterator[dict[str, Link]]:
    """A link to each port, by name, on an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="links", daemon=True)
    thread.start()
    links = {name: Link(loop, port) for name, port in ports.items()}
    try:
        yield links
    finally:
        for link in links.values():
            asyncio.run_coroutine_threadsafe(link.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
