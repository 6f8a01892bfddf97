"""A station's problem from what is known: each input from its source, what is missing named, nothing made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headworks.common.messages import Basis, Forecast, ForecastStep, Quality, Sample
from headworks.optimizer.inputs import Assembled, InputUse, Unknown
from headworks.optimizer.station.case import (
    LastPlan,
    OutsideInflow,
    PlannedFlush,
    PumpState,
    StationInputs,
    StationStep,
    Strategy,
    StrategyPeriod,
)
from headworks.optimizer.station.forecasting import InflowForecast
from headworks.optimizer.station.inputs import Known, PastPlan, assemble, by_step, station_grid
from headworks.optimizer.station.settings import planning_of
from headworks.optimizer.station.skill import PastForecast
from headworks.optimizer.station.strategies import StrategyDocument
from headworks.optimizer.station.tuning import tune
from headworks.waterway import series as names
from headworks.waterway.station_site import StationSite

NOW = datetime(2026, 3, 10, 11, 1, 30, tzinfo=UTC)
START = NOW.replace(minute=0, second=0)
MINUTE, STEP = timedelta(minutes=1), timedelta(minutes=15)
RESOURCES = ("P1_1", "P1_2", "P1_3", "P1_4", "P2_1", "P2_2", "P2_3", "P2_4")


def sample(series: str, at: datetime, value: float | None, basis: Basis = Basis.INSTANT) -> Sample:
    quality = Quality.GOOD if value is not None else Quality.MISSING
    source = "entsoe" if series == names.PRICE else "pi"
    return Sample(series=series, valid_at=at, value=value, quality=quality, basis=basis, source=source)


def means(
    series: str, first: datetime, values: list[float | None], basis: Basis = Basis.QUARTER_HOUR_MEAN
) -> list[Sample]:
    return [sample(series, first + i * basis.span, value, basis) for i, value in enumerate(values)]


def plan(run_id: str, first: datetime, steps: int = 96, **asked_hz: float) -> PastPlan:
    """A plan with all pumps off, but for those that are asked; its level at the end of step t is 2.0 + t / 10."""
    made_steps = tuple(
        StationStep(
            start=first + t * STEP, frequency_hz=dict.fromkeys(RESOURCES, 0.0) | asked_hz, flow_m3s={}, level_m=2.0 + t / 10,
            volume_m3=9e3, outflow_m3s=0.9, inflow_m3s=1.0, inflow_low_m3s=0.9, inflow_high_m3s=1.1, power_mw=0.4,
            price_eur_per_mwh=50.0, price_known=True, cost_eur=5.0,
        )
        for t in range(steps)
    )  # fmt: skip
    return PastPlan(run_id, made_steps)


def known() -> Known:
    """All that there is to know at NOW."""
    levels = [sample(names.TUNNEL_LEVEL, START + t * MINUTE, 2.0 + 0.01 * t) for t in range(-90, 2)]
    newest = {
        r: sample(names.pump_series(r, "frequency"), NOW - MINUTE, 49.0 if r == "P1_4" else 0.0) for r in RESOURCES
    }
    return Known(
        level=levels[-1],
        levels=levels,
        frequency=newest,
        frequencies={},
        inflow=means(names.TUNNEL_INFLOW, START - 8 * STEP, [1.0 + 0.1 * t for t in range(8)]),
        prices=means(names.PRICE, START - 4 * STEP, [float(t) for t in range(4 + 40)]),
        outside=None,
        plans=[plan("blominmaki-1", START - 2 * STEP)],
        past_forecasts=[PastForecast(START - 8 * STEP, STEP, [1.0 + 0.1 * t for t in range(8)])],
        strategies=StrategyDocument(version=0, changed_by="site file", changed_at=None, periods=()),
    )


def made(site: StationSite, what: Known, now: datetime = NOW) -> Assembled[StationInputs]:
    found = assemble(site, what, now)
    assert isinstance(found, Assembled), found
    return found


def refused(site: StationSite, what: Known, now: datetime = NOW) -> Unknown:
    found = assemble(site, what, now)
    assert isinstance(found, Unknown), found
    return found


def use_of(found: Assembled[StationInputs] | Unknown, series: str) -> InputUse:
    [use] = [use for use in found.inputs if use.series == series]
    return use


# ---------------------------------------------------------------- the whole


def test_what_is_known_becomes_the_problem(station_site: StationSite) -> None:
    inputs = made(station_site, known()).case
    assert (inputs.start, inputs.step_s, inputs.level_m) == (START, 900.0, 2.0)
    assert [pump.resource for pump in inputs.pumps if pump.on] == ["P1_4"]
    assert [pump.resource for pump in inputs.pumps] == list(RESOURCES)
    assert inputs.past_inflow_m3s == pytest.approx([1.0 + 0.1 * t for t in range(8)])
    assert inputs.past_price_eur_per_mwh == (0.0, 1.0, 2.0, 3.0)
    assert inputs.price_eur_per_mwh == tuple(float(t) for t in range(4, 44))
    assert inputs.past_inflow_error == (0.0,)
    assert (inputs.outside_inflow, inputs.emptied_at, inputs.strategies) == (None, None, ())


def test_every_input_says_where_it_comes_from(station_site: StationSite) -> None:
    found = made(station_site, known())
    sources = {use.series: use.source for use in found.inputs}
    assert sources == {names.pump_series(r, "frequency"): "pi" for r in RESOURCES} | {
        names.TUNNEL_LEVEL: "pi", names.TUNNEL_INFLOW: "pi", names.PRICE: "entsoe", "emptied_at": "none",
        "diverged_m3": "runs", "past_inflow_error": "runs", "strategies": "site file",
        "control_state": "none",
    }  # fmt: skip
    assert not any(use.stale for use in found.inputs)
    assert use_of(found, names.TUNNEL_LEVEL).age_s == 90.0


def test_a_record_of_several_sources_names_them_all_and_one_that_is_not_named_is_ingests(
    station_site: StationSite,
) -> None:
    what = known()
    imported = [s.model_copy(update={"source": "import-quarter_hours"}) for s in what.inflow[:2]]
    inflow, prices = [*imported, *what.inflow[2:]], [s.model_copy(update={"source": None}) for s in what.prices]
    found = made(station_site, replace(what, inflow=inflow, prices=prices))
    sources = [use_of(found, name).source for name in (names.TUNNEL_INFLOW, names.PRICE)]
    assert sources == ["import-quarter_hours, pi", "ingest"]


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-03-10T11:00:00Z", "2026-03-10T11:00:00Z"),
        ("2026-03-10T11:14:59.999Z", "2026-03-10T11:00:00Z"),
        ("2026-03-10T11:15:00Z", "2026-03-10T11:15:00Z"),
    ],
)
def test_a_step_that_has_begun_is_planned_from_its_start(station_site: StationSite, at: str, start: str) -> None:
    grid = station_grid(station_site, datetime.fromisoformat(at))
    assert (grid.start, grid.step, grid.count) == (datetime.fromisoformat(start), STEP, 96)


# ---------------------------------------------------------------- level


def test_without_a_level_of_the_start_the_newest_stands_in_and_says_so(station_site: StationSite) -> None:
    level = sample(names.TUNNEL_LEVEL, START - 6 * MINUTE, 2.5)
    found = made(station_site, replace(known(), level=level, levels=[level]))
    assert found.case.level_m == 2.5
    assert use_of(found, names.TUNNEL_LEVEL).substituted == "no good value of 11:00Z; the newest one"


def test_a_stale_level_is_not_planned_from(station_site: StationSite) -> None:
    for seconds, stale in ((20 * 60, False), (20 * 60 + 1, True)):
        level = sample(names.TUNNEL_LEVEL, NOW - timedelta(seconds=seconds), 2.5)
        found = assemble(station_site, replace(known(), level=level, levels=[level]), NOW)
        assert use_of(found, names.TUNNEL_LEVEL).stale is stale
        assert isinstance(found, Unknown) is stale
    assert isinstance(found, Unknown)
    assert found.reasons == ("tunnel_level_m of 2026-03-10 10:41Z is too old to plan from",)


@pytest.mark.parametrize(("level_m", "taken_m"), [(-0.1, 0.0), (-0.016, 0.0), (0.0, 0.0), (14.1, 14.1)])
def test_an_empty_gauge_may_read_a_little_below_zero(station_site: StationSite, level_m: float, taken_m: float) -> None:
    level = sample(names.TUNNEL_LEVEL, START, level_m)
    assert made(station_site, replace(known(), level=level, levels=[level])).case.level_m == taken_m


@pytest.mark.parametrize("level_m", [-0.11, 14.11, 999.0])
def test_a_level_outside_the_tunnel_is_not_planned_from(station_site: StationSite, level_m: float) -> None:
    level = sample(names.TUNNEL_LEVEL, START, level_m)
    [reason] = refused(station_site, replace(known(), level=level, levels=[level])).reasons
    assert reason == f"tunnel_level_m={level_m:.3f} is outside the tunnel's 0 to 14.1 m"


def test_all_that_is_missing_is_named_at_once(station_site: StationSite) -> None:
    what = replace(known(), level=None, levels=[], frequency={}, inflow=[], prices=[], plans=[])
    found = refused(station_site, what)
    assert found.reasons[0] == "tunnel_level_m is not known"
    assert [r for r in found.reasons if "no plan says how" in r] == [
        f"{names.pump_series(r, 'frequency')} is not known, and no plan says how {r} stands" for r in RESOURCES
    ]
    assert found.reasons[-2:] == (
        "tunnel_inflow_m3s is not known: no record and no forecast",
        "day_ahead_price_eur_per_mwh is not known, neither of 2026-03-10 11:00Z nor of the days before",
    )
    assert {use.source for use in found.inputs} == {"none"}


# ---------------------------------------------------------------- pumps


def test_a_pump_without_a_frequency_stands_as_the_last_plan_had_it(station_site: StationSite) -> None:
    what, series = known(), names.pump_series("P2_2", "frequency")
    plans = [plan("blominmaki-1", START - 2 * STEP, P2_2=49.0)]
    without = {r: s for r, s in what.frequency.items() if r != "P2_2"}
    found = made(station_site, replace(what, frequency=without, plans=plans))
    assert found.case.pumps[5] == PumpState(resource="P2_2", on=True, steps=0)
    use = use_of(found, series)
    assert (use.source, use.substituted) == ("run blominmaki-1", "no good frequency; as the last plan had it")
    old = {**without, "P2_2": sample(series, NOW - 21 * MINUTE, 0.0)}
    found = made(station_site, replace(what, frequency=old, plans=plans))
    assert found.case.pumps[5].on
    assert "the frequency of 10:40Z is too old" in (use_of(found, series).substituted or "")


def test_a_pump_that_nobody_knows_of_is_a_reason(station_site: StationSite) -> None:
    what = known()
    without = {r: s for r, s in what.frequency.items() if r != "P2_2"}
    found = refused(station_site, replace(what, frequency=without, plans=[]))
    assert found.reasons == ("p2_2_frequency_hz is not known, and no plan says how P2_2 stands",)


# ---------------------------------------------------------------- inflow


def test_what_is_not_known_of_the_record_stays_unknown(station_site: StationSite) -> None:
    inflow = means(names.TUNNEL_INFLOW, START - 6 * STEP, [1.0, None, -0.2, 1.5])
    bad = inflow[0].model_copy(update={"valid_at": START - 2 * STEP, "quality": Quality.SUSPECT})
    found = made(station_site, replace(known(), inflow=[*inflow, bad]))
    assert found.case.past_inflow_m3s == (1.0, None, None, 1.5, None, None)
    use = use_of(found, names.TUNNEL_INFLOW)
    assert (use.valid_at, use.substituted) == (START - 3 * STEP, "4 of 6 steps are not known")


def outside(issued_at: datetime) -> Forecast:
    """One step of a forecast, with quantiles."""
    step = ForecastStep(valid_at=START, value=2.0, quantiles={"0.1": 1.5, "0.9": 2.5})
    return Forecast(
        site="blominmaki", series=names.TUNNEL_INFLOW, source="utility", issued_at=issued_at, known_at=issued_at,
        step_s=900, steps=(step,),
    )  # fmt: skip


def test_an_outside_forecast_is_enough_without_a_record(station_site: StationSite) -> None:
    inputs = made(station_site, replace(known(), inflow=[], outside=outside(START - 4 * STEP))).case
    assert (inputs.past_inflow_m3s, inputs.past_inflow_error) == ((), ())
    assert inputs.outside_inflow is not None
    assert (inputs.outside_inflow.quantiles, inputs.outside_inflow.low_m3s) == ((0.1, 0.9), (1.5,))


def test_an_outside_forecast_too_old_leaves_our_own_and_without_a_record_nothing(station_site: StationSite) -> None:
    """A day, where the site's `required_age` says nothing else."""
    week_old = outside(START - timedelta(days=7))
    assert made(station_site, replace(known(), outside=week_old)).case.outside_inflow is None
    section = station_site.section("schedule") | {"required_age": {"outside_inflow": "8 d", "tunnel_level": "20 min"}}
    lenient = station_site.model_copy(update={"schedule": section})
    assert made(lenient, replace(known(), outside=week_old)).case.outside_inflow is not None
    assert refused(station_site, replace(known(), inflow=[], outside=week_old)).reasons == (
        "tunnel_inflow_m3s is not known: no record, and the forecast of 2026-03-03 11:00Z is too old: 168.0 h, at most 24.0 h",
    )


