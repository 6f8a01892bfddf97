"""Scores by hand for each kind of site, and days replayed on what a real ingest knows."""

from datetime import date, timedelta

import pytest
from ingest_rig import Ingest
from vendor_rig import FT, HOUR, NOW, Plans, balanced_m3s, unit_plan

from headworks.common.auth import Role
from headworks.common.clock import Clock
from headworks.common.messages import Basis
from headworks.plans.challengers.followed import Stood, led
from headworks.plans.challengers.replay import DayScore, score_day
from headworks.plans.challengers.runs import Challengers
from headworks.plans.challengers.scoring import score_afterbay, score_station, stretches, together
from headworks.plans.challengers.store import accept_in_shadow
from headworks.waterway import series as names
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.pumps import operate
from headworks.waterway.site_file import AnySite
from headworks.waterway.station_rules import Before
from headworks.waterway.station_site import StationSite

KEPT = timedelta(days=400)
DAY = date(2026, 2, 16)
BEGINS = NOW - 24 * HOUR
"""The local day before NOW begins here: the plant's midnight is at 8:00Z."""


def test_an_afterbay_in_balance_earns_its_energy_and_breaks_nothing(abay: AfterbaySite) -> None:
    """2 MW for three hours at 50, 60 and 70 EUR/MWh: 6 MWh, 360 EUR; the level stays where it is."""
    figures = score_afterbay(
        abay,
        initial_elevation_m=1170 * FT,
        initial_power_mw=2.0,
        float_m=1173 * FT,
        setpoint_mw=[2.0] * 3,
        inflow_m3s=[balanced_m3s(abay, 2.0)] * 3,
        price_eur_per_mwh=[50.0, 60.0, 70.0],
        step_s=3600,
    )
    assert figures.energy_mwh == pytest.approx(6.0)
    assert figures.revenue_eur == pytest.approx(360.0)
    assert (figures.spill_m3, figures.violations, figures.scored_h) == (0.0, {}, 3.0)
    assert figures.lowest_m == pytest.approx(1170 * FT)
    assert figures.cost_eur is None


def test_at_float_what_comes_in_beyond_the_unit_spills_and_the_level_counts_as_too_high(abay: AfterbaySite) -> None:
    """10 m³/s more than the unit takes, for two hours: 72,000 m³ over the spillway."""
    figures = score_afterbay(
        abay,
        initial_elevation_m=1173 * FT,
        initial_power_mw=2.0,
        float_m=1173 * FT,
        setpoint_mw=[2.0] * 2,
        inflow_m3s=[balanced_m3s(abay, 2.0) + 10] * 2,
        price_eur_per_mwh=None,
        step_s=3600,
    )
    assert figures.spill_m3 == pytest.approx(72_000, rel=1e-6)
    assert figures.violations == {"maximum_elevation": 2}
    assert figures.revenue_eur is None


def test_a_setpoint_beyond_the_ramp_is_not_followed(abay: AfterbaySite) -> None:
    """From 2 MW at 2.52 MW an hour: 4.52, then 5.0; 9.52 MWh."""
    figures = score_afterbay(
        abay,
        initial_elevation_m=1171 * FT,
        initial_power_mw=2.0,
        float_m=1173 * FT,
        setpoint_mw=[5.0, 5.0],
        inflow_m3s=[balanced_m3s(abay, 5.0)] * 2,
        price_eur_per_mwh=None,
        step_s=3600,
    )
    assert figures.violations == {"not_followed": 1}
    assert figures.energy_mwh == pytest.approx(9.52)


def test_a_station_pays_for_its_pumps_and_counts_starts_and_broken_rules(station: StationSite) -> None:
    """One pump runs through a quarter hour at 80 EUR/MWh; a second one starts, and runs for one step of eight."""
    kind = station.pumping_station
    pumps, volume = kind.station.pumps, kind.station.tunnel.volume_at(3.0)
    frequency = [[0.0, 49.0, *[0.0] * 6], [0.0, 49.0, 0, 0, 0, 49.0, 0, 0], [0.0, 49.0, *[0.0] * 6]]
    before = [Before(on=p == 1, steps=40) for p in range(8)]
    one = score_station(
        station,
        initial_volume_m3=volume,
        before=before,
        frequency_hz=frequency[:1],
        inflow_m3s=[1.0],
        price_eur_per_mwh=[80.0],
        step_s=900,
    )
    power_mw = operate(pumps[1], 49.0, kind.station.outlet_m - 3.0).power_mw
    flow_m3s = operate(pumps[1], 49.0, kind.station.outlet_m - 3.0).flow_m3s
    assert one.energy_mwh == pytest.approx(power_mw / 4)
    assert one.cost_eur == pytest.approx(power_mw / 4 * 80)
    assert one.end_storage_m3 == pytest.approx(volume + (1.0 - flow_m3s) * 900)
    assert (one.starts, one.violations, one.revenue_eur) == (0, {}, None)
    all_three = score_station(
        station,
        initial_volume_m3=volume,
        before=before,
        frequency_hz=frequency,
        inflow_m3s=[1.0] * 3,
        price_eur_per_mwh=None,
        step_s=900,
    )
    assert (all_three.starts, all_three.violations, all_three.cost_eur) == (1, {"minimum_run": 1}, None)


