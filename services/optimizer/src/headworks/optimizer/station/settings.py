"""The `planning` section of a station's site file: how to forecast, how to tune to the moment, what the soft terms cost."""

from dataclasses import replace
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from headworks.optimizer.station.case import Strategy
from headworks.optimizer.station.forecasting import InflowMethod
from headworks.waterway import quantities as q
from headworks.waterway.quantities import in_unit
from headworks.waterway.site import Section, explain
from headworks.waterway.station_rules import StationRules
from headworks.waterway.station_site import StationSite


def _quantiles(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] < 0.5 < pair[1] < 1:
        raise ValueError(f"{list(pair)} must be one quantile below 0.5 and one above, such as [0.1, 0.9]")
    return pair


TAIL_STEP_S = 3600.0
"""How long a step of the tail is."""
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(gt=0, le=100)]
Price = Annotated[float, Field(ge=0)]


class ForecastSection(Section):
    """How inflow is forecast, and the band that is kept with it."""

    method: InflowMethod
    quantiles: Annotated[tuple[float, float], AfterValidator(_quantiles)]


class SolveSection(Section):
    """How the program is solved: pumps alike within, rounds and their agreement, price of being nearly exact."""

    alike: q.Metres = Field(
        description="pumps of one make whose losses differ by less are planned as one group; 0: none"
    )
    tail: q.Seconds = Field(ge=0, description="how far to look beyond the schedule, in hours without integers")
    rounds: int = Field(ge=1, le=10)
    agree: q.CubicMetres
    first_volume: q.CubicMetres = Field(
        default=20_000.0,
        gt=0,
        description="a first plan is linear about this volume, or the present one where that is more",
    )
    threads: int = Field(ge=1, le=64)


class PricesSection(Section):
    """What the soft terms cost [EUR]; per dam³ and step where volumes are meant."""

    above_margin: Price
    above_maximum: Price
    below_floor: Price
    not_emptied: Price
    start: Price
    change_of_outflow: Price
    uneven_outflow: Price = Field(description="EUR/dam³ further from the mean inflow than even_within")
    energy: Price
    specific_energy: Price = Field(description="EUR/MWh beyond what a step's outflow would take at the target")
    wear: Price


class QualitySection(Section):
    """From which mean error of the inflow its forecast is fair or poor, and by how much that narrows the level band."""

    fair_from: Share
    poor_from: Share
    fair_lowers_maximum: q.Metres = Field(description="for each percent of error")
    poor_lowers_maximum: q.Metres = Field(description="for each percent of error")
    fair_raises_minimum: q.Metres
    poor_raises_minimum: q.Metres
    most_lowered: q.Metres

    @model_validator(mode="after")
    def _ordered(self) -> "QualitySection":
        if not self.fair_from < self.poor_from:
            raise ValueError(f"fair_from={self.fair_from} must lie below poor_from={self.poor_from}")
        return self


class RiskSection(Section):
    """When the tunnel is near trouble: the room left below the maximum, the inflow's rise, the forecast's spread."""

    low_above_room: Share = Field(description="of the tunnel's volume up to the maximum")
    high_below_room: Share
    critical_below_room: Share
    rising_by: Share = Field(description="inflow's rise over two hours that raises the risk by a level")
    spread_over: Share = Field(description="band over forecast that raises the risk by a level")
    safety_factors: dict[str, Factor]

    @model_validator(mode="after")
    def _ordered(self) -> "RiskSection":
        if not self.critical_below_room < self.high_below_room < self.low_above_room:
            raise ValueError("critical_below_room < high_below_room < low_above_room must hold")
        missing = {"low", "normal", "high", "critical"} - set(self.safety_factors)
        if missing:
            raise ValueError(f"safety_factors: {sorted(missing)} are missing")
        return self


class EmergencySection(Section):
    """When measured and predicted diverge so far, and what is done then."""

    diverges_by: q.CubicMetres = Field(description="of the change over the last hour")
    lowers_maximum: q.Metres
    raises_minimum: q.Metres
    safety_factor: Factor
    cost_factor: Factor


class StrategySection(Section):
    """What a strategy changes."""

    cost_factor: Factor = 1.0
    safety_factor: Factor = 1.0
    change_of_outflow: Price = Field(default=0.0, description="EUR/dam³, beside the site's own")
    start_factor: Annotated[float, Field(ge=0, le=1000)] = 1.0
    lowers_maximum: q.Metres = 0.0


class FlushWindowSection(Section):
    """A flush as a window of all pumps, where a strategy document asks for one: what the plant takes, and when it is best."""

    length: q.Seconds = Field(gt=0, description="of all pumps together")
    starts_take: q.Seconds = Field(
        default=0.0,
        ge=0,
        description="until the last pump runs: the plan has the window longer by that, in whole steps",
    )
    speed: q.Hertz
    level_above: q.Metres = Field(description="the level to begin at: below it there is nothing to drain")
    maximum_outflow: q.CubicMetresPerSecond
    preferred: tuple[time, time] = Field(description="local hours, from and to")
    low_inflow: Share = Field(default=0.8, description="preferred below so much of the schedule's mean inflow")
    low_price: float = Field(
        default=0.3, ge=0, description="preferred so many standard deviations below the schedule's mean price"
    )
    not_preferred: Price = Field(description="EUR for each preference that is not met")
    not_flushed: Price = Field(description="EUR for a window that is asked and not planned")


