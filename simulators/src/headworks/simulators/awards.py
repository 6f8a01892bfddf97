"""Day-ahead awards: real files where HEADWORKS_DATA has them, otherwise generated ones in the same schema."""

import math
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from headworks.simulators.plant import Awards

NS = "http://www.caiso.com/soa/MarketAwards_v4.xsd#"
PACIFIC = ZoneInfo("America/Los_Angeles")
RESOURCE = "MDFKRL_2_PROJCT"


def published(trade_date: date, now: datetime) -> bool:
    """Results of a day appear after 13:00 Pacific of the day before."""
    return now >= datetime.combine(trade_date - timedelta(days=1), time(13), PACIFIC)


def award_file(trade_date: date) -> bytes:
    """The payload of a trade date."""
    folder = os.environ.get("HEADWORKS_DATA")
    if folder:
        real = Path(folder) / f"caiso_dam_awards_{trade_date:%Y%m%d}.xml"
        if real.exists():
            return real.read_bytes()
    return _generated(trade_date)


def award_hours(trade_date: date) -> list[tuple[datetime, float]]:
    """The resource's cleared energy by hour start [MW], read from the payload."""
    root = etree.fromstring(award_file(trade_date))
    wanted = {"resource": RESOURCE, "product": "EN", "scheduleType": "CLEARED"}
    for record in root.iterfind(f".//{{{NS}}}MarketResultRecord"):
        if all(record.findtext(f"{{{NS}}}{name}") == value for name, value in wanted.items()):
            return [
                (
                    datetime.fromisoformat(str(interval.findtext(f"{{{NS}}}intervalStartTime"))).astimezone(UTC),
                    float(str(interval.findtext(f"{{{NS}}}MW"))),
                )
                for interval in record.iterfind(f"{{{NS}}}TradeIntervalData")
            ]
    return []


class PublishedAwards(Awards):
    """What MFRA really does: the award of the hour."""

    def __init__(self) -> None:
        self._known: dict[date, dict[datetime, float]] = {}

    def at(self, instant: datetime) -> float:
        """The award of the hour that holds an instant."""
        day = instant.astimezone(PACIFIC).date()
        if day not in self._known:
            self._known[day] = dict(award_hours(day))
        hour = instant.replace(minute=0, second=0, microsecond=0)
        return self._known[day].get(hour, 0.0)


def _hours(trade_date: date) -> list[datetime]:
    start, end = (datetime.combine(d, time(), PACIFIC).astimezone(UTC) for d in (trade_date, trade_date + timedelta(1)))
    return [start + timedelta(hours=h) for h in range(int((end - start) / timedelta(hours=1)))]


def _megawatts(trade_date: date, local_hour: int) -> float:
    """Morning and evening peaks over a base that changes from day to day."""
    base = 45 + 15 * math.sin(trade_date.toordinal() * 1.7)
    peak = 55 * math.exp(-(((local_hour - 19) / 2.5) ** 2)) + 25 * math.exp(-(((local_hour - 8) / 2) ** 2))
    return round(base + peak, 1)


def _generated(trade_date: date) -> bytes:
    nsmap: dict[str | None, str] = {None: NS}
    root = etree.Element(f"{{{NS}}}MarketAwards", nsmap=nsmap)  # type: ignore[arg-type]  # the stubs forget the default
    header = _sub(root, "MessageHeader")
    for name, text in (("TimeDate", f"{trade_date}T12:13:33"), ("Source", "CAISO"), ("Version", "v20161001")):
        _sub(header, name, text)
    payload = _sub(root, "MessagePayload")
    for schedule_type, share in (("CLEARED", 1.0), ("MARKET", 0.6), ("SELF", 0.4)):
        record = _sub(payload, "MarketResultRecord")
        for name, text in (
            ("executionType", "IFM"),
            ("marketType", "DAM"),
            ("resource", RESOURCE),
            ("resourceSubType", "GEN"),
            ("resourceType", "GEN"),
            ("schedulingCoordinator", "SIM1"),
            ("bindingFlag", "Y"),
            ("location", f"POD_{RESOURCE}-APND"),
            ("product", "EN"),
            ("scheduleType", schedule_type),
        ):
            _sub(record, name, text)
        for i, start in enumerate(_hours(trade_date), 1):
            _interval(record, trade_date, i, start, _megawatts(trade_date, start.astimezone(PACIFIC).hour) * share)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _interval(record: etree._Element, trade_date: date, hour: int, start: datetime, megawatts: float) -> None:
    interval = _sub(record, "TradeIntervalData")
    end = start + timedelta(hours=1)
    for name, text in (
        ("HR", str(hour)),
        ("intervalDuration", "60"),
        ("intervalEndTime", f"{end:%Y-%m-%dT%H:%M:%S}-00:00"),
        ("intervalNum", "1"),
        ("intervalStartTime", f"{start:%Y-%m-%dT%H:%M:%S}-00:00"),
        ("MW", f"{megawatts:.2f}"),
        ("tradeDate", trade_date.isoformat()),
    ):
        _sub(interval, name, text)


def _sub(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NS}}}{name}")
    element.text = text
    return element
