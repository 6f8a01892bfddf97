"""ENTSO-E's prices: both curves, both resolutions, days of 23 and 25 hours, nothing yet, and servers that misbehave."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from collect_rig import Serve
from fastapi import FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.messages import Basis, Quality, Sample
from headworks.ingest.sources.asking import Reply
from headworks.ingest.sources.entsoe import Entsoe, read_reply
from headworks.ingest.sources.fault import SourceFault, Unreachable
from headworks.simulators.entsoe import create_entsoe
from headworks.simulators.web import WebServer
from headworks.waterway.series import PRICE

ZONE, PUBLICATION = "10YFI-1--------U", "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
START, HOUR, QUARTER = datetime(2026, 2, 16, 23, tzinfo=UTC), timedelta(hours=1), timedelta(minutes=15)
OTHER = "<Point><position>1</position><price.amount>2</price.amount></Point>"
FOUR = {1: 10.0, 2: 20.0, 3: 30.0, 4: 40.0}


def period(
    points: dict[int, object], start: datetime = START, hours: int = 1, resolution: str = "PT15M", *, end: str = ""
) -> str:
    inner = "".join(
        f"<Point><position>{p}</position><price.amount>{price}</price.amount></Point>" for p, price in points.items()
    )
    until = end or f"{start + hours * HOUR:%Y-%m-%dT%H:%MZ}"
    return (
        f"<Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{until}</end></timeInterval>"
        f"<resolution>{resolution}</resolution>{inner}</Period>"
    )


def series(*periods: str, curve: str = "A03", **changes: str) -> str:
    fields = {
        "in_Domain.mRID": ZONE,
        "contract_MarketAgreement.type": "A01",
        "currency_Unit.name": "EUR",
        "price_Measure_Unit.name": "MWH",
        "curveType": curve,
    } | {name.replace("__", "."): text for name, text in changes.items()}
    head = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())
    return f"<TimeSeries>{head}{''.join(periods)}</TimeSeries>"


def document(*all_series: str) -> str:
    inner = "".join(all_series)
    return f'<Publication_MarketDocument xmlns="{PUBLICATION}"><type>A44</type>{inner}</Publication_MarketDocument>'


def read(text: str, status: int = 200) -> list[Sample]:
    return read_reply(Reply("ENTSO-E", status, "text/xml", text.encode()), ZONE)


def prices(text: str) -> list[tuple[datetime, float | None]]:
    return [(s.valid_at, s.value) for s in read(text)]


# ---------------------------------------------------------------- documents


def test_a_whole_curve_gives_every_quarter_hour() -> None:
    found = read(document(series(period(dict(FOUR)), curve="A01")))
    assert [(s.valid_at, s.value) for s in found] == [(START + i * QUARTER, 10.0 * (i + 1)) for i in range(4)]
    assert {(s.series, s.basis, s.quality) for s in found} == {(PRICE, Basis.QUARTER_HOUR_MEAN, Quality.GOOD)}


def test_on_a_variable_curve_what_is_left_out_repeats_the_one_before() -> None:
    assert [p for _, p in prices(document(series(period({1: 10, 3: -5.5}))))] == [10.0, 10.0, -5.5, -5.5]


def test_hourly_prices_are_means_of_hours() -> None:
    found = read(document(series(period({1: 10, 2: 20}, hours=3, resolution="PT60M"))))
    assert [(s.valid_at, s.value) for s in found] == [(START + i * HOUR, p) for i, p in enumerate((10.0, 20.0, 20.0))]
    assert {s.basis for s in found} == {Basis.HOUR_MEAN}


def test_series_and_periods_are_put_in_order() -> None:
    later, first, next_one = (period({1: p}, START + h * HOUR, 1, "PT60M") for h, p in ((2, 30), (0, 10), (1, 20)))
    found = prices(document(series(later), series(first, next_one)))
    assert found == [(START, 10.0), (START + HOUR, 20.0), (START + 2 * HOUR, 30.0)]


def test_a_period_given_twice_alike_is_one() -> None:
    assert len(read(document(series(period(dict(FOUR))), series(period(dict(FOUR)))))) == 4


def test_a_period_given_twice_and_not_alike_is_refused_by_time() -> None:
    with pytest.raises(SourceFault, match="price of 2026-02-16T23:15Z twice, and not the same"):
        read(document(series(period(dict(FOUR))), series(period({**FOUR, 2: 21}))))


def test_other_auctions_are_left_out() -> None:
    intraday = series(period({1: 99}), contract_MarketAgreement__type="A07")
    second = series(period({1: 99}), classificationSequence_AttributeInstanceComponent__position="2")
    first = series(period({1: 10}), classificationSequence_AttributeInstanceComponent__position="1")
    assert {p for _, p in prices(document(intraday, second, first))} == {10.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (series(period(dict(FOUR)), currency_Unit__name="SEK"), "currency_Unit.name='SEK'; 'EUR' is right"),
        (series(period(dict(FOUR)), price_Measure_Unit__name="KWH"), "price_Measure_Unit.name='KWH'; 'MWH' is right"),
        (series(period(dict(FOUR)), in_Domain__mRID="10YSE-1--------K"), "in_Domain.mRID='10YSE-1--------K'"),
        (series(period({1: 1, 2: 2}), curve="A01"), "has 2 of 4 points on curve A01"),
        (series(period({2: 2})), "has 1 of 4 points on curve A03"),
        (series(period({})), "has 0 of 4 points"),
        (series(period(dict(FOUR)), curve="A05"), "on curve A05"),
        (series(period({1: 1, 5: 5})), "point ['5', '5'] is wrong"),
        (series(period({0: 1})), "point ['0', '1'] is wrong"),
        (series(period({1: "nan"})), "point ['1', 'nan'] is wrong"),
        (series(period({1: "1,5"})), "point ['1', '1,5'] cannot be read"),
        (series(period({1: 1}).replace("</Period>", f"{OTHER}</Period>")), "one finite price for each"),
        (series(period({1: 1}, resolution="PT30M")), "resolution='PT30M' must be one of PT15M, PT60M"),
        (series(period({1: 1}, end="2026-02-16T23:20Z")), "is no whole number of PT15M"),
        (series(period({1: 1}, end="2026-02-16T22:00Z")), "is no whole number of PT15M"),
        (series(period({1: 1}, end="2099-02-16T22:00Z")), "is no whole number of PT15M"),
        (series(period({1: 1}, end="2026-02-17T00:00")), "has no time zone"),
        (series(period({1: 1}, end="soon")), "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_with_what_would_be(text: str, says: str) -> None:
    with pytest.raises(SourceFault) as fault:
        read(document(text))
    assert says in str(fault.value)


def acknowledgement(code: str, text: str) -> str:
    return (
        '<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">'
        f"<Reason><code>{code}</code><text>{text}</text></Reason></Acknowledgement_MarketDocument>"
    )


def test_nothing_yet_is_none_and_no_fault() -> None:
    assert read(acknowledgement("999", "No matching data found for Data item ENERGY_PRICES [12.1.D]")) == []


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("999", "Invalid query attributes or parameters.", 200),
        ("999", "The amount of requested data exceeds allowed limit", 400),
        ("A01", "No matching data found", 200),
    ],
)
def test_another_reason_is_a_fault_with_its_text(code: str, text: str, status: int) -> None:
    with pytest.raises(SourceFault, match=f"answered {status}: {code} {text}"):
        read(acknowledgement(code, text), status)


def test_an_acknowledgement_without_a_reason_is_a_fault() -> None:
    with pytest.raises(SourceFault, match="no reason"):
        read("<Acknowledgement_MarketDocument/>")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<html><body>maintenance</body>", "is no XML"),
        ("<html/>", "no price document"),
        ("", "is no XML"),
        (document().replace("A44", "A75"), "no price document"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "no price document"),
    ],
)
def test_garbage_is_named(text: str, says: str) -> None:
    with pytest.raises(SourceFault, match=says):
        read(text)


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_document_holds_it_is_read_or_refused(price: str, resolution: str, stamp: str) -> None:
    def plain(text: str) -> str:
        return "".join(c for c in text if c.isprintable()).replace("&", "").replace("<", "")

    text = document(series(period({1: plain(price)}, resolution=plain(resolution), end=plain(stamp) or "x")))
    with pytest.raises(SourceFault):
        read(text)


# ---------------------------------------------------------------- over a socket


@dataclass
class Platform:
    """The platform on a port, its time, what goes wrong there, and a client of it."""

    server: WebServer
    source: Entsoe
    now: datetime = START + 12 * HOUR
    fault: str = "none"


@pytest.fixture
async def platform(serve: Serve) -> AsyncIterator[Platform]:
    server = await serve(create_entsoe(lambda: found.now, "token", lambda: found.fault, lambda at: float(at.hour)))
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        found = Platform(server, Entsoe(http, "token", ZONE))
        yield found


async def test_the_days_that_were_asked_for_come_whole(platform: Platform) -> None:
    found = await platform.source.prices(START + HOUR, START + 2 * HOUR)
    assert [s.valid_at for s in found] == [START + i * QUARTER for i in range(96)]
    assert [s.value for s in found[:5]] == [23.0, 23.0, 23.0, 23.0, 0.0]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29T12:00Z", 23), ("2026-10-25T12:00Z", 25)])
async def test_days_when_the_clocks_change_have_23_or_25_hours(platform: Platform, day: str, hours: int) -> None:
    noon = platform.now = datetime.fromisoformat(day)
    assert len(await platform.source.prices(noon, noon + HOUR)) == hours * 4


async def test_a_day_that_is_not_published_is_none(platform: Platform) -> None:
    assert await platform.source.prices(START + 48 * HOUR, START + 49 * HOUR) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse_auth", "ENTSO-E answered 401: the token has no access"),
        ("garbage", "ENTSO-E answered 200 with what is no price document"),
        ("unavailable", "ENTSO-E answered 503"),
    ],
)
async def test_a_server_that_fails_is_named(platform: Platform, fault: str, says: str) -> None:
    platform.fault = fault
    with pytest.raises(SourceFault, match=says):
        await platform.source.prices(START, START + HOUR)


async def test_a_server_that_hangs_or_is_down_is_unreachable(platform: Platform) -> None:
    platform.fault = "hang"
    platform.source._client.timeout = 0.5
    with pytest.raises(Unreachable, match="ENTSO-E does not answer"):
        await platform.source.prices(START, START + HOUR)
    await platform.server.stop()
    with pytest.raises(Unreachable, match="ENTSO-E does not answer") as fault:
        await platform.source.prices(START, START + HOUR)
    assert "token" not in str(fault.value)


async def test_being_asked_too_often_is_named_and_waited_for(serve: Serve) -> None:
    app, asked = FastAPI(), []

    @app.get("/api")
    async def api() -> Response:
        asked.append(1)
        return Response("Too many requests", 429, headers={"Retry-After": "0"})

    async with httpx.AsyncClient(base_url=(await serve(app)).url) as http:
        with pytest.raises(SourceFault, match="429: asked more often than it allows"):
            await Entsoe(http, "token", ZONE).prices(START, START + HOUR)
    assert len(asked) == 3
