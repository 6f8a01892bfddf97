"""The afterbay as it would answer: its own integration of the physics in small steps, apart from Headworks' own model.

Everything in the field's units here (ft, cfs, MW), as the operators' formulas are written.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from headworks.simulators.historian import MINUTE, Historian, Reading, Tag
from headworks.simulators.hydrology import Hydrology
from headworks.simulators.units import in_unit

STEP = timedelta(seconds=20)
CUBIC_FEET_PER_ACRE_FOOT = 43560.0
HISTORY = timedelta(days=8)
TAGS = {
    r"Reservoirs\Afterbay|Elevation": Tag("elevation", "ft"),
    r"Reservoirs\Afterbay|Elevation Setpoint": Tag("float", "ft"),
    r"Generation Units\Oxbow|Power": Tag("oxph_power", "MW"),
    r"Generation Units\Oxbow|Gov Setpoint": Tag("oxph_setpoint", "MW"),
    r"Misc Tags|GEN_MDFK_and_RA": Tag("mfra_power", "MW"),
    r"Additions for PI Vision|CCS Mode": Tag("mode", "", {0: "GEN", 1: "SPILL"}),
    **{rf"Gauging Stations\{g}|Flow": Tag(g, "cfs") for g in ("R4", "R20", "R5L", "R26", "R11")},
    r"Gauging Stations\R30|Flow_EM": Tag("R30", "cfs"),
}


@dataclass(frozen=True, slots=True)
class Constants:
    """The site's numbers in ft, cfs, acre-feet and MW."""

    a: float
    b: float
    c: float
    lowest_ft: float
    float_ft: float
    min_mw: float
    max_mw: float
    ramp_mw_per_s: float
    cfs_per_mw: float
    cfs_at_zero: float
    head_slope: float
    head_intercept: float
    share: float
    water: tuple[float, float, float]
    flow_cap_cfs: float
    reduction_cap_mw: float
    reduction_mw_per_cfs: float
    count_r4: bool


def constants_of(site: dict[str, Any]) -> Constants:
    """The numbers of a site file's `afterbay` section."""
    abay = site["afterbay"]
    curve, unit, up = abay["reservoir"]["stage_storage"], abay["unit"], abay["upstream"]
    return Constants(
        a=in_unit(curve["a"], "acre_ft/ft**2"),
        b=in_unit(curve["b"], "acre_ft/ft"),
        c=in_unit(curve["c"], "acre_ft"),
        lowest_ft=in_unit(curve["lowest"], "ft"),
        float_ft=in_unit(abay["reservoir"]["float_elevation"], "ft"),
        min_mw=in_unit(unit["min_power"], "MW"),
        max_mw=in_unit(unit["max_power"], "MW"),
        ramp_mw_per_s=in_unit(unit["ramp_rate"], "MW/s"),
        cfs_per_mw=in_unit(unit["water_per_power"], "cfs/MW"),
        cfs_at_zero=in_unit(unit["water_at_zero"], "cfs"),
        head_slope=in_unit(unit["head_limit_slope"], "MW/ft"),
        head_intercept=in_unit(unit["head_limit_intercept"], "MW"),
        share=float(up["share"]),
        water=(
            in_unit(up["water"]["a"], "cfs/MW**2"),
            in_unit(up["water"]["b"], "cfs/MW"),
            in_unit(up["water"]["c"], "cfs"),
        ),
        flow_cap_cfs=in_unit(up["flow_cap"], "cfs"),
        reduction_cap_mw=in_unit(up["generation_reduction_cap"], "MW"),
        reduction_mw_per_cfs=in_unit(up["generation_reduction_per_flow"], "MW/cfs"),
        count_r4=bool(abay["inflow"]["r4_counted_in_sum"]),
    )


