"""CAISO's awards: the real file, days of 23 and 25 hours, the signature, both codings, and whatever else may come."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from collect_rig import Serve
from cryptography.x509 import load_pem_x509_certificate
from fastapi import FastAPI
from lxml import etree
from signxml.exceptions import SignXMLException

from headworks.common.messages import AwardInterval
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import (
    Client,
    NotPublished,
    client_context,
    fetch_awards,
    read_awards,
    signed_request,
)
from headworks.ingest.sources.fault import SourceFault
from headworks.simulators.awards import award_file
from headworks.simulators.caiso import check_signature, create_caiso
from headworks.simulators.certificates import make_client_certificate, make_server_certificate
from headworks.simulators.web import Tls, WebServer

RESOURCE, DAY, HOUR = "MDFKRL_2_PROJCT", date(2026, 2, 17), timedelta(hours=1)
AFTER_PUBLICATION = datetime(2026, 11, 2, tzinfo=UTC)
SHORT_DAY, LONG_DAY = date(2026, 3, 8), date(2026, 11, 1)
PATIENCE_S = 20.0
"""However busy the machine is. A server that says nothing is waited for half a second."""


@dataclass
class Market:
    """A CAISO on a port, what goes wrong there, and a client of it."""

    server: WebServer
    client: Client
    fault: str = "none"
    now: datetime = AFTER_PUBLICATION

    async def fetch(self, day: date) -> tuple[AwardInterval, ...] | NotPublished:
        return await fetch_awards(self.client, day, RESOURCE, "EN")


def client_of(http: httpx.AsyncClient, files: tuple[Path, Path]) -> Client:
    settings = IngestSettings()
    return Client.from_files(http, *files, settings.caiso_path, settings.caiso_soap_action, settings.caiso_request_body)


@pytest.fixture
async def market(
    serve: Serve, client_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Market]:
    monkeypatch.delenv("HEADWORKS_DATA", raising=False)
    async with opened(serve, client_files) as found:
        yield found


@asynccontextmanager
async def opened(serve: Serve, files: tuple[Path, Path]) -> AsyncIterator[Market]:
    app = create_caiso(lambda: found.now, files[0].read_bytes(), lambda: found.fault)
    server = await serve(app)
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        found = Market(server, client_of(http, files))
        yield found


def document_of(content: bytes) -> etree._Element:
    return etree.fromstring(content)


# ---------------------------------------------------------------- the award file


def test_the_real_file_gives_24_hours_of_40_mw_from_pacific_midnight(headworks_data: Path) -> None:
    content = (headworks_data / "caiso_dam_awards_20260217.xml").read_bytes()
    intervals = read_awards(document_of(content), DAY, RESOURCE, "EN")
    midnight = datetime(2026, 2, 17, 8, tzinfo=UTC)
    assert [(i.start, i.end, i.power_mw) for i in intervals] == [
        (midnight + h * HOUR, midnight + (h + 1) * HOUR, 40.0) for h in range(24)
    ]


def test_products_and_resources_of_the_real_file_are_kept_apart(headworks_data: Path) -> None:
    document = document_of((headworks_data / "caiso_dam_awards_20260217.xml").read_bytes())
    assert {i.power_mw for i in read_awards(document, DAY, RESOURCE, "NR")} == {0.0}
    assert {i.power_mw for i in read_awards(document, DAY, "OXBOW_6_DRUM", "EN")} == {4.0}
    assert read_awards(document, DAY, "NOBODY", "EN") == ()


async def test_the_real_file_comes_through_the_wire(
    headworks_data: Path,
    serve: Serve,
    client_files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWORKS_DATA", str(headworks_data))
    async with opened(serve, client_files) as market:
        intervals = await market.fetch(DAY)
    assert isinstance(intervals, tuple)
    assert len(intervals) == 24
    assert {i.power_mw for i in intervals} == {40.0}


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        (SHORT_DAY, datetime(2026, 3, 8, 8, tzinfo=UTC), 23),
        (LONG_DAY, datetime(2026, 11, 1, 7, tzinfo=UTC), 25),
        (date(2026, 7, 1), datetime(2026, 7, 1, 7, tzinfo=UTC), 24),
    ],
)
async def test_a_trade_date_has_the_hours_of_the_pacific_day(
    market: Market, day: date, start: datetime, hours: int
) -> None:
    intervals = await market.fetch(day)
    assert isinstance(intervals, tuple)
    assert [i.start for i in intervals] == [start + h * HOUR for h in range(hours)]
    assert intervals[-1].end == start + hours * HOUR


def changed(old: str, new: str, count: int = -1) -> etree._Element:
    content = award_file(date(2026, 2, 20)).decode()
    assert old in content
    return document_of(content.replace(old, new, count).encode())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<intervalStartTime>2026-02-20T08:00:00-00:00", "<intervalStartTime>2026-02-20T08:00:00", "cannot be read"),
        ("<intervalStartTime>2026-02-20T08:00:00-00:00", "<intervalStartTime>soon", "cannot be read"),
        ("<intervalStartTime>2026-02-20T09:00:00-00:00", "<intervalStartTime>2026-02-20T08:30:00-00:00", "is right"),
        ("<intervalEndTime>2026-02-21T08:00:00-00:00", "<intervalEndTime>2026-02-21T09:00:00-00:00", "is right"),
        ("<intervalNum>1</intervalNum>", "<MW>NaN</MW>", "cannot be read"),
        ("<MW>", "<MW>1e999", "cannot be read"),
    ],
)
def test_times_and_values_that_cannot_hold_are_refused_by_name(old: str, new: str, says: str) -> None:
    with pytest.raises(SourceFault, match=says):
        read_awards(changed(old, new), date(2026, 2, 20), RESOURCE, "EN")


def test_the_file_of_another_day_is_not_taken_for_the_one_asked() -> None:
    with pytest.raises(SourceFault, match="the award file of 2026-02-21 holds 2026-02-20T08:00Z"):
        read_awards(document_of(award_file(date(2026, 2, 20))), date(2026, 2, 21), RESOURCE, "EN")


def test_a_value_given_twice_and_not_the_same_is_refused() -> None:
    with pytest.raises(SourceFault, match="twice, and not the same"):
        read_awards(changed(">MARKET<", ">CLEARED<"), date(2026, 2, 20), RESOURCE, "EN")


def test_real_time_and_residual_results_are_no_day_ahead_award() -> None:
    day = date(2026, 2, 20)
    assert read_awards(changed(">IFM<", ">RUC<"), day, RESOURCE, "EN") == ()
    assert read_awards(changed(">DAM<", ">RTM<"), day, RESOURCE, "EN") == ()


def test_an_hour_that_the_file_leaves_out_stays_out() -> None:
    whole = award_file(date(2026, 2, 20)).decode()
    start, end = whole.index("<TradeIntervalData>"), whole.index("</TradeIntervalData>") + len("</TradeIntervalData>")
    intervals = read_awards(document_of((whole[:start] + whole[end:]).encode()), date(2026, 2, 20), RESOURCE, "EN")
    assert [i.start for i in intervals] == [datetime(2026, 2, 20, 9, tzinfo=UTC) + h * HOUR for h in range(23)]


# ---------------------------------------------------------------- the request


@pytest.fixture
async def client(client_files: tuple[Path, Path]) -> AsyncIterator[Client]:
    async with httpx.AsyncClient() as http:
        yield client_of(http, client_files)


def test_body_token_and_header_are_signed_as_the_server_verifies(client: Client) -> None:
    envelope = etree.fromstring(signed_request(client, DAY))
    check_signature(envelope, load_pem_x509_certificate(client.certificate_pem))
    algorithms = {e.get("Algorithm") for e in envelope.iterfind(".//{*}Signature//*[@Algorithm]")}
    assert algorithms == {
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    }
    token = envelope.find(".//{*}BinarySecurityToken")
    reference = envelope.find(".//{*}SecurityTokenReference/{*}Reference")
    assert token is not None
    assert reference is not None
    assert f"#{token.get(f'{{{WSU}}}Id')}" == reference.get("URI")
    assert envelope.findtext(".//{*}Body//{*}tradeDate") == "2026-02-17"


WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"2026-02-17", b"2026-02-18"), (b"<c:CAISOUsernameToken/>", b"<c:CAISOUsernameToken>x</c:CAISOUsernameToken>")],
)
def test_a_change_after_signing_is_seen(client: Client, old: bytes, new: bytes) -> None:
    envelope = signed_request(client, DAY)
    assert old in envelope
    with pytest.raises(SignXMLException):
        check_signature(etree.fromstring(envelope.replace(old, new)), load_pem_x509_certificate(client.certificate_pem))


async def test_a_request_signed_by_somebody_else_is_refused_with_caisos_reason(market: Market, tmp_path: Path) -> None:
    stranger = client_of(market.client.http, make_client_certificate(tmp_path))
    with pytest.raises(SourceFault, match="CAISO answered 500: The request could not be accepted"):
        await fetch_awards(stranger, DAY, RESOURCE, "EN")


async def test_the_clients_certificate_is_shown_over_tls(
    serve: Serve,
    client_files: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    server_certificate, server_key = make_server_certificate(tmp_path)
    app = create_caiso(lambda: AFTER_PUBLICATION, client_files[0].read_bytes(), lambda: "none")
    server = await serve(app, Tls(server_certificate, server_key, clients=client_files[0]))
    context = client_context(*client_files, server_certificate)
    async with httpx.AsyncClient(base_url=server.url, verify=context) as http:
        assert isinstance(await fetch_awards(client_of(http, client_files), SHORT_DAY, RESOURCE, "EN"), tuple)
    nobody = ssl.create_default_context(cafile=server_certificate)
    async with httpx.AsyncClient(base_url=server.url, verify=nobody) as http:
        with pytest.raises(SourceFault, match="CAISO does not answer"):
            await fetch_awards(client_of(http, client_files), SHORT_DAY, RESOURCE, "EN")


def test_certificate_and_key_are_checked_when_they_are_read(client_files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = client_files
    other = make_client_certificate(tmp_path)[1]
    http = httpx.AsyncClient()
    with pytest.raises(ValueError, match="is not the key of the certificate"):
        client_of(http, (certificate, other))
    with pytest.raises(ValueError, match="holds no PEM certificate"):
        client_of(http, (key, key))
    with pytest.raises(ValueError, match="holds no PEM private key"):
        client_of(http, (certificate, certificate))


@pytest.mark.parametrize(("body", "says"), [("<a/>", "must hold {trade_date}"), ("<a>{trade_date}", "must be one XML")])
def test_a_request_body_that_cannot_work_is_refused_at_the_start(body: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"HEADWORKS_CAISO_REQUEST_BODY=.*{says}"):
        IngestSettings(caiso_request_body=body)


# ---------------------------------------------------------------- the reply


async def test_the_other_coding_gives_the_same(market: Market) -> None:
    path = "/sst/runtime.asvc/RetrieveMarketAwards_CMRIv4_DocAttach_AP"
    attached = await fetch_awards(replace(market.client, path=path), SHORT_DAY, RESOURCE, "EN")
    assert attached == await market.fetch(SHORT_DAY)


async def test_an_attachment_that_does_not_match_its_hash_is_refused(market: Market) -> None:
    market.fault = "bad_hash"
    with pytest.raises(SourceFault, match=r"does not match its hash: stated '.+', computed '.+'"):
        await market.fetch(SHORT_DAY)


async def test_no_data_is_no_error(market: Market) -> None:
    assert isinstance(await market.fetch(AFTER_PUBLICATION.date() + timedelta(days=3)), NotPublished)
    market.fault = "no_data"
    assert isinstance(await market.fetch(DAY), NotPublished)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("garbage", "neither an attachment nor a reason"),
        ("refuse_auth", "CAISO answered 403: the certificate has no access"),
        ("unavailable", "CAISO answered 503 with what is no XML: b'Service Unavailable'"),
        ("hang", "CAISO does not answer: ReadTimeout"),
    ],
)
async def test_what_goes_wrong_is_named(market: Market, fault: str, says: str) -> None:
    market.fault = fault
    market.client.http.timeout = 0.5 if fault == "hang" else PATIENCE_S
    with pytest.raises(SourceFault, match=says):
        await market.fetch(DAY)


async def test_a_server_that_is_gone_is_named(market: Market) -> None:
    await market.server.stop()
    with pytest.raises(SourceFault, match="CAISO does not answer: ConnectError"):
        await market.fetch(DAY)


async def test_a_busy_server_is_asked_again(serve: Serve, client_files: tuple[Path, Path]) -> None:
    kinds = iter(["unavailable", "unavailable", "none"])
    app: FastAPI = create_caiso(lambda: AFTER_PUBLICATION, client_files[0].read_bytes(), lambda: next(kinds))
    server = await serve(app)
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert isinstance(await fetch_awards(client_of(http, client_files), SHORT_DAY, RESOURCE, "EN"), tuple)
