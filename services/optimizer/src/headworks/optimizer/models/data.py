"""A case in the model's own units, and its ranks as prices.

Storage is counted in dam³ (1000 m³) from the minimum elevation, so that its numbers lie near the others'; power in MW;
a step is an hour. Every price and its reason is listed in docs/models/afterbay.md.
"""

from dataclasses import dataclass
from itertools import pairwise

from headworks.optimizer.afterbay.case import Case
from headworks.waterway.afterbay import head_limit_mw
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.rafting import windows

DAM3 = 1000.0
RANK_PRICE = {1: 1000.0, 2: 100.0, 3: 10.0, 4: 1.0, 5: 0.1}
SPILL_PRICE, RAFTING_PRICE, CHANGE_PRICE, MIDPOINT_PRICE, REVENUE_PRICE = 1.0, 10.0, 1.0, 0.02, 0.1
LIMIT_OVER_OBJECTIVES = 1.2
BELOW_OVER_SPILL = 10.0
COARSE_SEGMENTS, FINE_SEGMENTS = 2, 8


@dataclass(frozen=True, slots=True)
class Prices:
    """What one unit of each term costs; tuples have one entry per hour.

    spill falls over the horizon by more than an hour over the limit costs, so that it never pays to spill early and leave
    the upper limit sooner: the linear form spills at float alone, as nature does. Where the base price itself rises
    over the horizon (into summer) that may fail; then the spill gates hold it (models/afterbay.py).
    """

    spill: tuple[float, ...]
    above: float
    below: float
    rafting: float
    change: tuple[float, ...]
    midpoint: float
    revenue: float


Line = tuple[float, float]
"""A slope [MW/dam³] and an intercept [MW]."""


@dataclass(frozen=True, slots=True)
class HeadLines:
    """Chords of the head limit over storage: it is concave, so all of a set together lie just under it.

    Between the minimum and float the fine ones, for hours in which the setpoint is the unit's maximum and the head decides,
    lie at most 0.0001 MW under it, the coarse ones 0.0013 MW. `below` serves under the minimum, where the soft form goes.
    """

    below: Line
    coarse: tuple[Line, ...]
    fine: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """The case in the model's units.

    `highest_mw` is what the unit can make at float, where its head is greatest; `least_spill_dam3` and `most_spill_dam3`
    are what any schedule spills in an hour, at the unit's most from the start on and at its least.
    """

    site: str
    hours: int
    min_power_mw: float
    max_power_mw: float
    highest_mw: float
    spill_power_mw: float
    inflow_dam3: tuple[float, ...]
    water_per_mw_dam3: float
    water_at_zero_dam3: float
    origin_m3: float
    initial_dam3: float
    lowest_dam3: float
    maximum_dam3: float
    float_dam3: float
    midpoint_dam3: float
    least_spill_dam3: tuple[float, ...]
    most_spill_dam3: tuple[float, ...]
    ramp_mw: float
    initial_mw: float
    initial_head_mw: float
    head_lines: HeadLines
    rafting_hours: tuple[bool, ...]
    prices_per_mwh: tuple[float | None, ...]
    prices: Prices


def prepare(site: AfterbaySite, case: Case) -> Data:
    """The case in the model's units."""
    abay, step_s = site.afterbay, case.grid.step_s
    unit, curve = abay.unit, abay.reservoir.stage_storage.curve
    origin_m3 = curve.storage_at(abay.reservoir.minimum_elevation)

    def dam3(elevation_m: float) -> float:
        return (curve.storage_at(elevation_m) - origin_m3) / DAM3

    inflow_dam3 = tuple(flow * step_s / DAM3 for flow in case.net_inflow_m3s(abay))
    water_per_mw_dam3, water_at_zero_dam3 = unit.water_per_power * step_s / DAM3, unit.water_at_zero * step_s / DAM3
    initial_dam3, float_dam3 = dam3(case.initial_elevation_m), dam3(case.float_elevation_m)
    maximum_dam3 = dam3(case.float_elevation_m - abay.reservoir.float_buffer)
    highest_mw = min(unit.max_power, max(unit.min_power, head_limit_mw(unit, case.float_elevation_m)))
    least_dam3 = water_at_zero_dam3 + water_per_mw_dam3 * unit.min_power
    most_dam3 = water_at_zero_dam3 + water_per_mw_dam3 * highest_mw
    start_m = min(case.initial_elevation_m, case.float_elevation_m)
    return Data(
        site=case.site,
        min_power_mw=unit.min_power,
        max_power_mw=unit.max_power,
        highest_mw=highest_mw,
        spill_power_mw=abay.spill.preferable_above_power,
        hours=case.grid.count,
        inflow_dam3=inflow_dam3,
        water_per_mw_dam3=water_per_mw_dam3,
        water_at_zero_dam3=water_at_zero_dam3,
        origin_m3=origin_m3,
        initial_dam3=initial_dam3,
        lowest_dam3=dam3(curve.lowest_m),
        maximum_dam3=maximum_dam3,
        float_dam3=float_dam3,
        # The middle that is steered for lies within the limits, wherever the operator's float has moved them.
        midpoint_dam3=min(maximum_dam3, max(0.0, dam3(abay.reservoir.midpoint_elevation))),
        least_spill_dam3=_spill_at(most_dam3, initial_dam3, float_dam3, inflow_dam3),
        most_spill_dam3=_spill_at(least_dam3, initial_dam3, float_dam3, inflow_dam3),
        ramp_mw=unit.ramp_rate * step_s / 60,
        # What the unit does now is no limit: the ramp starts from the measured power brought into the unit's range.
        initial_mw=min(unit.max_power, max(unit.min_power, case.initial_power_mw)),
        initial_head_mw=max(unit.min_power, head_limit_mw(unit, start_m)),
        head_lines=_head_lines(site, case, origin_m3),
        rafting_hours=_rafting_hours(site, case),
        prices_per_mwh=tuple(f.price_per_mwh for f in case.forcing),
        prices=_prices(site, case, water_per_mw_dam3),
    )


