"""CAISO's awards over SOAP: the request signed with the client's certificate, the reply in either coding, its hash checked."""

import base64
import binascii
import gzip
import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from pathlib import Path

import httpx
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from headworks.common.messages import AwardInterval
from headworks.ingest.sources.fault import SourceFault

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
X509_V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
CAISO_HEADER = "http://www.caiso.com/soa/2006-09-30/CAISOWSHeader.xsd"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
SERVICE = "RetrieveMarketAwards_CMRIv4_AP"
NO_DATA = "FMWK0008"
MAX_REPLY_BYTES = 64 << 20
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


@dataclass(frozen=True, slots=True)
class NotPublished:
    """CAISO has no data for the trade date yet. That is no error."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and how: the certificate, its key, and the request that CAISO expects."""

    http: httpx.AsyncClient
    certificate_pem: bytes
    key_pem: bytes
    soap_action: str
    request_body: str

    @classmethod
    def from_files(
        cls, http: httpx.AsyncClient, certificate: Path, key: Path, soap_action: str, request_body: str
    ) -> "Client":
        """Read the certificate and key."""
        return cls(http, certificate.read_bytes(), key.read_bytes(), soap_action, request_body)


async def fetch_awards(
    client: Client, trade_date: date, resource: str, product: str
) -> tuple[AwardInterval, ...] | NotPublished:
    """The cleared day-ahead award of a resource and product by hour. Raises SourceFault."""
    envelope = signed_request(client, trade_date)
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{client.soap_action}"'}
    try:
        response = await client.http.post(f"/sst/runtime.asvc/{SERVICE}", content=envelope, headers=headers)
    except httpx.HTTPError as error:
        raise SourceFault(f"CAISO does not answer: {error!r}") from error
    if response.status_code == 403:
        raise SourceFault("CAISO answered 403: the certificate has no access")
    payload = payload_of(response.status_code, response.headers.get("content-type", ""), response.content)
    if isinstance(payload, NotPublished):
        return payload
    intervals = tuple(parse_awards(payload, resource, product))
    if not intervals:
        raise SourceFault(f"the award file of {trade_date} has no {product} CLEARED record of {resource}")
    return intervals


def signed_request(client: Client, trade_date: date) -> bytes:
    """The SOAP envelope with Body, token and CAISO header signed (exclusive c14n, RSA-SHA256)."""
    body = client.request_body.format(trade_date=trade_date.isoformat())
    ids = {name: f"{name}-{uuid.uuid4().hex}" for name in ("body", "token", "header")}
    envelope = etree.fromstring(
        f'<soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"><soapenv:Header>'
        f'<wsse:Security soapenv:mustUnderstand="1"><wsse:BinarySecurityToken wsu:Id="{ids["token"]}" '
        f'ValueType="{X509_V3}" EncodingType="{BASE64}">{_certificate_body(client.certificate_pem)}'
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


def _certificate_body(pem: bytes) -> str:
    found = re.search(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    if found is None:
        raise SourceFault("the CAISO certificate file holds no PEM certificate")
    return b"".join(found.group(1).split()).decode()


def payload_of(status: int, content_type: str, content: bytes) -> bytes | NotPublished:
    """The award file that a reply carries, in either coding. Raises SourceFault."""
    if len(content) > MAX_REPLY_BYTES:
        raise SourceFault(f"CAISO's reply of {len(content)} bytes is larger than {MAX_REPLY_BYTES}")
    soap, attachment = _parts(content_type, content)
    try:
        root = etree.fromstring(soap, _PARSER)
    except etree.XMLSyntaxError as error:
        raise SourceFault(f"CAISO answered {status} with what is no XML: {content[:80]!r}") from error
    results = [str(e.text) for e in root.iterfind(".//{*}Event/{*}result")]
    if status != 200:
        texts = [str(e.text) for e in root.iterfind(".//{*}Event/{*}description")]
        raise SourceFault(f"CAISO answered {status}: {'; '.join(texts) or 'no description'}")
    if NO_DATA in results:
        return NotPublished()
    if attachment is not None:
        _check_hash(root, attachment)
        return _decoded(attachment)
    value = root.findtext(".//{*}ISOAttachment/{*}AttachmentValue")
    if value is None:
        raise SourceFault("CAISO's reply carries neither an attachment nor a reason")
    return _decoded(value.encode())


def _parts(content_type: str, content: bytes) -> tuple[bytes, bytes | None]:
    """The SOAP part and the attachment of a multipart reply; a plain reply has no attachment."""
    if not content_type.lower().startswith("multipart/"):
        return content, None
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    if len(parts) != 2 or not all(isinstance(part, bytes) for part in parts):
        raise SourceFault(f"CAISO's multipart reply has {len(parts)} parts; a SOAP part and an attachment are right")
    return bytes(parts[0]), bytes(parts[1]).strip()


def _check_hash(root: etree._Element, attachment: bytes) -> None:
    stated = root.findtext(".//{*}attachmentHash/{*}hashValue")
    computed = base64.b64encode(hashlib.sha1(attachment, usedforsecurity=False).digest()).decode()
    if stated != computed:
        raise SourceFault(f"CAISO's attachment does not match its hash: stated {stated}, computed {computed}")


def _decoded(coded: bytes) -> bytes:
    try:
        return gzip.decompress(base64.b64decode(coded, validate=False))
    except (binascii.Error, OSError, EOFError) as error:
        raise SourceFault(f"CAISO's attachment is no base64 of gzip: {error}") from error


def parse_awards(payload: bytes, resource: str, product: str) -> Iterator[AwardInterval]:
    """The cleared award of a resource and product from an award file, by hour in order. Raises SourceFault."""
    try:
        root = etree.fromstring(payload, _PARSER)
    except etree.XMLSyntaxError as error:
        raise SourceFault(f"the award file is no XML: {error}") from error
    wanted = {"resource": resource, "product": product, "scheduleType": "CLEARED"}
    found: dict[datetime, AwardInterval] = {}
    for record in root.iterfind(".//{*}MarketResultRecord"):
        if all(record.findtext(f"{{*}}{name}") == value for name, value in wanted.items()):
            for element in record.iterfind("{*}TradeIntervalData"):
                interval = _interval(element)
                found[interval.start] = interval
    yield from (found[start] for start in sorted(found))


def _interval(element: etree._Element) -> AwardInterval:
    texts = {name: element.findtext(f"{{*}}{name}") for name in ("intervalStartTime", "intervalEndTime", "MW")}
    try:
        start, end = (
            datetime.fromisoformat(str(texts[name]).replace("-00:00", "+00:00")).astimezone(UTC)
            for name in ("intervalStartTime", "intervalEndTime")
        )
        return AwardInterval(start=start, end=end, power_mw=float(str(texts["MW"])))
    except ValueError as error:
        raise SourceFault(f"an award interval cannot be read: {texts}") from error
