"""The ENTSO-E Transparency Platform: day-ahead prices (A44) of market days, which run from midnight to midnight in Brussels.

Prices of a day appear at 13:00 of the day before. A position whose price is that of the one before is left out (curve A03).
"""

import math
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.responses import Response
from lxml import etree

from headworks.simulators.web import hang

PUBLICATION = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
ACKNOWLEDGEMENT = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"
PLATFORM = "10X1001A1001A450"
MARKET = ZoneInfo("Europe/Brussels")
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
MOST = timedelta(days=366)
STAMP = "%Y%m%d%H%M"

Prices = Callable[[datetime], float]
"""The price [EUR/MWh] of the quarter hour that begins at an instant."""


def create_entsoe(now: Callable[[], datetime], token: str, fault: Callable[[], str], prices: Prices) -> FastAPI:
    """The server. Faults: down, garbage, refuse_auth, unavailable, no_data, hang."""
    app = FastAPI(openapi_url=None)

    @app.get("/api")
    async def api(request: Request) -> Response:
        asked, kind = dict(request.query_params), fault()
        if kind == "refuse_auth" or asked.get("securityToken") != token:
            return _xml(_acknowledgement("Unauthorized. Missing or invalid security token", now()), 401)
        if kind == "garbage":
            return Response("<html><body>Web Application Maintenance</body></html>", media_type="text/html")
        if kind == "unavailable":
            return Response("Service unavailable", 503, headers={"Retry-After": "0"})
        if kind == "hang":
            await hang(request)
        try:
            start, end, zone = _query(asked)
        except ValueError as error:
            return _xml(_acknowledgement(str(error), now()), 400)
        days = [] if kind == "no_data" else list(_published_days(start, end, now()))
        if not days:
            interval = f"{start:%Y-%m-%dT%H:%M:%S}.000Z/{end:%Y-%m-%dT%H:%M:%S}.000Z"
            text = (
                f"No matching data found for Data item ENERGY_PRICES [12.1.D] ({zone}, {zone}) and interval {interval}."
            )
            return _xml(_acknowledgement(text, now()), 200)
        return _xml(_publication(days, zone, prices, now()), 200)

    return app


def generated_prices(seed: int) -> Prices:
    """Prices of a market that is cheap at night and dear in the morning and evening, by the hour, the same for a seed."""

    def price(at: datetime) -> float:
        local = at.astimezone(MARKET)
        level = 45 + 25 * random.Random(f"{seed} {local:%Y-%m-%d}").uniform(-1, 1)  # noqa: S311 - no secret
        peaks = math.exp(-(((local.hour - 8) / 2) ** 2)) + 1.3 * math.exp(-(((local.hour - 18) / 2.5) ** 2))
        return round(level * (0.45 + peaks), 2)

    return price


def _query(asked: dict[str, str]) -> tuple[datetime, datetime, str]:
    """What is asked: from, to, and the zone. Raises ValueError with the platform's kind of text."""
    zone = asked.get("in_Domain", "")
    if asked.get("documentType") != "A44" or not zone or asked.get("out_Domain") != zone:
        raise ValueError("The combination of parameters is not valid; documentType A44 wants in_Domain = out_Domain")
    try:
        start, end = (
            datetime.strptime(asked.get(name, ""), STAMP).replace(tzinfo=UTC) for name in ("periodStart", "periodEnd")
        )
    except ValueError as error:
        raise ValueError(f"Delivered time interval is not valid: {error}") from error
    if not timedelta(0) < end - start <= MOST:
        raise ValueError("Delivered time interval is not valid: more than zero and at most a year is right")
    return start, end, zone


def _published_days(start: datetime, end: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The published market days that share time with [start, end), from midnight to midnight."""
    day = start.astimezone(MARKET).date()
    while (midnight := _at(day, time())) < end:
        if now >= _at(day - DAY, time(13)):
            yield midnight, _at(day + DAY, time())
        day += DAY


def _at(day: date, local: time) -> datetime:
    return datetime.combine(day, local, MARKET).astimezone(UTC)


def _publication(days: list[tuple[datetime, datetime]], zone: str, prices: Prices, now: datetime) -> etree._Element:
    root = _head("Publication_MarketDocument", PUBLICATION, now)
    _add(root, "type", "A44")
    _interval(_add(root, "period.timeInterval"), days[0][0], days[-1][1])
    for number, (start, end) in enumerate(days, 1):
        series = _add(root, "TimeSeries")
        for name, text in (
            ("mRID", str(number)),
            ("auction.type", "A01"),
            ("businessType", "A62"),
            ("in_Domain.mRID", zone),
            ("out_Domain.mRID", zone),
            ("contract_MarketAgreement.type", "A01"),
            ("currency_Unit.name", "EUR"),
            ("price_Measure_Unit.name", "MWH"),
            ("curveType", "A03"),
        ):
            _add(series, name, text)
        period = _add(series, "Period")
        _interval(_add(period, "timeInterval"), start, end)
        _add(period, "resolution", "PT15M")
        _points(period, [prices(start + i * QUARTER) for i in range((end - start) // QUARTER)])
    return root


def _points(period: etree._Element, prices: list[float]) -> None:
    for position, price in enumerate(prices, 1):
        if position == 1 or price != prices[position - 2]:
            point = _add(period, "Point")
            _add(point, "position", str(position))
            _add(point, "price.amount", f"{price:.2f}")


def _acknowledgement(text: str, now: datetime) -> etree._Element:
    root = _head("Acknowledgement_MarketDocument", ACKNOWLEDGEMENT, now)
    reason = _add(root, "Reason")
    _add(reason, "code", "999")
    _add(reason, "text", text)
    return root


def _head(name: str, namespace: str, now: datetime) -> etree._Element:
    nsmap: dict[str | None, str] = {None: namespace}
    root = etree.Element(f"{{{namespace}}}{name}", nsmap=nsmap)  # type: ignore[arg-type]  # the stubs forget the default
    _add(root, "mRID", uuid.uuid4().hex)
    for party in ("sender", "receiver"):
        _add(root, f"{party}_MarketParticipant.mRID", PLATFORM)
    _add(root, "createdDateTime", f"{now:%Y-%m-%dT%H:%M:%SZ}")
    return root


def _interval(element: etree._Element, start: datetime, end: datetime) -> None:
    _add(element, "start", f"{start:%Y-%m-%dT%H:%MZ}")
    _add(element, "end", f"{end:%Y-%m-%dT%H:%MZ}")


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    element.text = text
    return element


def _xml(root: etree._Element, status: int) -> Response:
    content = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Response(content, status, media_type="text/xml")