class FlushSection(Section):
    """How urgent an emptying is: from 0 to 1 between two ages of the last one, and what it costs to put it off then; and how
    much more inflow than expected it must bear."""

    urgent_from: q.Seconds
    urgent_at: q.Seconds
    put_off: Price = Field(default=0.0, description="EUR for each hour that an emptying is put off while it is urgent")
    allow_for: Share = Field(
        default=0.0,
        description="how much of the band above the expected inflow an emptying must bear: hours err less together than each",
    )
    at_risk: Price = Field(
        default=0.0, description="EUR for each 1000 m³ that such an inflow would leave in the tunnel"
    )
    window: FlushWindowSection

    @model_validator(mode="after")
    def _grows(self) -> "FlushSection":
        if not self.urgent_from < self.urgent_at:
            raise ValueError(f"urgent_from={self.urgent_from} s must lie below urgent_at={self.urgent_at} s")
        return self


class CommitmentSection(Section):
    """What is started must run on: how much less inflow than expected it must bear, and what it costs where it does not."""

    allow_for: Share = Field(default=0.0, description="how much of the band below the expected inflow")
    short: Price = Field(
        default=0.0, description="EUR for each 1000 m³ and step that would then be missing before the pumps may stop"
    )


class PlanningSection(Section):
    """The whole section."""

    forecast: ForecastSection
    solve: SolveSection
    margin_level: q.Metres
    maximum_level: Literal["soft", "hard"] = "soft"
    planned_maximum_level: q.Metres | None = Field(
        default=None,
        description="the highest level of a plan: a reserve below the interlock; without, the rules' maximum",
    )
    even_within: q.CubicMetresPerSecond
    specific_energy_target: Annotated[float, Field(ge=0, description="kWh/m³")]
    prices: PricesSection
    outflow_reserve: Share
    lowest_volume: q.CubicMetres = Field(
        description="the program never goes below; the plan as it is simulated lies up to solve.agree lower"
    )
    inflow_reserve: q.CubicMetres = Field(
        default=0.0,
        ge=0,
        description="so much less inflow than forecast the lowest volume bears, before the interlock stops the pumps",
    )
    empty_reserve: q.CubicMetres
    quality: QualitySection
    risk: RiskSection
    emergency: EmergencySection
    strategies: dict[Strategy, StrategySection]
    commitment: CommitmentSection = CommitmentSection()
    flush: FlushSection

    @model_validator(mode="after")
    def _all_strategies(self) -> "PlanningSection":
        missing = sorted(set(Strategy) - set(self.strategies))
        if missing:
            raise ValueError(f"strategies: {missing} are missing")
        return self


def planning_of(site: StationSite) -> PlanningSection:
    """The site's planning section. Raises ValueError naming the field."""
    raw: dict[str, Any] = site.section("planning")
    try:
        planning = PlanningSection.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"site {site.site}: planning: {explain(error)}") from error
    _check_maximum(site, planning)
    _check_lowest(site, planning)
    return planning


def horizon_steps(site: StationSite, planning: PlanningSection, step_s: float) -> tuple[int, int]:
    """How many steps the schedule has, and how many its tail would have beyond them."""
    scheduled = round(in_unit(site.section("schedule")["horizon"], "s") / step_s)
    return scheduled, round(planning.solve.tail / TAIL_STEP_S) * round(TAIL_STEP_S / step_s)


def planned_rules(site: StationSite, planning: PlanningSection, step_s: float) -> StationRules:
    """The rules that a plan keeps: the site's, with the highest level that may be planned, and none below the interlock."""
    rules = site.pumping_station.limits(step_s)
    lowest_m = max(rules.minimum_level_m, site.low_low_level_m or 0.0)
    return replace(rules, minimum_level_m=lowest_m, maximum_level_m=_planned_maximum_m(site, planning))


def _planned_maximum_m(site: StationSite, planning: PlanningSection) -> float:
    asked_m = planning.planned_maximum_level
    return site.pumping_station.rules.maximum_level if asked_m is None else asked_m


def _check_maximum(site: StationSite, planning: PlanningSection) -> None:
    """A plan that crosses the interlock is not what the station would do. Raises ValueError."""
    planned_m, rules, high_high_m = (
        _planned_maximum_m(site, planning),
        site.pumping_station.rules,
        site.high_high_level_m,
    )
    field = f"site {site.site}: planning: planned_maximum_level={planned_m:g} m"
    if not rules.emptied_level < planned_m <= rules.maximum_level:
        raise ValueError(
            f"{field} must lie above the rules' emptied_level={rules.emptied_level:g} m and not above their "
            f"maximum_level={rules.maximum_level:g} m"
        )
    if high_high_m is not None and planned_m >= high_high_m:
        raise ValueError(
            f"{field} must lie below control.pumps.high_high.start_above={high_high_m:g} m: there the gateway's "
            "interlock starts pumps whatever the plan says"
        )


def _check_lowest(site: StationSite, planning: PlanningSection) -> None:
    """A plan whose water may end in the interlock is not what the station would do. Raises ValueError."""
    low_low_m, tunnel = site.low_low_level_m, site.pumping_station.station.tunnel
    if low_low_m is None:
        return
    must_m3 = tunnel.water_at(max(0.0, low_low_m))
    apart_m3 = planning.solve.agree + planning.inflow_reserve
    left_m3 = planning.lowest_volume - apart_m3
    if left_m3 < must_m3:
        raise ValueError(
            f"site {site.site}: planning: lowest_volume={planning.lowest_volume:g} m³ less solve.agree="
            f"{planning.solve.agree:g} m³ and inflow_reserve={planning.inflow_reserve:g} m³ leaves {left_m3:g} m³, but below "
            f"{must_m3:g} m³ (control.pumps.low_low.stop_below={low_low_m:g} m) the gateway's interlock stops every pump "
            f"whatever the plan says: stop_below must be at most {tunnel.level_at(max(0.0, left_m3)):.4g} m, or lowest_volume "
            f"at least {must_m3 + apart_m3:g} m³"
        )