# ---------------------------------------------------------------- prices


def test_hourly_prices_fill_their_quarter_hours_and_finer_ones_go_before_them() -> None:
    hourly = means(names.PRICE, START, [10.0, 20.0], Basis.HOUR_MEAN)
    fine = means(names.PRICE, START + STEP, [11.0])
    values = by_step([*fine, *hourly], STEP)
    assert [values.get(START + t * STEP) for t in range(9)] == [10.0, 11.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0, None]


def test_prices_end_where_they_are_known_and_say_so(station_site: StationSite) -> None:
    prices = means(names.PRICE, START - STEP, [5.0, 6.0, -7.0, None, 8.0])
    found = made(station_site, replace(known(), prices=prices))
    assert (found.case.past_price_eur_per_mwh, found.case.price_eur_per_mwh) == ((5.0,), (6.0, -7.0))
    assert use_of(found, names.PRICE).substituted == "known until 2026-03-10 11:30Z; then expected"


def test_without_prices_ahead_those_of_before_must_do_and_it_says_so(station_site: StationSite) -> None:
    found = made(station_site, replace(known(), prices=means(names.PRICE, START - 2 * STEP, [5.0, 6.0])))
    assert (found.case.past_price_eur_per_mwh, found.case.price_eur_per_mwh) == ((5.0, 6.0), ())
    assert use_of(found, names.PRICE).substituted == "none is known ahead; then expected"


