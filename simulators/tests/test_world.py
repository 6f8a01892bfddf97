"""The whole outside world on its ports, and the control port that breaks and heals it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymodbus.client import AsyncModbusTcpClient

from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.simulators.faults import FAULTS
from headworks.simulators.world import World, keep_port


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
    monkeypatch.setenv("HEADWORKS_CLOCK_EPOCH", "2026-02-17T14:00:00+00:00")
    ports_file = tmp_path / "ports.json"
    outside = World(
        [sites_folder / "abay.yaml", sites_folder / "blominmaki.yaml"], tmp_path, seed=7, scenario="calm", ports={}
    )
    async with in_background(outside.run(ports_file)):
        await eventually(ports_file.exists)
        ports = json.loads(ports_file.read_text())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['control']}") as control:
            yield Running(ports, control)


async def test_every_part_listens_goes_away_and_comes_back(world: Running) -> None:
    for target in sorted(FAULTS.keys() - {"inflow"}):
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
    assert (await world.control.get("/plants/abay")).json()["setpoint_mw"] == 3.33
    assert (await world.control.get("/plants/abay/writes")).json()["plc"]["100"][-1] == 333
    client.close()


async def test_pumps_run_and_stop_as_their_own_plc_is_told(world: Running) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=world.ports["pumps-2"])
    assert await client.connect()
    for address, counts in ((110, 4880), (112, 1)):
        assert not (await client.write_register(address, counts, device_id=2)).isError()
    pumps = (await world.control.get("/plants/blominmaki")).json()["pumps"]
    assert (pumps["P2_2"]["setpoint_hz"], pumps["P2_2"]["commanded"]) == (48.8, True)
    assert (await world.control.get("/plants/blominmaki/writes")).json()["pumps-2"]["112"] == [0, 1]
    await world.fault("pumps-1", "down")
    assert not (await client.write_register(112, 0, device_id=2)).isError()
    assert not (await world.control.get("/plants/blominmaki")).json()["pumps"]["P2_2"]["commanded"]
    client.close()


async def test_one_pi_serves_both_sites_and_the_station_has_two_weeks_behind_it(world: Running) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.ports['pi']}", auth=("demo", "demo")) as pi:
        for path in (r"\\PISERVER\ABAY\Reservoirs\Afterbay|Elevation", r"\\PISERVER\BLOMINMAKI\Pumps\P2_4|Power"):
            assert (await pi.get("/attributes", params={"path": path})).status_code == 200
        level = (await pi.get("/attributes", params={"path": r"\\PISERVER\BLOMINMAKI\Tunnel|Level"})).json()["WebId"]
        end = datetime.fromisoformat((await world.control.get("/plants/blominmaki")).json()["at"])
        query = {"webId": level, "interval": "15m", "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        query["startTime"] = f"{end - timedelta(days=14):%Y-%m-%dT%H:%M:%SZ}"
        answer = (await pi.get("/streamsets/interpolated", params=query)).json()
    points = answer["Items"][0]["Items"]
    assert len(points) == 100
    assert all(point["Good"] and 0.4 <= point["Value"] < 7.2 for point in points)
    assert "Next" in answer["Links"]


async def test_prices_of_the_day_are_published(world: Running) -> None:
    query = {"documentType": "A44", "in_Domain": "10YFI-1--------U", "out_Domain": "10YFI-1--------U"}
    query |= {"periodStart": "202602170000", "periodEnd": "202602180000", "securityToken": "demo-token"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.ports['entsoe']}") as platform:
        answer = await platform.get("/api", params=query)
    assert answer.status_code == 200
    assert b"price.amount" in answer.content


async def test_a_flood_fills_the_tunnel_until_it_is_healed(world: Running) -> None:
    before = (await world.control.get("/plants/blominmaki")).json()["inflow_m3h"]
    await world.fault("inflow", "flood")
    assert (await world.control.get("/plants/blominmaki")).json()["inflow_m3h"] > before + 50000
    await world.fault("inflow", "none")
    assert (await world.control.get("/plants/blominmaki")).json()["inflow_m3h"] == pytest.approx(before, abs=3000)


async def test_a_site_or_a_plc_that_this_world_has_not_is_not_found(
    sites_folder: Path, tmp_path: Path, world: Running
) -> None:
    assert (await world.control.get("/plants/nowhere")).status_code == 404
    alone = World([sites_folder / "abay.yaml"], tmp_path, seed=7, scenario="calm", ports={})
    transport = httpx.ASGITransport(alone.web["control"].app)
    async with httpx.AsyncClient(transport=transport, base_url="http://alone") as control:
        assert (await control.post("/faults", json={"target": "pumps-1", "kind": "down"})).status_code == 404


def test_a_model_that_nobody_simulates_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "dam.yaml"
    file.write_text("{site: dam, model: dam}")
    with pytest.raises(ValueError, match="model='dam' must be afterbay or pumping_station"):
        World([file], tmp_path, seed=7, scenario="calm", ports={})


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("pi", "bad_hash"),
        ("plc", "garbage"),
        ("smtp", "hang"),
        ("caiso", "stale"),
        ("inflow", "down"),
        ("moon", "down"),
    ],
)
async def test_a_fault_that_a_part_does_not_have_is_refused_and_not_taken_in_silence(
    world: Running, target: str, kind: str
) -> None:
    answer = await world.fault(target, kind)
    assert answer.status_code == 422


def test_a_kept_port_is_given_to_nobody_else_and_a_server_listens_on_it_again_and_again() -> None:
    port = keep_port()
    with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind(("127.0.0.1", port))
    for _again in range(2):
        with socket.create_server(("127.0.0.1", port)) as server:
            socket.create_connection(server.getsockname()).close()
