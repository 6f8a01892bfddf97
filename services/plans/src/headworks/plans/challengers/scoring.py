"""Scores a schedule on what really happened: pure, on the true curves of `waterway`.

Challenger and champion are scored over the same steps: those in which both had a plan and everything was measured. Each stretch
of such steps begins at the measured state. What a plan leaves in the reservoir or tunnel at the end is shown, and has no price.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.simulate import simulate
from headworks.waterway.station import simulate_station
from headworks.waterway.station_rules import Before, breaches
from headworks.waterway.station_site import StationSite

FOLLOWED_MW = 0.01
LEVEL_M = 1e-6


class Figures(BaseModel):
    """What a schedule came to. None is not known, or not a matter of this kind of site; money in EUR, levels in m."""

    model_config = ConfigDict(frozen=True)
    scored_h: float
    energy_mwh: float = Field(description="made by a unit, used by pumps")
    revenue_eur: float | None = None
    cost_eur: float | None = None
    spill_m3: float | None = None
    starts: int | None = None
    violations: dict[str, int] = Field(description="steps by broken rule")
    lowest_m: float
    highest_m: float
    end_storage_m3: float


def score_afterbay(
    site: AfterbaySite,
    *,
    initial_elevation_m: float,
    initial_power_mw: float,
    float_m: float,
    setpoint_mw: Sequence[float],
    inflow_m3s: Sequence[float],
    price_eur_per_mwh: Sequence[float] | None,
    step_s: float,
) -> Figures:
    """One stretch of an afterbay. Raises OutOfRange when the reservoir leaves its surveyed range."""
    reservoir = site.afterbay.reservoir
    run = simulate(
        reservoir.stage_storage.curve,
        site.afterbay.unit,
        initial_elevation_m=initial_elevation_m,
        initial_power_mw=initial_power_mw,
        setpoint_mw=setpoint_mw,
        inflow_m3s=inflow_m3s,
        float_elevation_m=float_m,
        step_s=step_s,
    )
    hours = step_s / 3600
    broken = Counter[str]()
    for asked, given, level_m in zip(setpoint_mw, run.power_mw, run.elevation_m, strict=True):
        broken["minimum_elevation"] += level_m < reservoir.minimum_elevation - LEVEL_M
        broken["maximum_elevation"] += level_m > float_m - reservoir.float_buffer + LEVEL_M
        broken["not_followed"] += abs(asked - given) > FOLLOWED_MW
    return Figures(
        scored_h=len(setpoint_mw) * hours,
        energy_mwh=sum(run.power_mw) * hours,
        revenue_eur=_money(run.power_mw, price_eur_per_mwh, hours),
        spill_m3=sum(run.spill_m3s) * step_s,
        violations={rule: count for rule, count in sorted(broken.items()) if count},
        lowest_m=min(run.elevation_m),
        highest_m=max(run.elevation_m),
        end_storage_m3=run.storage_m3[-1],
    )


def score_station(
    site: StationSite,
    *,
    initial_volume_m3: float,
    before: Sequence[Before],
    frequency_hz: Sequence[Sequence[float]],
    inflow_m3s: Sequence[float],
    price_eur_per_mwh: Sequence[float] | None,
    step_s: float,
) -> Figures:
    """One stretch of a pumping station; `frequency_hz` has shape (steps, pumps), 0 for off."""
    kind = site.pumping_station
    run = simulate_station(
        kind.station,
        initial_volume_m3=initial_volume_m3,
        frequency_hz=frequency_hz,
        inflow_m3=[flow * step_s for flow in inflow_m3s],
        step_s=step_s,
    )
    hours = step_s / 3600
    broken = Counter(breach.rule for breach in breaches(kind.limits(step_s), frequency_hz, run, before))
    return Figures(
        scored_h=len(frequency_hz) * hours,
        energy_mwh=run.energy_mwh(step_s),
        cost_eur=_money(run.power_mw, price_eur_per_mwh, hours),
        starts=_starts(frequency_hz, before),
        violations=dict(sorted(broken.items())),
        lowest_m=min(run.level_m),
        highest_m=max(run.level_m),
        end_storage_m3=run.volume_m3[-1],
    )


def together(figures: Sequence[Figures]) -> Figures | None:
    """Stretches as one: sums, extremes, the last end. None of nothing; money only where all stretches know it."""
    if not figures:
        return None
    broken = Counter[str]()
    for each in figures:
        broken.update(each.violations)
    return Figures(
        scored_h=sum(each.scored_h for each in figures),
        energy_mwh=sum(each.energy_mwh for each in figures),
        revenue_eur=_sum([each.revenue_eur for each in figures]),
        cost_eur=_sum([each.cost_eur for each in figures]),
        spill_m3=_sum([each.spill_m3 for each in figures]),
        starts=None if figures[0].starts is None else sum(each.starts or 0 for each in figures),
        violations=dict(sorted(broken.items())),
        lowest_m=min(each.lowest_m for each in figures),
        highest_m=max(each.highest_m for each in figures),
        end_storage_m3=figures[-1].end_storage_m3,
    )


def stretches(known: Sequence[bool]) -> Iterator[range]:
    """The runs of steps in which all is known."""
    edges = [t for t, (was, now) in enumerate(pairwise([False, *known, False])) if was != now]
    yield from (range(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True))


def _money(power_mw: Sequence[float], price: Sequence[float] | None, hours: float) -> float | None:
    return None if price is None else sum(mw * eur for mw, eur in zip(power_mw, price, strict=True)) * hours


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _starts(frequency_hz: Sequence[Sequence[float]], before: Sequence[Before]) -> int:
    rows = [[was.on for was in before], *([hz > 0 for hz in row] for row in frequency_hz)]
    return sum(on and not was for earlier, later in pairwise(rows) for was, on in zip(earlier, later, strict=True))
