"""The CAISO simulator: refuses what is not signed by the client it knows, and answers in both codings."""

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from pathlib import Path

import httpx
import pytest
from cryptography.x509 import load_pem_x509_certificate
from fastapi import FastAPI
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from headworks.simulators.awards import award_file
from headworks.simulators.caiso import SOAP, WSU, create_caiso
from headworks.simulators.certificates import make_client_certificate
from headworks.simulators.web import WebServer

NOW, DAY = datetime(2026, 2, 17, 21, 30, tzinfo=UTC), date(2026, 2, 17)
MULTIPART, DOC_ATTACH = "RetrieveMarketAwards_CMRIv4_AP", "RetrieveMarketAwards_CMRIv4_DocAttach_AP"
PARTS = ("Body", "BinarySecurityToken", "CAISOWSHeader")


@dataclass
class Market:
    """A client of the server, its certificate and key, and what goes wrong there."""

    http: httpx.AsyncClient
    files: tuple[Path, Path]
    fault: str = "none"

    async def post(self, content: bytes, service: str = MULTIPART) -> httpx.Response:
        return await self.http.post(f"/sst/runtime.asvc/{service}", content=content)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_client_certificate(tmp_path_factory.mktemp("client"))


@pytest.fixture
async def market(
    serve: Callable[[FastAPI], Awaitable[WebServer]], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Market]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    app = create_caiso(lambda: NOW, files[0].read_bytes(), lambda: found.fault)
    async with httpx.AsyncClient(base_url=(await serve(app)).url) as http:
        found = Market(http, files)
        yield found


def envelope(day: str = "2026-02-17") -> etree._Element:
    """A request in its plainest form, written apart from Headworks' own."""
    return etree.fromstring(
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:u="{WSU}"><e:Header><Security>'
        '<BinarySecurityToken u:Id="t">x</BinarySecurityToken></Security><CAISOWSHeader u:Id="h"/></e:Header>'
        f'<e:Body u:Id="b"><Request><tradeDate>{day}</tradeDate></Request></e:Body></e:Envelope>'
    )


def signed(files: tuple[Path, Path], root: etree._Element, ids: tuple[str, ...] = ("t", "h", "b")) -> bytes:
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    certificate, key = (file.read_bytes() for file in files)
    references = [f"#{i}" for i in ids]
    signature = signer.sign(root, key=key, cert=certificate.decode(), reference_uri=references, id_attribute="Id")
    security = root.find(".//{*}Security")
    assert security is not None
    security.append(signature)
    return etree.tostring(root)


async def test_a_signed_request_gets_the_file_with_its_hash(market: Market) -> None:
    answer = await market.post(signed(market.files, envelope()))
    assert answer.status_code == 200
    message = message_from_bytes(
        b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.content
    )
    soap, attachment = (str(part.get_payload()).strip() for part in message.walk() if not part.is_multipart())
    stated = etree.fromstring(soap.encode()).findtext(".//{*}attachmentHash/{*}hashValue")
    assert stated == base64.b64encode(hashlib.sha1(attachment.encode()).digest()).decode()
    assert gzip.decompress(base64.b64decode(attachment)) == award_file(DAY)


async def test_the_other_service_attaches_the_file_in_the_body(market: Market) -> None:
    answer = await market.post(signed(market.files, envelope()), DOC_ATTACH)
    value = etree.fromstring(answer.content).findtext(".//{*}ISOAttachment/{*}AttachmentValue")
    assert gzip.decompress(base64.b64decode(str(value))) == award_file(DAY)


async def refused(market: Market, content: bytes) -> str:
    answer = await market.post(content)
    assert answer.status_code == 500
    return str(etree.fromstring(answer.content).findtext(".//{*}Fault/detail//{*}Event/{*}description"))


async def test_what_is_not_signed_or_not_xml_is_refused(market: Market) -> None:
    for content in (etree.tostring(envelope()), b"<a/>", b"", b"hello"):
        assert "could not be accepted" in await refused(market, content)


async def test_what_was_changed_after_signing_is_refused(market: Market) -> None:
    content = signed(market.files, envelope())
    assert "could not be accepted" in await refused(market, content.replace(b"2026-02-17", b"2026-02-16"))


async def test_a_stranger_is_refused(market: Market, tmp_path: Path) -> None:
    stranger = make_client_certificate(tmp_path)
    load_pem_x509_certificate(stranger[0].read_bytes())
    assert "could not be accepted" in await refused(market, signed(stranger, envelope()))


@pytest.mark.parametrize("ids", [("b",), ("t", "h"), ("t", "b"), ("b", "b", "t")])
async def test_body_token_and_header_must_all_be_signed(market: Market, ids: tuple[str, ...]) -> None:
    assert "could not be accepted" in await refused(market, signed(market.files, envelope(), ids))


@pytest.mark.parametrize("part", PARTS)
async def test_a_second_body_token_or_header_beside_the_signed_one_is_refused(market: Market, part: str) -> None:
    root = etree.fromstring(signed(market.files, envelope()))
    etree.SubElement(root, part)
    assert "one " + part in await refused(market, etree.tostring(root))


async def test_no_data_before_publication_is_an_event_and_no_fault(market: Market) -> None:
    answer = await market.post(signed(market.files, envelope("2026-02-19")))
    assert answer.status_code == 200
    root = etree.fromstring(answer.content)
    assert root.findtext(".//{*}Event/{*}result") == "FMWK0008"
    assert root.findtext(".//{*}Event/{*}description") == "The request returned no data."


@pytest.mark.parametrize(("fault", "status"), [("refuse_auth", 403), ("unavailable", 503), ("garbage", 200)])
async def test_faults_of_the_server(market: Market, fault: str, status: int) -> None:
    market.fault = fault
    assert (await market.post(b"")).status_code == status
