"""Mutual TLS in front of a plain Modbus server, by the standard library alone; and throwaway certificates with Modbus roles."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")


@dataclass(frozen=True)
class Authority:
    """Signs certificates into a folder."""

    folder: Path
    name: str = "ca"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        """Its own certificate."""
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            own = self._signed(self.name, self.key, ca=True, role=None, names=())
            path.write_bytes(own.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(
        self, name: str, *, role: str | bytes | None = None, names: tuple[x509.GeneralName, ...] = ()
    ) -> tuple[Path, Path]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key, ca=False, role=role, names=names)
        certificate_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        return certificate_file, key_file

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        role: str | bytes | None,
        names: tuple[x509.GeneralName, ...],
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if role is not None:
            written = bytes((0x0C, len(role))) + role.encode() if isinstance(role, str) else role  # a UTF8String
            builder = builder.add_extension(x509.UnrecognizedExtension(ROLE, written), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class TlsFront:
    """What stands before the PLC: asks for a client's certificate, keeps its role, and passes bytes on.

    `split_after`: so many bytes of each reply come in a TLS record of their own, the rest in another, later one.
    """

    context: ssl.SSLContext
    behind: int
    split_after: int | None = None
    roles: list[str] = field(default_factory=list)
    versions: list[str | None] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["TlsFront"]:
        """Serve until the body is done."""
        serving: set[asyncio.Task[None] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.add(asyncio.current_task())
            self._note(writer)
            plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", self.behind)
            with contextlib.suppress(OSError):
                while request := await reader.read(300):
                    plain_writer.write(request)
                    await self._answer(writer, await plain_reader.read(300))
            for each in (plain_writer, writer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()
            await asyncio.gather(*(task for task in serving if task is not None))

    async def _answer(self, writer: asyncio.StreamWriter, reply: bytes) -> None:
        cut = len(reply) if self.split_after is None else self.split_after
        for part in (reply[:cut], reply[cut:]):
            if part:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.02 if cut < len(reply) else 0)  # this device takes its time between two records

    def _note(self, writer: asyncio.StreamWriter) -> None:
        secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
        role = certificate.extensions.get_extension_for_oid(ROLE).value
        self.roles.append(role.public_bytes()[2:].decode())
        self.versions.append(secured.version())


def server_context(authority: Authority, certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """A server that lets in only who has a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


LOOPBACK: tuple[x509.GeneralName, ...] = (x509.IPAddress(IPv4Address("127.0.0.1")),)