def test_prices_of_tomorrow_alone_say_nothing_of_now(station_site: StationSite) -> None:
    prices = means(names.PRICE, START + STEP, [5.0, 6.0])
    assert refused(station_site, replace(known(), prices=prices)).reasons == (
        "day_ahead_price_eur_per_mwh is not known, neither of 2026-03-10 11:00Z nor of the days before",
    )


def test_prices_are_used_as_far_as_a_plan_looks_and_no_further(station_site: StationSite) -> None:
    """A day, and the tail of another: what is known of it is not to be expected."""
    found = made(station_site, replace(known(), prices=means(names.PRICE, START, [1.0] * 200)))
    assert len(found.case.price_eur_per_mwh) == 192
    assert use_of(found, names.PRICE).substituted is None


# ---------------------------------------------------------------- what was, and what is asked


def hour_before(site: StationSite, level_m: float, *, flows_m3s: tuple[float, float], ran: float) -> Known:
    """Plans of the last hour, each from the level measured then, with inflow and outflow; of the outflow so much was pumped."""
    tunnel = site.pumping_station.station.tunnel
    inflow_m3s, outflow_m3s = flows_m3s
    volume_m3, levels = tunnel.water_at(level_m), []
    plans: list[PastPlan] = []
    for k in range(4, 0, -1):
        begin = START - k * STEP
        levels.append(sample(names.TUNNEL_LEVEL, begin, tunnel.level_at(volume_m3)))
        made_plan = plan(f"blominmaki-{k}", begin)
        steps = [replace_flows(step, inflow_m3s, outflow_m3s) for step in made_plan.steps]
        plans.insert(0, replace(made_plan, steps=steps))
        volume_m3 += 900 * (inflow_m3s - ran * outflow_m3s)
    now = sample(names.TUNNEL_LEVEL, START, tunnel.level_at(volume_m3))
    return replace(known(), level=now, levels=[*levels, now], plans=plans)


