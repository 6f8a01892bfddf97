"""Replays one local day of a site: the challenger's plans and the champion's, on what was measured; what is not known is told."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import assert_never

from pydantic import BaseModel, ConfigDict

from headworks.common.database import Database
from headworks.common.ingest import IngestClient
from headworks.common.messages import Basis, Instant
from headworks.plans.challengers.followed import Stood, challenger_plans_of, champion_plans, led
from headworks.plans.challengers.scoring import Figures, score_afterbay, score_station, stretches, together
from headworks.plans.measured import HOUR, QUARTER, afterbay_record, by_quarter, good
from headworks.waterway import series as names
from headworks.waterway.afterbay_balance import balance_m3s, formula_m3s
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite
from headworks.waterway.timegrid import TimeGrid, local_midnight

LEVEL_WITHIN = timedelta(minutes=10)
RUNS_ABOVE_HZ = 1.0
LOOK_BACK = timedelta(hours=6)
"""Runs and rests that were longer are long enough."""
Plans = Mapping[str, Sequence[Stood]]


class DayScore(BaseModel):
    """A day of a challenger beside the champion, over the same steps; `not_known` counts the steps left out, by reason."""

    model_config = ConfigDict(frozen=True)
    publisher: str
    site: str
    day: date
    scored_at: Instant
    step_s: float
    steps: int
    challenger: Figures | None
    champion: Figures | None
    not_known: dict[str, int]
    notes: tuple[str, ...] = ()


async def score_day(
    database: Database, ingest: IngestClient, site: AnySite, publisher: str, day: date, now: datetime
) -> DayScore:
    """Score a local day of 23 to 25 hours. Raises IngestAway."""
    start, end = local_midnight(day, site.zone), local_midnight(day + timedelta(days=1), site.zone)
    step = HOUR if isinstance(site, AfterbaySite) else QUARTER
    grid = TimeGrid(start, step, (end - start) // step)
    theirs = await challenger_plans_of(database, publisher, site.site, start, end)
    ours = await champion_plans(database, site.site, start, end)
    match site:
        case AfterbaySite():
            found = await _afterbay(site, ingest, grid, theirs, ours)
        case StationSite():
            found = await _station(site, ingest, grid, theirs, ours)
        case _:
            assert_never(site)
    challenger, champion, not_known, notes = found
    return DayScore(
        publisher=publisher,
        site=site.site,
        day=day,
        scored_at=now,
        step_s=grid.step_s,
        steps=grid.count,
        challenger=together(challenger),
        champion=together(champion),
        not_known=dict(sorted(not_known.items())),
        notes=tuple(notes),
    )


Found = tuple[list[Figures], list[Figures], Counter[str], list[str]]


async def _afterbay(site: AfterbaySite, ingest: IngestClient, grid: TimeGrid, theirs: Plans, ours: Plans) -> Found:
    record = await afterbay_record(site, ingest, grid.start - HOUR, grid.end)
    unit = site.afterbay.unit.resource
    asked = [[_mean(plans.get(unit, ()), at, grid.step) for at in grid.starts] for plans in (theirs, ours)]
    hours = [record.hour(at) for at in grid.starts]
    balances = [balance_m3s(site, hour, record.float_at(at)) for hour, at in zip(hours, grid.starts, strict=True)]
    entered = [b if b is not None else formula_m3s(site, hour) for b, hour in zip(balances, hours, strict=True)]
    power = [record.means[names.OXPH_POWER].get(at - HOUR) for at in grid.starts]
    prices = await _prices(site.site, ingest, grid.start, grid.end)
    price = [_price(prices, at, grid.step) for at in grid.starts]
    known, not_known = _known(asked, entered, grid.count)
    scored: tuple[list[Figures], list[Figures]] = ([], [])
    notes: list[str] = []
    if None in price:
        notes.append(f"no revenue: the price of {price.count(None)} h is not known")
    by_formula = sum(b is None and e is not None for b, e in zip(balances, entered, strict=True))
    if by_formula:
        notes.append(
            f"{by_formula} h of inflow by the gauges' formula: the balance is not known, or water may have spilled"
        )
    begins = [hour.before_m is not None and mw is not None for hour, mw in zip(hours, power, strict=True)]
    for steps in _begun(stretches(known), begins, not_known):
        first = steps.start

        def of(values: Sequence[float | None], steps: range = steps, first: int = first) -> Figures:
            return score_afterbay(
                site,
                initial_elevation_m=hours[first].before_m or 0.0,
                initial_power_mw=power[first] or 0.0,
                float_m=record.float_at(grid.starts[first]),
                setpoint_mw=[values[t] or 0.0 for t in steps],
                inflow_m3s=[entered[t] or 0.0 for t in steps],
                price_eur_per_mwh=_all_known([price[t] for t in steps]),
                step_s=grid.step_s,
            )

        try:
            both = [of(values) for values in asked]
        except OutOfRange as error:
            notes.append(f"from {grid.starts[first]:%FT%TZ}: {error}")
            not_known["out_of_range"] += len(steps)
            continue
        for into, figures in zip(scored, both, strict=True):
            into.append(figures)
    return *scored, not_known, notes


async def _station(site: StationSite, ingest: IngestClient, grid: TimeGrid, theirs: Plans, ours: Plans) -> Found:
    resources = [pump.resource for pump in site.pumping_station.pumps]
    back, until = grid.start - LOOK_BACK, grid.end + timedelta(seconds=1)
    levels, inflow, price, speeds = await asyncio.gather(
        ingest.values(site.site, names.TUNNEL_LEVEL, back, until, Basis.INSTANT),
        ingest.values(site.site, names.TUNNEL_INFLOW, back, until, Basis.QUARTER_HOUR_MEAN),
        _prices(site.site, ingest, grid.start, grid.end),
        asyncio.gather(
            *(
                ingest.values(site.site, names.pump_series(pump, "frequency"), back, until, Basis.QUARTER_HOUR_MEAN)
                for pump in resources
            )
        ),
    )
    entered = [by_quarter(inflow).get(at) for at in grid.starts]
    asked = [[_speeds(plans, ours, resources, at) for at in grid.starts] for plans in (theirs, ours)]
    if not theirs:
        asked[0] = [None] * grid.count
    known, not_known = _known(asked, entered, grid.count)
    level = [_newest(good(levels), at) for at in grid.starts]
    records = [by_quarter(record) for record in speeds]
    scored: tuple[list[Figures], list[Figures]] = ([], [])
    for steps in _begun(stretches(known), [each is not None for each in level], not_known):
        for into, values in zip(scored, asked, strict=True):
            figures = score_station(
                site,
                initial_volume_m3=site.pumping_station.station.tunnel.water_at(max(0.0, level[steps.start] or 0.0)),
                before=[_before(record, grid.starts[steps.start]) for record in records],
                frequency_hz=[values[t] or [] for t in steps],
                inflow_m3s=[entered[t] or 0.0 for t in steps],
                price_eur_per_mwh=_all_known([price.get(grid.starts[t]) for t in steps]),
                step_s=grid.step_s,
            )
            into.append(figures)
    return *scored, not_known, []


async def _prices(site: str, ingest: IngestClient, start: datetime, end: datetime) -> dict[datetime, float]:
    """The price by quarter hour, where ingest knows one, published by the hour or the quarter hour."""
    bases = (Basis.QUARTER_HOUR_MEAN, Basis.HOUR_MEAN)
    found = await asyncio.gather(*(ingest.values(site, names.PRICE, start, end, basis) for basis in bases))
    return by_quarter([sample for of_basis in found for sample in of_basis])


def _price(prices: Mapping[datetime, float], at: datetime, step: timedelta) -> float | None:
    """The mean price of a step; None where that of a part of it is not known."""
    values = _all_known([prices.get(at + k * QUARTER) for k in range(step // QUARTER)])
    return None if values is None else sum(values) / len(values)


def _all_known(values: Sequence[float | None]) -> list[float] | None:
    """All of the values; None where one of them is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _known(
    asked: Sequence[Sequence[object | None]], entered: Sequence[float | None], count: int
) -> tuple[list[bool], Counter[str]]:
    """The steps that can be scored, and why the others cannot; the first reason counts."""
    reasons: list[str | None] = []
    for t in range(count):
        if asked[0][t] is None:
            reasons.append("no_challenger_plan")
        elif asked[1][t] is None:
            reasons.append("no_champion_plan")
        else:
            reasons.append("no_inflow" if entered[t] is None else None)
    return [reason is None for reason in reasons], Counter(reason for reason in reasons if reason)


