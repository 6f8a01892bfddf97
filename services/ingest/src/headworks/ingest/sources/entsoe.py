"""Day-ahead prices from the ENTSO-E Transparency Platform (document A44): read whole, or refused with the reason.

A series of curve A03 leaves out a position whose price is that of the one before; one of A01 leaves out none.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
from lxml import etree

from headworks.common.messages import MEANS, Quality, Sample, aware_utc
from headworks.ingest.sources.asking import Reply, ask
from headworks.ingest.sources.fault import SourceFault
from headworks.ingest.sources.xml import parse_xml
from headworks.waterway.series import PRICE

RESOLUTIONS = {"PT15M": timedelta(minutes=15), "PT60M": timedelta(hours=1)}
FIXED, VARIABLE = "A01", "A03"
DAY_AHEAD = "A01"
NO_DATA = ("999", "No matching data found")
"""The code and the words of an acknowledgement that says there is nothing yet; the code alone stands for other refusals too."""
STAMP = "%Y%m%d%H%M"


class Entsoe:
    """The platform for one bidding zone."""

    def __init__(self, client: httpx.AsyncClient, token: str, zone: str) -> None:
        self._client, self._token, self._zone = client, token, zone

    async def prices(self, start: datetime, end: datetime) -> list[Sample]:
        """The published prices of the market days that share time with [start, end); none yet is none. Raises SourceFault."""
        query = {
            "documentType": "A44",
            "contract_MarketAgreement.type": DAY_AHEAD,
            "in_Domain": self._zone,
            "out_Domain": self._zone,
            "periodStart": f"{aware_utc(start):{STAMP}}",
            "periodEnd": f"{aware_utc(end):{STAMP}}",
            "securityToken": self._token,
        }
        reply = await ask(self._client, self._client.build_request("GET", "/api", params=query), "ENTSO-E")
        return read_reply(reply, self._zone)


def read_reply(reply: Reply, zone: str) -> list[Sample]:
    """The prices in a reply, whatever its status. Raises SourceFault."""
    if reply.status in {401, 403}:
        raise SourceFault(f"ENTSO-E answered {reply.status}: the token has no access")
    if reply.status == 429:
        raise SourceFault("ENTSO-E answered 429: asked more often than it allows")
    if reply.status >= 500:
        raise SourceFault(f"ENTSO-E answered {reply.status}: {reply.start}")
    root = parse_xml(reply.content, f"what ENTSO-E answered with {reply.status}")
    name = etree.QName(root).localname
    if name == "Acknowledgement_MarketDocument":
        return _acknowledged(root, reply.status)
    if reply.status != 200 or name != "Publication_MarketDocument" or root.findtext("{*}type") != "A44":
        raise SourceFault(f"ENTSO-E answered {reply.status} with what is no price document: {reply.start!r}")
    return read_prices(root, zone)


def _acknowledged(root: etree._Element, status: int) -> list[Sample]:
    """Nothing, where the platform says that it has nothing. Raises SourceFault with any other reason."""
    reasons = [(r.findtext("{*}code") or "", r.findtext("{*}text") or "") for r in root.iterfind("{*}Reason")]
    code, words = NO_DATA
    if reasons and all(c == code and words in text for c, text in reasons):
        return []
    said = "; ".join(f"{c} {text}" for c, text in reasons) or "no reason"
    raise SourceFault(f"ENTSO-E answered {status}: {said[:300]}")


def read_prices(root: etree._Element, zone: str) -> list[Sample]:
    """Every price of a document, by time. Raises SourceFault for what cannot be read or contradicts itself."""
    found: dict[tuple[datetime, str], Sample] = {}
    for series in root.iterfind("{*}TimeSeries"):
        if not _wanted(series):
            continue
        _check_units(series, zone)
        for period in series.iterfind("{*}Period"):
            for sample in _period(period, series.findtext("{*}curveType") or FIXED):
                if found.setdefault((sample.valid_at, sample.basis.value), sample) != sample:
                    at = f"{sample.valid_at:%Y-%m-%dT%H:%MZ}"
                    raise SourceFault(f"ENTSO-E gives the price of {at} twice, and not the same")
    return [found[key] for key in sorted(found)]


def _wanted(series: etree._Element) -> bool:
    """Whether it is the day-ahead auction, and the first where a zone has several."""
    contract = series.findtext("{*}contract_MarketAgreement.type") or DAY_AHEAD
    sequence = series.findtext("{*}classificationSequence_AttributeInstanceComponent.position") or "1"
    return contract == DAY_AHEAD and sequence == "1"


def _check_units(series: etree._Element, zone: str) -> None:
    expected = {"currency_Unit.name": "EUR", "price_Measure_Unit.name": "MWH", "in_Domain.mRID": zone}
    for name, right in expected.items():
        value = series.findtext(f"{{*}}{name}")
        if value != right:
            raise SourceFault(f"ENTSO-E's price series has {name}={value!r}; {right!r} is right")


def _period(period: etree._Element, curve: str) -> Iterator[Sample]:
    start, end, step = _times(period)
    count = (end - start) // step
    known = _points(period, count)
    if (curve == FIXED and len(known) < count) or curve not in {FIXED, VARIABLE} or 1 not in known:
        raise SourceFault(
            f"ENTSO-E's period from {start:%Y-%m-%dT%H:%MZ} has {len(known)} of {count} points on curve {curve}; "
            "all on A01, or those that differ from the one before on A03, are right"
        )
    price = known[1]
    for position in range(1, count + 1):
        price = known.get(position, price)
        valid_at = start + (position - 1) * step
        yield Sample(series=PRICE, valid_at=valid_at, value=price, quality=Quality.GOOD, basis=MEANS[step])


def _times(period: etree._Element) -> tuple[datetime, datetime, timedelta]:
    texts = [period.findtext(f"{{*}}timeInterval/{{*}}{name}") for name in ("start", "end")]
    resolution = period.findtext("{*}resolution")
    step = RESOLUTIONS.get(resolution or "")
    if step is None:
        raise SourceFault(f"ENTSO-E's resolution={resolution!r} must be one of {', '.join(RESOLUTIONS)}")
    try:
        start, end = (aware_utc(datetime.fromisoformat(str(text))) for text in texts)
    except ValueError as error:
        raise SourceFault(f"ENTSO-E's period {texts} cannot be read: {error}") from error
    if not timedelta(0) < end - start <= timedelta(days=366) or (end - start) % step:
        raise SourceFault(f"ENTSO-E's period {texts} is no whole number of {resolution}")
    return start, end, step


def _points(period: etree._Element, count: int) -> dict[int, float]:
    known: dict[int, float] = {}
    for point in period.iterfind("{*}Point"):
        texts = [point.findtext(f"{{*}}{name}") for name in ("position", "price.amount")]
        try:
            position, price = int(str(texts[0])), float(str(texts[1]))
        except ValueError as error:
            raise SourceFault(f"ENTSO-E's point {texts} cannot be read: {error}") from error
        if not 1 <= position <= count or not math.isfinite(price) or known.setdefault(position, price) != price:
            raise SourceFault(f"ENTSO-E's point {texts} is wrong; one finite price for each of 1 to {count} is right")
    return known
