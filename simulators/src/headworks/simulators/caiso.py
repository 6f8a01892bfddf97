"""CAISO's CMRI web service over SOAP 1.1: checks the WS-Security signature, answers in either coding, or with no data."""

import base64
import gzip
import hashlib
import uuid
from collections.abc import Callable
from datetime import date, datetime

from cryptography.x509 import Certificate, load_pem_x509_certificate
from fastapi import FastAPI, Request, Response
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from headworks.simulators.awards import award_file, published
from headworks.simulators.web import hang

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
STANDARD_OUTPUT = "http://www.caiso.com/soa/2006-06-13/StandardOutput.xsd"
ATTACHMENT_HASH = "http://www.caiso.com/mrtu/soa/schemas/2005/09/attachmenthash"
ISO_ATTACHMENT = "http://www.caiso.com/soa/2006-06-13/ISOAttachment.xsd"
SIGNED_NAMES = {"Body", "BinarySecurityToken", "CAISOWSHeader"}


def create_caiso(now: Callable[[], datetime], certificate_pem: bytes, fault: Callable[[], str]) -> FastAPI:
    """The service; only requests signed by the known certificate are answered."""
    app = FastAPI(openapi_url=None)
    certificate = load_pem_x509_certificate(certificate_pem)

    @app.post("/sst/runtime.asvc/{service}")
    async def retrieve(service: str, request: Request) -> Response:
        kind = fault()
        if kind == "refuse_auth":
            return Response("Forbidden", 403)
        if kind == "unavailable":
            return Response("Service Unavailable", 503)
        if kind == "hang":
            await hang(request)
        if kind == "garbage":
            return Response(b"<html>maintenance</html>", media_type="text/html")
        try:
            root = etree.fromstring(await request.body(), etree.XMLParser(resolve_entities=False, no_network=True))
            check_signature(root, certificate)
            trade_date = date.fromisoformat(str(root.findtext(".//{*}Body//{*}tradeDate")))
        except (etree.XMLSyntaxError, SignXMLException, ValueError) as error:
            return _fault(f"The request could not be accepted: {error}")
        if kind == "no_data" or not published(trade_date, now()):
            return _soap(_output("FMWK0008", "The request returned no data."))
        content = award_file(trade_date)
        return _doc_attach(content) if "DocAttach" in service else _multipart(content, corrupt=kind == "bad_hash")

    return app


def check_signature(root: etree._Element, certificate: Certificate) -> None:
    """The signature must hold and cover the Body, the token and the CAISO header, of which there is one each."""
    for name in SIGNED_NAMES:
        if len(root.findall(f".//{{*}}{name}")) != 1:
            raise ValueError(f"one {name} is right")
    config = SignatureConfiguration(expect_references=3, location=".//")
    results = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="Id", expect_config=config)
    assert isinstance(results, list)
    covered = {etree.QName(result.signed_xml.tag).localname for result in results if result.signed_xml is not None}
    if covered != SIGNED_NAMES:
        raise ValueError(f"signed are {sorted(covered)}; {sorted(SIGNED_NAMES)} must be")


def _coded(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content)).decode()


def _soap(body: str, status: int = 200) -> Response:
    text = f'<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    return Response(text, status, media_type="text/xml")


def _output(result: str, description: str) -> str:
    return (
        f'<outputDataType xmlns="{STANDARD_OUTPUT}"><EventLog><id>{uuid.uuid4()}</id><Event><result>{result}</result>'
        f"<id>1</id><name>Caiso-SOA-Framework</name><description>{description}</description>"
        "<severity>INFO</severity><eventType>FMWK</eventType></Event></EventLog></outputDataType>"
    )


def _fault(description: str) -> Response:
    detail = _output("FMWK0001", description.replace("<", "").replace("&", ""))
    return _soap(
        "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>refused</faultstring>"
        f"<detail>{detail}</detail></soapenv:Fault>",
        500,
    )


def _doc_attach(content: bytes) -> Response:
    return _soap(
        f'<ISOAttachment xmlns="{ISO_ATTACHMENT}"><AttachmentValue>{_coded(content)}</AttachmentValue></ISOAttachment>'
    )


def _multipart(content: bytes, *, corrupt: bool) -> Response:
    attachment = _coded(content)
    digest = base64.b64encode(hashlib.sha1(attachment.encode(), usedforsecurity=False).digest()).decode()
    if corrupt:
        attachment = "A" + attachment[1:]
    soap = (
        f'<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Header>'
        f'<attachmentHash xmlns="{ATTACHMENT_HASH}"><hashValue>{digest}</hashValue></attachmentHash></soapenv:Header>'
        f"<soapenv:Body>{_output('0', 'Success')}</soapenv:Body></soapenv:Envelope>"
    )
    boundary = f"uuid:{uuid.uuid4()}"
    body = "".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-ID: <{name}>\r\n\r\n{text}\r\n"
        for kind, name, text in (("text/xml", "soap", soap), ("application/octet-stream", "attachment", attachment))
    )
    return Response(
        f"{body}--{boundary}--\r\n", media_type=f'multipart/related; type="text/xml"; boundary="{boundary}"'
    )