def test_stretches_add_up_and_money_is_known_only_where_all_of_it_is(station: StationSite) -> None:
    def stretch(price: list[float] | None) -> object:
        return score_station(
            station, initial_volume_m3=5000, before=[Before(False, 40)] * 8, frequency_hz=[[49.0, *[0.0] * 7]],
            inflow_m3s=[1.0], price_eur_per_mwh=price, step_s=900,
        )  # fmt: skip

    known, unknown = stretch([100.0]), stretch(None)
    both = together([known, known])  # type: ignore[list-item]
    assert both is not None
    assert (both.scored_h, both.starts) == (0.5, 2)
    assert both.cost_eur == pytest.approx(2 * known.cost_eur)  # type: ignore[attr-defined]
    mixed = together([known, unknown])  # type: ignore[list-item]
    assert mixed is not None
    assert mixed.cost_eur is None
    assert together([]) is None


def test_stretches_are_the_runs_of_what_is_known() -> None:
    assert list(stretches([True, True, False, True])) == [range(2), range(3, 4)]
    assert list(stretches([])) == []


def test_a_plan_leads_only_from_when_it_was_known_and_until_it_was_ended() -> None:
    first = Stood(NOW, NOW + 4 * HOUR, 2.0, NOW - HOUR, NOW + 2 * HOUR, (1, 1))
    revised = Stood(NOW, NOW + 4 * HOUR, 3.0, NOW + 2 * HOUR, None, (1, 2))
    other = Stood(NOW + 3 * HOUR, NOW + 4 * HOUR, 4.0, NOW, None, (5, 3))
    hindsight = Stood(NOW - 9 * HOUR, NOW + 9 * HOUR, 9.0, NOW + 10 * HOUR, None, (9, 9))
    plans = [first, revised, other, hindsight]
    assert [led(plans, NOW + h * HOUR) for h in (-1, 0, 1, 2, 3, 4)] == [None, 2.0, 2.0, 3.0, 4.0, None]


# ---------------------------------------------------------------- on what ingest knows


async def happened(plans: Plans, ingest: Ingest) -> None:
    """A day at 1170 ft and 2 MW, of which one elevation is missing; the champion planned it all, the challenger 20 hours."""
    await plans.add("acme", shadow=True)
    hours = [BEGINS + k * HOUR for k in range(-1, 25)]
    await ingest.measured("abay", names.ELEVATION, {at: 1170 * FT for at in hours if at != BEGINS + 5 * HOUR})
    await ingest.measured("abay", names.OXPH_POWER, dict.fromkeys(hours[:-1], 2.0), Basis.HOUR_MEAN)
    await plans.store.accept(unit_plan("o1", *[2.0] * 24, publisher="optimizer", begins=BEGINS), BEGINS - HOUR)
    await accept_in_shadow(plans.database, plans.store, unit_plan("a1", *[2.5] * 20, begins=BEGINS), BEGINS - HOUR, ())
    await accept_in_shadow(
        plans.database, plans.store, unit_plan("a2", *[0.8] * 9, begins=BEGINS + HOUR), NOW + HOUR, ()
    )


async def test_a_day_is_replayed_beside_the_champion_over_the_same_hours_and_the_rest_is_not_known(
    plans: Plans, ingest: Ingest, abay: AfterbaySite
) -> None:
    await happened(plans, ingest)
    score = await score_day(plans.database, ingest.client, abay, "acme", DAY, NOW)
    assert (score.steps, score.not_known) == (24, {"no_challenger_plan": 4, "no_inflow": 2})
    assert score.champion is not None
    assert score.challenger is not None
    assert (score.champion.scored_h, score.challenger.scored_h) == (18.0, 18.0)
    assert score.champion.energy_mwh == pytest.approx(36.0)
    assert score.challenger.energy_mwh == pytest.approx(45.0), "what was submitted after the day changes nothing"
    assert score.champion.lowest_m == pytest.approx(1170 * FT)
    assert score.challenger.lowest_m < score.champion.lowest_m
    assert (score.champion.revenue_eur, score.challenger.revenue_eur) == (None, None)
    assert score.notes == ("no revenue: the price of 24 h is not known",)