def _begun(found: Iterable[range], begins: Sequence[bool], not_known: Counter[str]) -> list[range]:
    """The stretches from where a start state was measured."""
    whole: list[range] = []
    for steps in found:
        first = next((t for t in steps if begins[t]), steps.stop)
        not_known["no_start_state"] += first - steps.start
        if first < steps.stop:
            whole.append(range(first, steps.stop))
    if not not_known["no_start_state"]:
        del not_known["no_start_state"]
    return whole


def _mean(plans: Sequence[Stood], at: datetime, step: timedelta) -> float | None:
    """What was asked over a step, looked at every five minutes; None where nothing was for some of it."""
    looks = [led(plans, at + k * timedelta(minutes=5)) for k in range(step // timedelta(minutes=5))]
    values = [value for value in looks if value is not None]
    return sum(values) / len(values) if len(values) == len(looks) else None


def _speeds(plans: Plans, otherwise: Plans, resources: Sequence[str], at: datetime) -> list[float] | None:
    """Every pump's speed as a step begins; a pump that a challenger never plans for does as the champion's plans say."""
    found = []
    for resource in resources:
        own = plans.get(resource) or otherwise.get(resource, ())
        value = led(own, at)
        if value is None:
            return None
        found.append(value)
    return found


def _newest(levels: Mapping[datetime, float], at: datetime) -> float | None:
    near = [when for when in levels if at - LEVEL_WITHIN <= when <= at]
    return levels[max(near)] if near else None


def _before(record: Mapping[datetime, float], start: datetime) -> Before:
    """How a pump really stood before a stretch, and for how long so far as is known."""
    on, steps = record.get(start - QUARTER, 0.0) > RUNS_ABOVE_HZ, 0
    while (mean := record.get(start - (steps + 1) * QUARTER)) is not None and (mean > RUNS_ABOVE_HZ) == on:
        steps += 1
    return Before(on, steps)