def replace_flows(step: StationStep, inflow_m3s: float, outflow_m3s: float) -> StationStep:
    return step.model_copy(update={"inflow_m3s": inflow_m3s, "outflow_m3s": outflow_m3s})


@pytest.mark.parametrize("level_m", [1.0, 2.0, 5.0, 6.5])
def test_dead_pumps_are_an_emergency_at_any_level(station_site: StationSite, level_m: float) -> None:
    """No plan is far off the next quarter hour's level, for each begins with what was measured; the hour's water tells."""
    dead, well = (
        made(station_site, hour_before(station_site, level_m, flows_m3s=(1.4, 1.4), ran=ran)).case for ran in (0.0, 1.0)
    )
    assert [dead.diverged_m3, well.diverged_m3] == pytest.approx([1.4 * 3600, 0.0], abs=1e-6)
    planning, limits = planning_of(station_site), station_site.pumping_station.limits(900.0)
    tunnel, forecast = station_site.pumping_station.station.tunnel, InflowForecast("test", *((1.4,) * 96,) * 3)
    assert tune(planning, limits, tunnel, dead, forecast).emergency
    assert not tune(planning, limits, tunnel, well, forecast).emergency


def test_what_no_plan_was_made_for_has_not_diverged(station_site: StationSite) -> None:
    late = hour_before(station_site, 3.0, flows_m3s=(1.4, 1.4), ran=0.0)
    one = made(station_site, replace(late, plans=late.plans[:1])).case
    assert one.diverged_m3 == pytest.approx(1.4 * 900), "the last step's alone"
    none = made(station_site, replace(late, plans=()))
    assert none.case.diverged_m3 is None
    assert use_of(none, "diverged_m3").substituted == "no plan or level for it"


