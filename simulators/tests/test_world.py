"""The whole outside world on its ports, and the control port that breaks and heals it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymodbus.client import AsyncModbusTcpClient

from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.simulators.world import FAULTS, World


@dataclass
class Running:
    """A world that runs: its ports and a client of its control port."""

    ports: dict[str, Any]
    control: httpx.AsyncClient

    async def fault(self, target: str, kind: str) -> httpx.Response:
        return await self.control.post("/faults", json={"target": target, "kind": kind})

    async def listens(self, target: str) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports[target])
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@pytest.fixture
async def world(sites_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    ports_file = tmp_path / "ports.json"
    outside = World(sites_folder / "abay.yaml", tmp_path, seed=7, scenario="calm", ports={})
    async with in_background(outside.run(ports_file)):
        await eventually(ports_file.exists)
        ports = json.loads(ports_file.read_text())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['control']}") as control:
            yield Running(ports, control)


async def test_every_part_listens_goes_away_and_comes_back(world: Running) -> None:
    for target in FAULTS:
        assert await world.listens(target)
        assert (await world.fault(target, "down")).status_code == 200
        assert not await world.listens(target)
        assert (await world.fault(target, "down")).status_code == 200
        assert (await world.fault(target, "none")).json()[target] == "none"
        assert await world.listens(target)


async def test_a_register_written_moves_the_plant(world: Running) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=world.ports["plc"])
    assert await client.connect()
    await client.write_register(100, 333, device_id=1)
    assert (await world.control.get("/plant")).json()["setpoint_mw"] == 3.33
    assert (await world.control.get("/writes")).json()[-1] == 333
    client.close()


@pytest.mark.parametrize(
    ("target", "kind"), [("pi", "bad_hash"), ("plc", "garbage"), ("smtp", "hang"), ("caiso", "stale"), ("moon", "down")]
)
async def test_a_fault_that_a_part_does_not_have_is_refused_and_not_taken_in_silence(
    world: Running, target: str, kind: str
) -> None:
    answer = await world.fault(target, kind)
    assert answer.status_code == 422
