"""`headworks points probe`: what a person sees of each point, faults with it, and what the exit code says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import PlcServer
from typer.testing import CliRunner, Result

from headworks.control_gateway.probe_cli import app


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, sites_folder: Path, plc_server: PlcServer) -> None:
    addresses = {"oxph-plc": f"127.0.0.1:{plc_server.port}", "pumps-1": "127.0.0.1:1", "pumps-2": "127.0.0.1:1"}
    monkeypatch.setenv("HEADWORKS_PLC_ADDRESSES", json.dumps(addresses))
    monkeypatch.setenv("HEADWORKS_SITES", str(sites_folder))
    monkeypatch.setenv("COLUMNS", "200")


async def probed(*arguments: str) -> Result:
    """The command, beside the loop that the PLC runs on."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["probe", *arguments])


async def as_json(*arguments: str) -> dict[str, Any]:
    result = await probed("--json", *arguments)
    return {reading["point"]: reading for reading in json.loads(result.stdout)}


async def test_a_well_plc_is_shown_whole(plc_server: PlcServer) -> None:
    result = await probed("--site", "abay", "--plc", "oxph-plc")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    [setpoint] = [line for line in lines if "OXPH.setpoint" in line]
    for part in ("OXPH.setpoint *", "1: holding 100", "uint16", "00C8", " 2 ", "MW", "0.8 … 5.8", "GOOD"):
        assert part in setpoint
    [elevation] = [line for line in lines if "elevation" in line]
    assert "1170" in elevation
    assert plc_server.writes == []


async def test_the_same_comes_as_json() -> None:
    found = await as_json("--plc", "oxph-plc")
    assert found.keys() == {"OXPH.setpoint", "OXPH.readback", "OXPH.actual", "elevation", "heartbeat"}
    assert found["OXPH.readback"] == {
        "plc": "oxph-plc",
        "point": "OXPH.readback",
        "unit_id": 1,
        "table": "holding",
        "address": 101,
        "type": "uint16",
        "order": "ABCD",
        "writable": False,
        "registers": [200],
        "value": 2.0,
        "unit": "MW",
        "minimum": 0.8,
        "maximum": 5.8,
        "quality": "GOOD",
        "reason": "",
    }


async def test_what_a_plc_holds_outside_the_limits_is_suspect(plc_server: PlcServer) -> None:
    plc_server.restart()
    found = await as_json("--plc", "oxph-plc")
    assert (found["OXPH.setpoint"]["quality"], found["OXPH.setpoint"]["reason"]) == ("SUSPECT", "below 0.8")
    assert (await probed("--plc", "oxph-plc")).exit_code == 1


async def test_an_exception_is_shown_at_each_point(plc_server: PlcServer) -> None:
    plc_server.fault = "exception"
    found = await as_json("--plc", "oxph-plc")
    assert all(r["quality"] == "BAD" and "exception" in r["reason"] for r in found.values())


async def test_a_plc_that_does_not_answer_is_told_and_the_others_are_shown() -> None:
    result = await probed()
    assert result.exit_code == 3
    assert "cannot connect to 127.0.0.1:1" in result.stdout
    assert "00C8" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--site", "nowhere"), "--site='nowhere' must be one of ['abay', 'blominmaki']"),
        (("--plc", "none"), "--plc='none' must be one of ['oxph-plc', 'pumps-1', 'pumps-2']"),
        (("--site", "abay", "--plc", "pumps-1"), "--plc='pumps-1' must be one of ['oxph-plc']"),
        (("--sites", "/nonexistent"), "HEADWORKS_SITES=/nonexistent holds no site file"),
    ],
)
async def test_what_is_asked_wrong_is_named(arguments: tuple[str, ...], says: str) -> None:
    result = await probed(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


async def test_a_plc_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_PLC_ADDRESSES", "{}")
    result = await probed("--plc", "oxph-plc")
    assert result.exit_code == 2
    assert "HEADWORKS_PLC_ADDRESSES lacks 'oxph-plc'" in result.stderr