def limits_cannot_hold(data: Data) -> bool:
    """Whether no schedule at all keeps the elevation limits: shown by the reachable storages, ramps aside."""
    least = data.water_at_zero_dam3 + data.water_per_mw_dam3 * data.min_power_mw
    most = data.water_at_zero_dam3 + data.water_per_mw_dam3 * data.highest_mw
    low = high = data.initial_dam3
    for inflow in data.inflow_dam3:
        low, high = max(0.0, low + inflow - most), min(data.maximum_dam3, high + inflow - least)
        if low > high:
            return True
    return False


def first_dry_hour(data: Data) -> tuple[int, float] | None:
    """The hour in which the reservoir leaves its surveyed range even at the unit's least, and by how much [dam³]."""
    least = data.water_at_zero_dam3 + data.water_per_mw_dam3 * data.min_power_mw
    storage = data.initial_dam3
    for t, inflow in enumerate(data.inflow_dam3):
        storage = min(data.float_dam3, storage + inflow - least)
        if storage < data.lowest_dam3:
            return t, data.lowest_dam3 - storage
    return None


def _spill_at(
    release_dam3: float, initial_dam3: float, float_dam3: float, inflow_dam3: tuple[float, ...]
) -> tuple[float, ...]:
    """What is over float at each hour's end when the unit passes so much in every hour."""
    spill, storage = [], initial_dam3
    for inflow in inflow_dam3:
        storage += inflow - release_dam3
        spill.append(max(0.0, storage - float_dam3))
        storage = min(storage, float_dam3)
    return tuple(spill)


def _rafting_hours(site: AfterbaySite, case: Case) -> tuple[bool, ...]:
    releases = windows(site.afterbay.rafting, site.zone, case.grid.start, case.grid.end)
    return tuple(any(window.start <= start < window.end for window in releases) for start in case.grid.starts)


def _head_lines(site: AfterbaySite, case: Case, origin_m3: float) -> HeadLines:
    low_m, high_m = site.afterbay.reservoir.minimum_elevation, case.float_elevation_m
    curve, unit = site.afterbay.reservoir.stage_storage.curve, site.afterbay.unit

    def chords(low_m: float, high_m: float, segments: int) -> tuple[Line, ...]:
        points = [low_m + (high_m - low_m) * i / segments for i in range(segments + 1)]
        known = [((curve.storage_at(h) - origin_m3) / DAM3, head_limit_mw(unit, h)) for h in points]
        slopes = [(p1 - p0) / (v1 - v0) for (v0, p0), (v1, p1) in pairwise(known)]
        return tuple((slope, p - slope * v) for slope, (v, p) in zip(slopes, known, strict=False))

    return HeadLines(
        below=chords(curve.lowest_m, low_m, 1)[0],
        coarse=chords(low_m, high_m, COARSE_SEGMENTS),
        fine=chords(low_m, high_m, FINE_SEGMENTS),
    )


def _prices(site: AfterbaySite, case: Case, water_per_mw_dam3: float) -> Prices:
    """The ranks as prices: a rank is a factor of ten; the elevation limits cost more than any objective can gain by them."""
    ranks, night = case.options.ranks, case.options.night
    locals_ = [start.astimezone(site.zone) for start in case.grid.starts]
    is_night = [at.hour >= night.from_hour or at.hour < night.to_hour for at in locals_]
    change = RANK_PRICE[ranks.smooth_operation] * CHANGE_PRICE
    changes = tuple(change * (night.change_cost_factor if dark else 1.0) for dark in is_night)
    rafting = RANK_PRICE[ranks.summer_rafting] * RAFTING_PRICE
    midpoint = RANK_PRICE[ranks.midpoint_elevation] * MIDPOINT_PRICE
    revenue = RANK_PRICE[ranks.revenue] * REVENUE_PRICE
    dearest = max((abs(f.price_per_mwh) for f in case.forcing if f.price_per_mwh is not None), default=0.0)
    # A dam³ makes 1/water MWh: no rafting, revenue or spared change that it buys may be worth an hour over the limit.
    wanted = rafting if any(_rafting_hours(site, case)) else 0.0
    bought = (wanted + revenue * dearest + 2 * max(changes)) / water_per_mw_dam3
    above = LIMIT_OVER_OBJECTIVES * bought + midpoint
    summer = site.afterbay.spill.summer
    bases = [
        RANK_PRICE[ranks.avoid_summer_spill if summer.from_ <= f"{at:%m-%d}" <= summer.to else ranks.avoid_spill]
        for at in locals_
    ]
    full_hour = (above + midpoint) * 1.01
    spill = tuple(SPILL_PRICE * base + (len(bases) - t) * full_hour for t, base in enumerate(bases))
    return Prices(
        spill=spill,
        above=above,
        below=BELOW_OVER_SPILL * max(spill),
        rafting=rafting,
        change=changes,
        midpoint=midpoint,
        revenue=revenue,
    )