@pytest.mark.parametrize(("level_m", "emptied"), [(0.5, True), (0.501, False)])
def test_the_tunnel_was_emptied_when_its_level_came_to_the_rules_own(
    station_site: StationSite, level_m: float, emptied: bool
) -> None:
    at = START - timedelta(hours=9)
    levels = [sample(names.TUNNEL_LEVEL, at - MINUTE, level_m), sample(names.TUNNEL_LEVEL, at, level_m)]
    found = made(station_site, replace(known(), levels=[*levels, *known().levels]))
    assert found.case.emptied_at == (at if emptied else None)


def test_the_strategies_of_the_horizon_are_used_and_their_version_shown(station_site: StationSite) -> None:
    day = timedelta(days=1)
    periods = tuple(
        StrategyPeriod(start=START + d * day, end=START + (d + 1) * day, strategy=Strategy.KEEP_BUFFER)
        for d in range(-1, 2)
    )
    document = StrategyDocument(version=3, changed_by="ann", changed_at=START, periods=periods)
    found = made(station_site, replace(known(), strategies=document))
    assert found.case.strategies == (periods[1],)
    use = use_of(found, "strategies")
    assert (use.source, use.substituted) == ("ann", "version 3, 1 of 3 periods within the horizon")


def test_what_a_plan_had_before_now_is_of_the_newest_that_began_before(station_site: StationSite) -> None:
    plans = [
        plan("blominmaki-3", START),
        plan("blominmaki-2", START - STEP, P2_2=49.0),
        plan("blominmaki-1", START - 4 * STEP),
    ]
    frequency = {r: s for r, s in known().frequency.items() if r != "P2_2"}
    found = made(station_site, replace(known(), frequency=frequency, plans=plans))
    assert use_of(found, names.pump_series("P2_2", "frequency")).source == "run blominmaki-2"
    assert found.case.pumps[5].on


def test_what_an_old_run_kept_can_still_be_read(station_site: StationSite) -> None:
    """Runs once kept the level that the last plan had for now, and outside forecasts had no band."""
    case = made(station_site, replace(known(), outside=outside(START))).case
    kept = case.model_dump(mode="json") | {"expected_level_m": 2.1}
    kept["outside_inflow"] = {name: kept["outside_inflow"][name] for name in ("source", "issued_at", "flow_m3s")}
    read = StationInputs.model_validate(kept)
    assert read.outside_inflow == OutsideInflow(source="utility", issued_at=START, flow_m3s=(2.0,))


def test_a_solve_begins_with_the_newest_plan_while_some_of_it_is_ahead(station_site: StationSite) -> None:
    plans = [plan("blominmaki-2", START - STEP, 2, P2_2=49.0), plan("blominmaki-1", START - 2 * STEP)]
    last = made(station_site, replace(known(), plans=plans)).case.last_plan
    assert last == LastPlan(start=START - STEP, frequency_hz=((0.0,) * 5 + (49.0,) + (0.0,) * 2,) * 2)
    window = PlannedFlush(start=START - STEP, end=START + 7 * STEP)
    flushed = made(station_site, replace(known(), plans=[replace(plans[0], flush_window=window)])).case.last_plan
    assert flushed is not None
    assert flushed.flush_window == window
    over = [plan("blominmaki-2", START - 2 * STEP, 2)]
    assert made(station_site, replace(known(), plans=over)).case.last_plan is None


def test_without_runs_before_nothing_was_expected(station_site: StationSite) -> None:
    found = made(station_site, replace(known(), plans=[], past_forecasts=[]))
    assert (found.case.diverged_m3, found.case.past_inflow_error, found.case.last_plan) == (None, (), None)
