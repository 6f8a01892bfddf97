"""Modbus/TCP Security: both sides prove who they are, our role is in our certificate, and a reply in two records is whole."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from counterparts import LibmodbusPlc, points_of
from cryptography import x509
from pymodbus.client import AsyncModbusTlsClient
from pymodbus.exceptions import ModbusException
from tls_front import LOOPBACK, Authority, TlsFront, server_context

from headworks.control_gateway.connections import plc_of, tls_context
from headworks.control_gateway.plc import LinkFault, Plc
from headworks.control_gateway.settings import GatewaySettings

POINTS = {
    "x": {"table": "holding", "address": 10, "type": "uint16", "writable": True},
    "y": {"table": "holding", "address": 11, "type": "float32"},
}
ROLE = "HeadworksOperator"


@dataclass
class Site:
    """An authority, a PLC's TLS front with a certificate of it, and our certificate."""

    authority: Authority
    front: TlsFront
    certificate: tuple[Path, Path]

    def settings(self, **changes: Any) -> GatewaySettings:
        given: dict[str, Any] = {
            "plc_addresses": {"plc": f"127.0.0.1:{self.front.port}"},
            "plc_ca_file": self.authority.file,
            "plc_certificate_file": self.certificate[0],
            "plc_key_file": self.certificate[1],
        }
        return GatewaySettings(**(given | changes))

    def plc(self, settings: GatewaySettings | None = None, **plc: Any) -> Plc:
        return plc_of(points_of(POINTS, transport="tls", **plc), settings or self.settings())


@pytest.fixture
def site(tmp_path: Path, libmodbus_plc: LibmodbusPlc) -> Site:
    authority = Authority(tmp_path)
    context = server_context(authority, authority.issue("plc", names=LOOPBACK))
    return Site(authority, TlsFront(context, libmodbus_plc.port), authority.issue("gateway", role=ROLE))


async def read(plc: Plc) -> int | LinkFault:
    return (await plc.read(plc.points.blocks())).counts(plc.points.points["x"])


async def test_a_plc_is_read_and_written_over_mutual_tls_with_our_role(site: Site, libmodbus_plc: LibmodbusPlc) -> None:
    async with site.front.listening():
        plc = site.plc(role=ROLE)
        libmodbus_plc.set("holding", 10, [7])
        assert await read(plc) == 7
        assert await plc.write(plc.points.writable["x"], 8) is None
        assert await read(plc) == 8
        plc.close()
    assert site.front.roles == [ROLE]
    assert site.front.versions[0] in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("split_after", [1, 6, 7, 8, 9, 10, 12])
async def test_a_reply_in_two_tls_records_is_put_together(
    site: Site, libmodbus_plc: LibmodbusPlc, split_after: int
) -> None:
    site.front.split_after = split_after
    libmodbus_plc.set("holding", 10, [4711])
    async with site.front.listening():
        plc = site.plc()
        assert await read(plc) == 4711
        plc.close()


async def test_the_librarys_own_tls_client_loses_a_reply_in_two_records(
    site: Site, libmodbus_plc: LibmodbusPlc
) -> None:
    """Why the port uses the framer of plain TCP over TLS. When this fails, pymodbus has mended it."""
    libmodbus_plc.set("holding", 10, [4711])
    points = points_of(POINTS, transport="tls")
    async with site.front.listening():
        context = tls_context(points, site.settings())
        client = AsyncModbusTlsClient("127.0.0.1", port=site.front.port, sslctx=context, timeout=2, retries=0)
        assert await client.connect()
        assert (await client.read_holding_registers(10, count=2)).registers == [4711, 0]
        site.front.split_after = 10
        with pytest.raises(ModbusException):
            await client.read_holding_registers(10, count=2)
        client.close()


