"""Two gateways as processes for one PLC; what each sends to it, and when, is recorded between them and it."""

import asyncio
import contextlib
import signal
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import httpx
from gateway_rig import PlcServer, plan_of
from process_rig import Process, token_of

from headworks.common.embedded.process import free_port, tail
from headworks.common.tasks import in_background
from headworks.common.testing import eventually

WRITES = {5, 6, 15, 16, 22, 23}
EPOCH_ADDRESS = 111
SLEEP_S = 0.05


@dataclass(frozen=True)
class Sent:
    """A write as it went over the wire."""

    gateway: str
    at_s: float
    address: int
    value: int


@dataclass
class Wire:
    """A TCP link that can be cut, and that records Modbus writes going to the PLC."""

    name: str
    to_port: int
    sent: list[Sent] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    up: bool = True
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Nothing goes through, and nothing comes back, until `mend`."""
        self.up = False
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self.up = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.up:
            writer.transport.abort()
            return
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, other_writer}
        self._open |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, other_writer, record=True))
                group.create_task(self._forward(other_reader, writer, record=False))
        except* OSError:
            pass
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, record: bool) -> None:
        while data := await reader.read(65536):
            if record:
                self._note(data)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    def _note(self, data: bytes) -> None:
        """Requests of a client that waits for each answer: one a packet."""
        if len(data) >= 12 and data[7] in WRITES:
            address, value = struct.unpack(">HH", data[8:12])
            self.sent.append(Sent(self.name, time.monotonic(), address, value))


@dataclass
class Pair:
    """Gateways a and b, with wires of their own to the PLC and to the bus."""

    folder: Path
    sites: Path
    plc: PlcServer
    nats_port: int
    environment: dict[str, str] = field(default_factory=dict)
    gateways: dict[str, Process] = field(default_factory=dict)
    running: dict[str, "Popen[bytes]"] = field(default_factory=dict)
    wires: dict[str, Wire] = field(default_factory=dict)
    buses: dict[str, Wire] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    _late: list[tuple[float, float]] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @asynccontextmanager
    async def up(self, *, value: float = 5.7, speed: int = 100) -> AsyncIterator["Pair"]:
        """Both run; one leads, and ramps toward the plan."""
        async with self._stack, in_background(self._watch_the_machine()):
            epoch, wall = datetime.now(UTC), datetime.now(UTC).timestamp()
            for name in ("a", "b"):
                self.wires[name] = Wire(name, self.plc.port, self.sent)
                self.buses[name] = Wire(name, self.nats_port)
                for wire in (self.wires[name], self.buses[name]):
                    await wire.start()
                    self._stack.push_async_callback(wire.stop)
                url = f"nats://127.0.0.1:{self.buses[name].port}"
                gateway = Process(self.folder / name, self.sites, self.wires[name].port, url)
                gateway.environment |= {
                    "HEADWORKS_GATEWAY_NAME": name,
                    "HEADWORKS_CLOCK_EPOCH": epoch.isoformat(),
                    "HEADWORKS_CLOCK_WALL_EPOCH": str(wall),
                    "HEADWORKS_CLOCK_SPEED": str(speed),
                    **self.environment,
                }
                plan = plan_of(value, made=epoch, begins=epoch - timedelta(hours=1), ends=epoch + timedelta(hours=20))
                gateway.remember(plan, plan.model_copy(update={"resource_id": "SECOND", "plan_id": plan.plan_id + 1}))
                self.gateways[name] = gateway
            for name in self.gateways:
                self.begin(name)
            await eventually(lambda: len(self.setpoints()) >= 3, timeout_s=120)
            for name in self.gateways:
                await eventually(lambda name=name: self.knows_leader(name), timeout_s=30)
            yield self

    async def _watch_the_machine(self) -> None:
        """Note by how much short sleeps come too late: gateways come as late as this process does."""
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(SLEEP_S)
            self._late.append((begun_s, max(0.0, time.monotonic() - begun_s - 1.2 * SLEEP_S)))

    def late_s(self, since_s: float) -> float:
        """So much time the machine took from this process, as from the others, since an instant."""
        return sum(late_s for begun_s, late_s in self._late if begun_s > since_s)

    def begin(self, name: str) -> None:
        """Start a gateway's process; it ends with the test."""
        context = self.gateways[name].running()
        self.running[name] = self._stack.enter_context(context)
        self._stack.callback(self._wake, self.running[name])

    @staticmethod
    def _wake(process: "Popen[bytes]") -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)

    def signal(self, name: str, number: signal.Signals) -> float:
        """Send a signal; when it was sent."""
        self.running[name].send_signal(number)
        return time.monotonic()

    def setpoints(self, name: str | None = None, after_s: float = 0.0, address: int = 100) -> list[Sent]:
        """What was written of a unit's setpoint, by one gateway or by both."""
        return [s for s in self.sent if s.address == address and name in {None, s.gateway} and s.at_s > after_s]

    @property
    def leader(self) -> str:
        """Who wrote last."""
        return self.setpoints()[-1].gateway

    @property
    def other(self) -> str:
        return "b" if self.leader == "a" else "a"

    async def state(self, name: str) -> dict[str, object]:
        return await self.ask(name, "GET", "/sites/abay/state")

    async def ask(
        self, name: str, method: str, path: str, body: object = None, person: str = "ann"
    ) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {token_of(person)}"}
        url = f"http://127.0.0.1:{self.gateways[name].http_port}{path}"
        async with httpx.AsyncClient(headers=headers, timeout=5) as client:
            answer = await client.request(method, url, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def knows_leader(self, name: str) -> bool:
        """Whether a gateway is up and knows who leads."""
        process = self.running[name]
        assert process.poll() is None, tail(self.gateways[name].folder / "log")
        with contextlib.suppress(httpx.HTTPError):
            return (await self.state(name))["leader"] == self.leader
        return False