class Plant(Historian):
    """The reservoir and its unit. `setpoint_mw` is what the governor was last given."""

    def __init__(
        self, constants: Constants, hydrology: Hydrology, award_mw: "Awards", start: datetime, seed: int
    ) -> None:
        super().__init__(TAGS, HISTORY)
        self._k, self._hydrology, self._award_mw = constants, hydrology, award_mw
        self._rng = np.random.default_rng(seed + 1)
        self.setpoint_mw, self.power_mw = 2.0, 2.0
        self.elevation_ft = 1170.5
        self.spill_cfs = self.net_inflow_cfs = 0.0
        self._mfra_offset_mw, self._mfra_hour = 0.0, -1
        self.at = start - timedelta(hours=30)
        self._spin_up(start)

    def _spin_up(self, start: datetime) -> None:
        """A past for the historian: the unit passed about what came, so that the level stayed near the middle."""
        while self.at < start:
            inflow = self._inflow_cfs(self.at)
            balanced = (inflow - self._k.cfs_at_zero) / self._k.cfs_per_mw
            wanted = balanced + 1.5 * (self.elevation_ft - 1170.5)
            self.setpoint_mw = round(min(self._k.max_mw, max(self._k.min_mw, wanted)), 2)
            self.advance(self.at + timedelta(minutes=5))

    def advance(self, until: datetime) -> None:
        """Integrate up to an instant; the record has a reading on every whole minute."""
        while self.at < until:
            next_minute = self.at.replace(second=0, microsecond=0) + MINUTE
            step = min(STEP, until - self.at, next_minute - self.at)
            self._step(step.total_seconds())
            self.at += step
            if self.at == next_minute:
                self.keep(self._reading())

    def _step(self, seconds: float) -> None:
        k = self._k
        most = self._k.ramp_mw_per_s * seconds
        asked = min(k.max_mw, max(k.min_mw, self.setpoint_mw))
        self.power_mw += min(most, max(-most, asked - self.power_mw))
        self.power_mw = max(k.min_mw, min(self.power_mw, k.head_slope * self.elevation_ft + k.head_intercept))
        self.net_inflow_cfs = self._inflow_cfs(self.at) - (k.cfs_per_mw * self.power_mw + k.cfs_at_zero)
        storage = self._storage(self.elevation_ft) + self.net_inflow_cfs * seconds / CUBIC_FEET_PER_ACRE_FOOT
        full = self._storage(k.float_ft)
        self.spill_cfs = max(0.0, storage - full) * CUBIC_FEET_PER_ACRE_FOOT / seconds
        storage = min(storage, full)
        storage = self._not_below_the_outlet(storage, seconds)
        self.elevation_ft = (-k.b + math.sqrt(k.b**2 - 4 * k.a * (k.c - storage))) / (2 * k.a)

    def _not_below_the_outlet(self, storage: float, seconds: float) -> float:
        """The storage, kept at the lowest by a unit that runs on what comes in: it cannot take what is not there."""
        k, empty = self._k, self._storage(self._k.lowest_ft)
        if storage >= empty:
            return storage
        lacking_cfs = (empty - storage) * CUBIC_FEET_PER_ACRE_FOOT / seconds
        self.power_mw = max(0.0, self.power_mw - lacking_cfs / k.cfs_per_mw)
        self.net_inflow_cfs += lacking_cfs
        return empty

    def _storage(self, elevation_ft: float) -> float:
        return (self._k.a * elevation_ft + self._k.b) * elevation_ft + self._k.c

    def mfra_mw(self, at: datetime) -> float:
        """MFRA follows its award with a small deviation that changes by the hour."""
        hour = int(at.timestamp() // 3600)
        if hour != self._mfra_hour:
            self._mfra_hour, self._mfra_offset_mw = hour, float(self._rng.normal(0, 1.5))
        return max(0.0, self._award_mw.at(at) + self._mfra_offset_mw)

    def _inflow_cfs(self, at: datetime) -> float:
        k, flow = self._k, {g: self._hydrology.flow_cfs(g, at) for g in ("R30", "R4", "R20", "R5L", "R26")}
        diverted = flow["R4"] - flow["R5L"]
        reduction = min(k.reduction_cap_mw, max(0.0, diverted * k.reduction_mw_per_cfs))
        share = k.share * max(0.0, self.mfra_mw(at) - reduction)
        mf = k.water[0] * share**2 + k.water[1] * share + k.water[2]
        river = flow["R30"] + flow["R20"] - flow["R5L"] - flow["R26"] + (flow["R4"] if k.count_r4 else 0.0)
        return river + max(min(k.flow_cap_cfs, mf + diverted), max(0.0, diverted))

    def _reading(self) -> Reading:
        flows = {g: self._hydrology.flow_cfs(g, self.at) for g in ("R4", "R20", "R5L", "R26", "R11", "R30")}
        return Reading(
            self.at,
            {
                "elevation": self.elevation_ft,
                "float": self._k.float_ft,
                "oxph_power": self.power_mw,
                "oxph_setpoint": self.setpoint_mw,
                "mfra_power": self.mfra_mw(self.at),
                "mode": 0.0,
                **flows,
            },
        )


class Awards:
    """What MFRA is awarded at any instant [MW]."""

    def at(self, instant: datetime) -> float:
        """The award of the hour."""
        raise LookupError(instant)
