"""CAISO's awards over SOAP: the request signed with the client's certificate, the reply in either coding, its hash checked."""

import base64
import gzip
import hashlib
import io
import ssl
import uuid
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from headworks.common.messages import AwardInterval
from headworks.ingest.sources.asking import Reply, ask
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.sources.xml import parse_xml
from headworks.waterway.timegrid import local_midnight

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
X509_V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
CAISO_HEADER = "http://www.caiso.com/soa/2006-09-30/CAISOWSHeader.xsd"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
PACIFIC = ZoneInfo("America/Los_Angeles")
"""The zone of CAISO's trade dates, whatever the site's own is."""
NO_DATA = "FMWK0008"
MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class NotPublished:
    """CAISO has no data for the trade date yet. That is no error."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and how: the certificate, its key, and the request that CAISO expects."""

    http: httpx.AsyncClient
    certificate_pem: bytes
    key_pem: bytes
    token: str
    path: str
    soap_action: str
    request_body: str

    @classmethod
    def from_files(
        cls, http: httpx.AsyncClient, certificate: Path, key: Path, path: str, soap_action: str, request_body: str
    ) -> "Client":
        """Read the certificate and key. Raises ValueError naming the file that is no PEM, or keys that differ."""
        certificate_pem, key_pem = certificate.read_bytes(), key.read_bytes()
        try:
            known = load_pem_x509_certificate(certificate_pem)
        except ValueError as error:
            raise ValueError(f"{certificate} holds no PEM certificate: {error}") from error
        try:
            private = load_pem_private_key(key_pem, None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{key} holds no PEM private key without a password: {error}") from error
        if private.public_key() != known.public_key():
            raise ValueError(f"{key} is not the key of the certificate {certificate}")
        token = base64.b64encode(known.public_bytes(Encoding.DER)).decode()
        return cls(http, certificate_pem, key_pem, token, path, soap_action, request_body)


def client_context(certificate: Path, key: Path, authorities: Path | None) -> ssl.SSLContext:
    """TLS that shows the client's certificate and trusts `authorities` (the system's without)."""
    context = ssl.create_default_context(cafile=authorities)
    context.load_cert_chain(certificate, key)
    return context


async def fetch_awards(
    client: Client, trade_date: date, resource: str, product: str
) -> tuple[AwardInterval, ...] | NotPublished:
    """The cleared day-ahead award of a resource and product by hour. Raises SourceFault."""
    request = client.http.build_request(
        "POST",
        client.path,
        content=signed_request(client, trade_date),
        headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{client.soap_action}"'},
    )
    document = award_document(await ask(client.http, request, "CAISO"))
    if isinstance(document, NotPublished):
        return document
    intervals = read_awards(document, trade_date, resource, product)
    if not intervals:
        raise SourceFault(f"the award file of {trade_date} has no {product} CLEARED record of {resource}")
    return intervals


def signed_request(client: Client, trade_date: date) -> bytes:
    """The SOAP envelope with Body, token and CAISO header signed (exclusive c14n, RSA-SHA256)."""
    body = client.request_body.replace("{trade_date}", trade_date.isoformat())
    ids = {name: f"{name}-{uuid.uuid4().hex}" for name in ("body", "token", "header")}
    envelope = etree.fromstring(
        f'<soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"><soapenv:Header>'
        f'<wsse:Security soapenv:mustUnderstand="1"><wsse:BinarySecurityToken wsu:Id="{ids["token"]}" '
        f'ValueType="{X509_V3}" EncodingType="{BASE64}">{client.token}'
        f'</wsse:BinarySecurityToken></wsse:Security><c:CAISOWSHeader xmlns:c="{CAISO_HEADER}" wsu:Id="{ids["header"]}">'
        f"<c:CAISOUsernameToken/></c:CAISOWSHeader></soapenv:Header>"
        f'<soapenv:Body wsu:Id="{ids["body"]}">{body}</soapenv:Body></soapenv:Envelope>'
    )
    key_info = etree.fromstring(
        f'<ds:KeyInfo xmlns:ds="{DSIG}" xmlns:wsse="{WSSE}"><wsse:SecurityTokenReference>'
        f'<wsse:Reference URI="#{ids["token"]}" ValueType="{X509_V3}"/></wsse:SecurityTokenReference></ds:KeyInfo>'
    )
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signature = signer.sign(
        envelope,
        key=client.key_pem,
        cert=client.certificate_pem.decode(),
        reference_uri=[f"#{i}" for i in ids.values()],
        key_info=key_info,
        id_attribute="Id",
    )
    security = envelope.find(f".//{{{WSSE}}}Security")
    assert security is not None
    security.append(signature)
    return etree.tostring(envelope)


def award_document(reply: Reply) -> etree._Element | NotPublished:
    """The award file that a reply carries, in either coding. Raises SourceFault."""
    if reply.status in {401, 403}:
        raise SourceFault(f"CAISO answered {reply.status}: the certificate has no access")
    soap, attachment = _parts(reply.content_type, reply.content)
    root = parse_xml(soap, f"CAISO answered {reply.status} with what")
    if _says_no_data(root):
        return NotPublished()
    if reply.status != 200:
        texts = [str(e.text) for e in root.iterfind(".//{*}Event/{*}description")]
        raise SourceFault(f"CAISO answered {reply.status}: {'; '.join(texts) or 'no description'}")
    if attachment is not None:
        _check_hash(root, attachment)
    else:
        attachment = (root.findtext(".//{*}ISOAttachment/{*}AttachmentValue") or "").encode()
    if not attachment:
        raise SourceFault("CAISO's reply carries neither an attachment nor a reason")
    document = parse_xml(_decoded(attachment), "the award file")
    return NotPublished() if _says_no_data(document) else document


def _says_no_data(root: etree._Element) -> bool:
    return any(result.text == NO_DATA for result in root.iterfind(".//{*}Event/{*}result"))


def _parts(content_type: str, content: bytes) -> tuple[bytes, bytes | None]:
    """The SOAP part and the attachment of a multipart reply, as they came on the wire; a plain reply has no attachment."""
    if not content_type.lower().startswith("multipart/"):
        return content, None
    header = content_type.encode("latin-1", errors="replace")
    message = message_from_bytes(b"Content-Type: " + header + b"\r\n\r\n" + content)
    parts = [
        str(part.get_payload()).encode("utf-8", errors="surrogateescape")
        for part in message.walk()
        if not part.is_multipart()
    ]
    if len(parts) not in {1, 2} or message.get_content_maintype() != "multipart":
        raise SourceFault(f"CAISO's multipart reply has {len(parts)} parts; a SOAP part and an attachment are right")
    return parts[0].strip(), parts[1].strip() if len(parts) == 2 else None


def _check_hash(root: etree._Element, attachment: bytes) -> None:
    stated = (root.findtext(".//{*}attachmentHash/{*}hashValue") or "").strip()
    computed = base64.b64encode(hashlib.sha1(attachment, usedforsecurity=False).digest()).decode()
    if stated != computed:
        raise SourceFault(f"CAISO's attachment does not match its hash: stated {stated!r}, computed {computed!r}")


def _decoded(coded: bytes) -> bytes:
    """The file of an attachment: base64 (in lines or not) of gzip, no larger than is sane."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(b"".join(coded.split()), validate=True))) as packed:
            content = packed.read(MAX_FILE_BYTES + 1)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise SourceFault(f"CAISO's attachment is no base64 of gzip: {error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise SourceFault(f"CAISO's award file is larger than {MAX_FILE_BYTES} bytes")
    return content


def read_awards(document: etree._Element, trade_date: date, resource: str, product: str) -> tuple[AwardInterval, ...]:
    """The cleared day-ahead award of a resource and product, by time; empty without a record of it.

    An hour that the file leaves out stays out. Raises SourceFault for what cannot be read or contradicts itself.
    """
    wanted = {
        "marketType": "DAM",
        "executionType": "IFM",
        "resource": resource,
        "product": product,
        "scheduleType": "CLEARED",
    }
    found: dict[datetime, AwardInterval] = {}
    for record in document.iterfind(".//{*}MarketResultRecord"):
        if all(record.findtext(f"{{*}}{name}") == value for name, value in wanted.items()):
            for interval in map(_interval, record.iterfind("{*}TradeIntervalData")):
                if found.setdefault(interval.start, interval) != interval:
                    raise SourceFault(f"the award file gives {interval.start:%Y-%m-%dT%H:%MZ} twice, and not the same")
    intervals = tuple(found[start] for start in sorted(found))
    _check_times(intervals, trade_date)
    return intervals


def _check_times(intervals: tuple[AwardInterval, ...], trade_date: date) -> None:
    """Every interval lies in the Pacific trade date (of 23, 24 or 25 hours), and none overlaps another."""
    end = local_midnight(trade_date, PACIFIC)
    day_end = local_midnight(trade_date + timedelta(days=1), PACIFIC)
    for interval in intervals:
        if not end <= interval.start < interval.end <= day_end:
            span = f"{interval.start:%Y-%m-%dT%H:%MZ} to {interval.end:%Y-%m-%dT%H:%MZ}"
            raise SourceFault(
                f"the award file of {trade_date} holds {span}; what follows {end:%Y-%m-%dT%H:%MZ} "
                f"and ends by {day_end:%Y-%m-%dT%H:%MZ} is right"
            )
        end = interval.end


def _interval(element: etree._Element) -> AwardInterval:
    texts = {name: element.findtext(f"{{*}}{name}") for name in ("intervalStartTime", "intervalEndTime", "MW")}
    try:
        start, end = (datetime.fromisoformat(str(texts[name])) for name in ("intervalStartTime", "intervalEndTime"))
        return AwardInterval(start=start, end=end, power_mw=float(str(texts["MW"])))
    except (ValueError, OverflowError) as error:
        raise SourceFault(f"an award interval cannot be read: {texts}") from error