async def test_a_plc_of_another_authority_is_not_talked_to(site: Site, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    async with site.front.listening():
        plc = site.plc(site.settings(plc_ca_file=other.file))
        fault = await read(plc)
    assert isinstance(fault, LinkFault)
    assert "CERTIFICATE_VERIFY_FAILED" in fault.reason
    assert site.front.roles == []


async def test_a_plc_with_another_name_is_not_talked_to(site: Site) -> None:
    async with site.front.listening():
        fault = await read(site.plc(server_name="plc-7.example"))
    assert isinstance(fault, LinkFault)
    assert "Hostname mismatch" in fault.reason


async def test_a_plc_is_known_by_the_name_in_its_certificate(site: Site, libmodbus_plc: LibmodbusPlc) -> None:
    named = site.authority.issue("named", names=(x509.DNSName("plc-7.example"),))
    front = TlsFront(server_context(site.authority, named), libmodbus_plc.port)
    async with front.listening():
        site.front = front
        plc = site.plc(server_name="plc-7.example")
        assert await read(plc) == 0
        plc.close()


async def test_a_plc_that_does_not_know_us_lets_us_do_nothing(site: Site, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "strangers").issue("stranger", role=ROLE)
    async with site.front.listening():
        plc = site.plc(site.settings(plc_certificate_file=certificate, plc_key_file=key))
        assert isinstance(await read(plc), LinkFault)
        assert isinstance(await plc.write(plc.points.writable["x"], 8), LinkFault)
        plc.close()
    assert site.front.roles == []


async def test_a_plain_plc_is_not_taken_for_a_secured_one(site: Site, libmodbus_plc: LibmodbusPlc) -> None:
    plc = site.plc(site.settings(plc_addresses={"plc": f"127.0.0.1:{libmodbus_plc.port}"}))
    assert isinstance(await read(plc), LinkFault)


def test_no_older_tls_than_1_2_is_spoken_and_every_server_is_asked_who_it_is(site: Site) -> None:
    context = tls_context(points_of(POINTS, transport="tls"), site.settings())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("name", ["plc_ca_file", "plc_certificate_file", "plc_key_file"])
def test_a_missing_file_is_named(site: Site, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^HEADWORKS_{name.upper()} is missing; PLC 'plc' has transport: tls, which"):
        site.plc(site.settings(**{name: None}))
    with pytest.raises(ValueError, match=rf"^HEADWORKS_{name.upper()}=.*nowhere is no file; PLC 'plc'"):
        site.plc(site.settings(**{name: tmp_path / "nowhere"}))
    (tmp_path / "garbage").write_text("garbage")
    with pytest.raises(ValueError, match=rf"^HEADWORKS_{name.upper()}=.*garbage.* must (hold|be)"):
        site.plc(site.settings(**{name: tmp_path / "garbage"}))


@pytest.mark.parametrize(
    ("role", "needed", "message"),
    [
        (None, None, r"has no role; it must be a UTF8String in the extension 1\.3\.6\.1\.4\.1\.50316\.802\.1"),
        (b"\x04\x01x", None, "has no role; it must be a UTF8String"),
        (b"\x0c\x7fx", None, "has no role; it must be a UTF8String"),
        ("Viewer", "Operator", "has the role 'Viewer'; PLC 'plc' needs role='Operator'"),
    ],
)
def test_a_certificate_without_the_role_is_named(
    site: Site, role: str | bytes | None, needed: str | None, message: str
) -> None:
    certificate, key = site.authority.issue("other", role=role)
    with pytest.raises(ValueError, match=f"^HEADWORKS_PLC_CERTIFICATE_FILE=.*{message}"):
        site.plc(site.settings(plc_certificate_file=certificate, plc_key_file=key), role=needed)


def test_keys_go_with_transport_tls_alone(site: Site) -> None:
    context = tls_context(points_of(POINTS, transport="tls"), site.settings())
    with pytest.raises(ValueError, match="transport='tcp' must be 'tls' where, and only where, there are keys"):
        Plc(points_of(POINTS), "127.0.0.1", 1, context)
    with pytest.raises(ValueError, match="transport='tls' must be 'tls' where, and only where, there are keys"):
        Plc(points_of(POINTS, transport="tls"), "127.0.0.1", 1)
