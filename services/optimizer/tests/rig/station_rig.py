"""The station of the repository's site file, with what a test changes in it, and how it stands at a local midnight."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from headworks.optimizer.station.case import OutsideInflow, PumpState, StationInputs
from headworks.waterway.station_site import StationSite

STATION_FILE = Path(__file__).parents[4] / "sites" / "blominmaki.yaml"
MIDNIGHT = datetime(2024, 11, 19, 22, 0, tzinfo=UTC)
"""Of 20 November in Helsinki."""
STEP = timedelta(minutes=15)
CHEAP_NIGHT = tuple(20.0 if hour < 6 else 90.0 for hour in range(24) for _ in range(4))
GROUPED: dict[str, Any] = {"alike": "1 m", "tail": "0 h"}
"""Settings of the solve for speed: pumps alike in groups, and no tail."""


@cache
def _written() -> dict[str, Any]:
    site: dict[str, Any] = yaml.safe_load(STATION_FILE.read_text(encoding="utf-8"))
    return site


def raw_station() -> dict[str, Any]:
    """The site file's content, the caller's to change."""
    return deepcopy(_written())


def station_with(*, schedule: dict[str, Any] | None = None, **planning: dict[str, Any]) -> StationSite:
    """The site with other values in its schedule and in sections of its planning."""
    raw = raw_station()
    raw["schedule"] |= schedule or {}
    for section, values in planning.items():
        raw["planning"][section] |= values
    return StationSite.model_validate(raw)


@cache
def quick_station() -> StationSite:
    """The site planned with pumps in groups and no tail, and time enough on a slow machine."""
    return station_with(schedule={"time_limit": "60 s"}, solve=GROUPED | {"rounds": 2})


def inputs(site: StationSite, *, flow_m3s: float, level_m: float = 2.4, **changes: Any) -> StationInputs:
    """Two pumps on, a constant inflow that somebody outside forecasts, and power cheap by night."""
    names = [pump.resource for pump in site.pumping_station.pumps]
    asked: dict[str, Any] = {
        "site": "blominmaki",
        "start": MIDNIGHT,
        "step_s": 900.0,
        "level_m": level_m,
        "pumps": tuple(PumpState(resource=name, on=name in {"P1_1", "P1_4"}, steps=20) for name in names),
        "past_inflow_m3s": (flow_m3s,) * 8,
        "price_eur_per_mwh": CHEAP_NIGHT,
        "outside_inflow": OutsideInflow(source="the test", issued_at=MIDNIGHT, flow_m3s=(flow_m3s,)),
    }
    return StationInputs.model_validate(asked | changes)