async def test_an_afterbay_s_day_earns_what_its_prices_were_by_the_hour_or_the_quarter_hour(
    plans: Plans, ingest: Ingest, abay: AfterbaySite
) -> None:
    """18 scored hours at 40 EUR/MWh, but for one of quarters from 10 to 40: its mean is 25."""
    await happened(plans, ingest)
    hours = [BEGINS + k * HOUR for k in range(24)]
    quarters = [hours[1] + k * HOUR / 4 for k in range(4)]
    by_the_hour = {at: 40.0 for at in hours if at not in (hours[1], hours[2])}
    await ingest.measured("abay", names.PRICE, by_the_hour, Basis.HOUR_MEAN)
    by_quarters = dict(zip(quarters, (10.0, 20.0, 30.0, 40.0), strict=True))
    await ingest.measured("abay", names.PRICE, by_quarters, Basis.QUARTER_HOUR_MEAN)
    score = await score_day(plans.database, ingest.client, abay, "acme", DAY, NOW)
    assert score.champion is not None
    assert score.champion.revenue_eur is None, "money is known where all of it is"
    assert score.notes == ("no revenue: the price of 1 h is not known",)
    await ingest.measured("abay", names.PRICE, {hours[2]: 40.0}, Basis.HOUR_MEAN)
    score = await score_day(plans.database, ingest.client, abay, "acme", DAY, NOW)
    assert score.champion is not None
    assert score.challenger is not None
    assert score.champion.revenue_eur == pytest.approx(2.0 * (17 * 40 + 25))
    assert score.challenger.revenue_eur == pytest.approx(2.5 * (17 * 40 + 25), rel=0.01)
    assert score.notes == ()


async def test_a_day_of_which_nothing_is_known_has_no_figures(plans: Plans, ingest: Ingest, abay: AfterbaySite) -> None:
    await plans.add("acme", shadow=True)
    score = await score_day(plans.database, ingest.client, abay, "acme", DAY, NOW)
    assert (score.challenger, score.champion, score.not_known) == (None, None, {"no_challenger_plan": 24})


async def test_days_are_scored_daily_and_on_request_and_a_run_goes_on_where_it_stopped(
    plans: Plans, ingest: Ingest, sites: dict[str, AnySite]
) -> None:
    await happened(plans, ingest)
    later = Clock(NOW + 3 * HOUR, wall_epoch_s=0.0, speed=1e-12)
    challengers = Challengers(plans.database, plans.vendors.registry, sites, ingest.client, later, KEPT)
    early = Challengers(plans.database, plans.vendors.registry, sites, ingest.client, plans.vendors.clock, KEPT)
    await early.queue_daily()
    assert not await early.do_next(), "the day's last measurements may still come"
    await challengers.queue_daily()
    await challengers.queue_daily()
    assert await challengers.do_next()
    assert not await challengers.do_next()
    async with plans.api(name="vera", role=Role.VIEWER) as vera, plans.api(name="enna", role=Role.ENGINEER) as enna:
        told = await vera.get("/challengers/acme/scores", params={"site": "abay"})
        [day] = [DayScore.model_validate(each) for each in told.json()]
        assert (day.day, day.challenger is not None) == (DAY, True)
        wanted = {"site": "abay", "first_day": "2026-02-14", "last_day": "2026-02-16"}
        assert (await vera.post("/challengers/acme/scores", json=wanted)).status_code == 403
        asked = await enna.post("/challengers/acme/scores", json=wanted)
        assert (asked.status_code, asked.json()["days"], asked.json()["days_done"]) == (202, 3, 0)
        run_id = asked.json()["run_id"]
        assert await challengers.do_next()
        run = (await vera.get(f"/challengers/runs/{run_id}")).json()
        assert (run["status"], run["days_done"]) == ("DONE", 3)
        three = await vera.get("/challengers/acme/scores", params={"site": "abay", "first_day": "2026-02-14"})
        assert [each["day"] for each in three.json()] == ["2026-02-14", "2026-02-15", "2026-02-16"]
        future = await enna.post("/challengers/acme/scores", json=wanted | {"last_day": "2026-02-17"})
        assert future.json()["errors"][0]["field"] == "body.last_day"
        past = await enna.post("/challengers/acme/scores", json=wanted | {"first_day": "2025-01-13"})
        assert past.json()["errors"] == [
            {
                "field": "body.first_day",
                "value": "2025-01-13",
                "expected": "2025-01-14 at least: challengers' plans of earlier days are not kept",
            }
        ]
        assert (await vera.get("/challengers/nobody/scores", params={"site": "abay"})).status_code == 404
        assert (await vera.get("/challengers/acme/scores", params={"site": "x"})).status_code == 422
        assert (await vera.get("/challengers/runs/none")).status_code == 404
