"""The record of a real autumn at the station, quarter hour by quarter hour, laid over the plant's time.

Its sixteen whole local days follow one another again and again: the first is the local day on which the plant's time
begins, and the last the day before. A quarter hour of the record stays at its hour of the local day.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

FILE = "hsy_blominmaki_2024-11.csv"
LOCAL = ZoneInfo("Europe/Helsinki")
QUARTER = timedelta(minutes=15)
INFLOW = "Inflow to tunnel F1 (m3/15 min)"
PRICE = "Electricity price 2: normal (EUR/kWh)"
EUR_PER_MWH_IN_CENT_PER_KWH = 10.0


@dataclass(frozen=True, slots=True)
class StationRecord:
    """Inflow [m³/h] and price [EUR/MWh] of each quarter hour, from `first` on and again from the start after the last."""

    first: datetime
    inflow_m3h: tuple[float, ...]
    price_eur_per_mwh: tuple[float, ...]

    def row(self, at: datetime) -> int:
        """The place of the quarter hour that holds an instant."""
        return (at - self.first) // QUARTER % len(self.inflow_m3h)


def recorded_prices(record: StationRecord) -> Callable[[datetime], float]:
    """The price [EUR/MWh] of the quarter hour that holds an instant."""
    return lambda at: record.price_eur_per_mwh[record.row(at)]


def read_record(start: datetime) -> StationRecord | None:
    """The record in the folder that HEADWORKS_DATA names, or None without it. `start` is when the plant's time begins."""
    folder = os.environ.get("HEADWORKS_DATA")
    file = Path(folder, FILE) if folder else None
    if file is None or not file.exists():
        return None
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    # A row's flow acts over the quarter hour that ends at its stamp, and its price over the one that begins there: the first
    # row's flow is of the day before, which stands at the end of the record.
    inflow = [max(0.0, float(row[INFLOW])) * 4 for row in rows]
    prices = [float(row[PRICE]) * EUR_PER_MWH_IN_CENT_PER_KWH for row in rows]
    midnight = start.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
    return StationRecord(midnight.astimezone(start.tzinfo), tuple(inflow[1:] + inflow[:1]), tuple(prices))
