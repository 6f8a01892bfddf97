"""The ENTSO-E simulator: market days of 23, 24 and 25 hours, published at 13:00, with repeated prices left out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from lxml import etree

from headworks.simulators.entsoe import create_entsoe, generated_prices
from headworks.simulators.web import WebServer

NOW, HOUR, QUARTER = datetime(2026, 2, 17, 11, 0, tzinfo=UTC), timedelta(hours=1), timedelta(minutes=15)
ZONE = "10YFI-1--------U"


def by_the_hour(at: datetime) -> float:
    return float(at.hour) - 2


@dataclass
class Platform:
    """A client of the server, its time, and what goes wrong there."""

    http: httpx.AsyncClient
    now: datetime = NOW
    fault: str = "none"

    async def ask(self, start: datetime, end: datetime, **more: str) -> httpx.Response:
        asked = {
            "securityToken": "token",
            "documentType": "A44",
            "in_Domain": ZONE,
            "out_Domain": ZONE,
            "periodStart": f"{start:%Y%m%d%H%M}",
            "periodEnd": f"{end:%Y%m%d%H%M}",
        }
        return await self.http.get("/api", params=asked | more)

    async def document(self, start: datetime, end: datetime) -> etree._Element:
        answer = await self.ask(start, end)
        assert answer.status_code == 200
        return etree.fromstring(answer.content)


@pytest.fixture
async def platform(serve: Callable[[FastAPI], Awaitable[WebServer]]) -> AsyncIterator[Platform]:
    app = create_entsoe(lambda: found.now, "token", lambda: found.fault, by_the_hour)
    async with httpx.AsyncClient(base_url=(await serve(app)).url) as http:
        found = Platform(http)
        yield found


def texts(root: etree._Element, name: str) -> list[str]:
    return [str(e.text) for e in root.iterfind(f".//{{*}}{name}")]


async def test_a_market_day_is_one_in_brussels_and_repeated_prices_are_left_out(platform: Platform) -> None:
    root = await platform.document(NOW, NOW + HOUR)
    assert texts(root, "start")[-1] == "2026-02-16T23:00Z"
    assert texts(root, "end")[-1] == "2026-02-17T23:00Z"
    assert texts(root, "resolution") == ["PT15M"]
    assert texts(root, "position") == [str(1 + 4 * hour) for hour in range(24)]
    assert texts(root, "price.amount")[:3] == ["21.00", "-2.00", "-1.00"]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29T12:00Z", 23), ("2026-10-25T12:00Z", 25)])
async def test_days_when_the_clocks_change_are_shorter_or_longer(platform: Platform, day: str, hours: int) -> None:
    noon = platform.now = datetime.fromisoformat(day)
    root = await platform.document(noon, noon + HOUR)
    assert len(texts(root, "position")) == hours


async def test_tomorrow_appears_at_13_in_brussels(platform: Platform) -> None:
    tomorrow = NOW + timedelta(days=1)
    root = await platform.document(tomorrow, tomorrow + HOUR)
    assert texts(root, "code") == ["999"]
    assert texts(root, "text")[0].startswith("No matching data found")
    platform.now = NOW + HOUR
    root = await platform.document(NOW, tomorrow)
    assert len(texts(root, "resolution")) == 2


@pytest.mark.parametrize(
    ("fault", "status"), [("refuse_auth", 401), ("unavailable", 503), ("no_data", 200), ("garbage", 200)]
)
async def test_faults_of_the_server(platform: Platform, fault: str, status: int) -> None:
    platform.fault = fault
    answer = await platform.ask(NOW, NOW + HOUR)
    assert answer.status_code == status
    assert b"Publication_MarketDocument" not in answer.content


async def test_what_is_asked_wrongly_is_refused_with_a_reason(platform: Platform) -> None:
    assert (await platform.ask(NOW, NOW + HOUR, securityToken="other")).status_code == 401
    for wrong in ({"documentType": "A75"}, {"out_Domain": "10YSE-1--------K"}, {"periodStart": "soon"}):
        answer = await platform.ask(NOW, NOW + HOUR, **wrong)
        assert answer.status_code == 400
        assert texts(etree.fromstring(answer.content), "code") == ["999"]
    assert (await platform.ask(NOW, NOW)).status_code == 400


def test_generated_prices_are_cheap_at_night_and_the_same_for_a_seed() -> None:
    prices = generated_prices(7)
    day = [prices(NOW.replace(hour=0) + i * QUARTER) for i in range(96)]
    assert day == [generated_prices(7)(NOW.replace(hour=0) + i * QUARTER) for i in range(96)]
    assert max(day[:16]) < 0.6 * max(day)
    assert len(set(day)) > 12
