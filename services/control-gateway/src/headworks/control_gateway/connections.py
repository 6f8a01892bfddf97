"""How a PLC is reached: where it listens, and over Modbus/TCP Security with whose keys.

Modbus/TCP Security (MODBUS/TCP Security Protocol Specification v2.1) is MBAP over mutual TLS 1.2 or later on port 802. The
client's role stands in its certificate, in the extension 1.3.6.1.4.1.50316.802.1 as a UTF8String; the PLC decides by it.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat import asn1

from headworks.control_gateway.plc import Plc
from headworks.control_gateway.settings import GatewaySettings
from headworks.control_gateway.site_points import PlcPoints

log = structlog.get_logger(__name__)
ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
TELL_BEFORE = timedelta(days=30)


def plc_of(points: PlcPoints, settings: GatewaySettings) -> Plc:
    """The port to a PLC, not yet connected. Raises ValueError naming the setting that is missing or wrong."""
    tls = tls_context(points, settings) if points.transport == "tls" else None
    return Plc(points, *settings.plc_address(points.plc), tls)


def refuse_shared(plcs: Mapping[str, Plc]) -> None:
    """Refuse two PLCs behind one host and port: each is asked by a task of its own, and devices behind one address take turns.

    Raises ValueError naming the setting.
    """
    taken: dict[tuple[str, int], str] = {}
    for name, plc in plcs.items():
        other, (host, port) = taken.setdefault(plc.address, name), plc.address
        if other != name:
            raise ValueError(
                f"HEADWORKS_PLC_ADDRESSES: {name}='{host}:{port}' must be another host and port than that of {other}: write "
                "devices behind one address as one of `plcs`, with a unit_id at their points"
            )


def tls_context(points: PlcPoints, settings: GatewaySettings) -> ssl.SSLContext:
    """Our certificate with its role, and whom we take a PLC's certificate from. Raises ValueError naming the setting."""
    ca = _file(settings.plc_ca_file, "PLC_CA_FILE", points)
    certificate = _file(settings.plc_certificate_file, "PLC_CERTIFICATE_FILE", points)
    key = _file(settings.plc_key_file, "PLC_KEY_FILE", points)
    _check_certificate(points, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it asks for a certificate, and for the name in it
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"HEADWORKS_PLC_CA_FILE={ca}: {error}; it must hold certificates as PEM") from error
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(
            f"HEADWORKS_PLC_KEY_FILE={key}: {error}; it must be the key of {certificate} as PEM"
        ) from error
    return context


def _file(path: Path | None, name: str, points: PlcPoints) -> Path:
    if path is None or not path.is_file():
        state = " is missing" if path is None else f"={path} is no file"
        raise ValueError(f"HEADWORKS_{name}{state}; PLC {points.plc!r} has transport: tls, which needs it")
    return path


def _check_certificate(points: PlcPoints, path: Path) -> None:
    at = f"HEADWORKS_PLC_CERTIFICATE_FILE={path}"
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{at} cannot be read; it must be a certificate as PEM") from error
    role = role_in(certificate)
    if role is None:
        raise ValueError(f"{at} has no role; it must be a UTF8String in the extension {ROLE.dotted_string}")
    if points.role not in {None, role}:
        raise ValueError(f"{at} has the role {role!r}; PLC {points.plc!r} needs role={points.role!r}")
    if certificate.not_valid_after_utc - datetime.now(UTC) < TELL_BEFORE:
        log.error(
            "the certificate for PLCs ends soon", file=path.name, ends=certificate.not_valid_after_utc.isoformat()
        )


def role_in(certificate: x509.Certificate) -> str | None:
    """The Modbus role that a certificate gives its holder."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ROLE).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(extension, x509.UnrecognizedExtension):
        return None
    try:
        return asn1.decode_der(str, extension.value)
    except ValueError:
        return None
