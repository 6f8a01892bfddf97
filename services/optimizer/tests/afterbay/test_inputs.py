"""What a run is made from: every input has its source and age, what stands in is marked, what is missing is named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headworks.common.messages import Award, AwardInterval, Forecast, ForecastStep, Override, Quality, Sample
from headworks.optimizer.afterbay.case import Case, Options, options_of
from headworks.optimizer.afterbay.inputs import Known, assemble
from headworks.optimizer.inputs import Assembled, InputUse, Unknown, required_ages
from headworks.waterway import series as names
from headworks.waterway.afterbay import Mode
from headworks.waterway.afterbay_site import AfterbaySite


def afterbay(text: str) -> AfterbaySite:
    """The site of a changed site file."""
    return AfterbaySite.model_validate(yaml.safe_load(text))


HOUR = timedelta(hours=1)
NOW = datetime(2026, 2, 17, 18, 20, tzinfo=UTC)
START = NOW.replace(minute=0)
FLOWS = (*names.GAUGES,)
HOURS = 48
T = TypeVar("T")


def sample(series: str, value: float | None, at: datetime = NOW, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(series=series, valid_at=at, value=value, quality=quality, source="pi")


def forecast(
    series: str, first: datetime = START, hours: int = 72, step_s: float = 3600, **changes: object
) -> Forecast:
    """From 5 m³/s upwards by 1 a step."""
    steps = tuple(
        ForecastStep(valid_at=first + i * timedelta(seconds=step_s), value=5.0 + i)
        for i in range(round(hours * 3600 / step_s))
    )
    good = {"site": "abay", "series": series, "source": "hydroforecast-short-term", "issued_at": NOW - 3 * HOUR}
    return Forecast.model_validate({**good, "known_at": NOW, "step_s": step_s, "steps": steps} | changes)


def award(day: date = date(2026, 2, 17), hours: int = 24, power_mw: float = 40.0) -> Award:
    first = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    intervals = tuple(
        AwardInterval(start=first + i * HOUR, end=first + (i + 1) * HOUR, power_mw=power_mw) for i in range(hours)
    )
    return Award(
        site="abay", resource="MDFKRL_2_PROJCT", product="EN", trade_date=day, known_at=NOW - HOUR, intervals=intervals
    )


def known(**changes: object) -> Known:
    """All that a run needs, with changes."""
    latest = {
        names.ELEVATION: sample(names.ELEVATION, 356.7),
        names.FLOAT_ELEVATION: sample(names.FLOAT_ELEVATION, 357.6),
        names.OXPH_POWER: sample(names.OXPH_POWER, 3.1),
        names.MFRA_POWER: sample(names.MFRA_POWER, 70.0),
        names.MODE: sample(names.MODE, 0.0),
        **{name: sample(name, 1.5) for name in FLOWS},
    }
    forecasts = {name: forecast(name) for name in (names.R30_FLOW, names.R4_FLOW, names.R20_FLOW)}
    hourly: Mapping[str, Sequence[Sample]] = {names.ELEVATION: [sample(names.ELEVATION, 356.5, START)]}
    return replace(Known(hourly, latest, forecasts, [award()]), **changes)  # type: ignore[arg-type]


def without(column: Mapping[str, T], *series: str) -> dict[str, T]:
    return {name: value for name, value in column.items() if name not in series}


def made(site: AfterbaySite, what: Known, *overrides: Override) -> Assembled[Case]:
    found = assemble(site, what, options_of(site), overrides, NOW, HOURS)
    assert isinstance(found, Assembled), found
    return found


def use_of(found: Assembled[Case] | Unknown, series: str) -> InputUse:
    [use] = [use for use in found.inputs if use.series == series]
    return use


def column(case: Case, name: str) -> list[float]:
    return [getattr(hour, name) for hour in case.forcing]


# ---------------------------------------------------------------- all is known


def test_every_input_has_its_source_and_age(site: AfterbaySite) -> None:
    found = made(site, known())
    seen = {use.series: (use.source, use.age_s, use.stale, use.substituted) for use in found.inputs}
    assert seen[names.ELEVATION] == ("pi", 1200.0, False, None)
    assert seen[names.FLOAT_ELEVATION] == ("pi", 0.0, False, None)
    assert seen[names.OXPH_POWER] == ("pi", 0.0, False, None)
    assert seen[names.MODE] == ("pi", 0.0, False, None)
    assert seen["award"] == ("caiso", 3600.0, False, None)
    for name in (names.R30_FLOW, names.R4_FLOW, names.R20_FLOW):
        assert seen[name] == ("hydroforecast-short-term", 3 * 3600.0, False, None)
    for name in (names.R5L_FLOW, names.R26_FLOW):
        assert seen[name] == ("persistence", 0.0, False, "no forecast; the last observed value held")
    assert seen.keys() == {
        "award", "bias", names.ELEVATION, names.FLOAT_ELEVATION, names.OXPH_POWER, names.MFRA_POWER, names.MODE, *FLOWS,
    }  # fmt: skip


def test_the_case_begins_with_the_hour_and_its_own_elevation(site: AfterbaySite) -> None:
    case = made(site, known()).case
    assert (case.start, len(case.forcing)) == (START, HOURS)
    assert (case.initial_elevation_m, case.initial_power_mw, case.float_elevation_m) == (356.5, 3.1, 357.6)
    assert column(case, names.R4_FLOW)[:3] == [5.0, 6.0, 7.0]
    assert column(case, names.R26_FLOW) == [1.5] * HOURS
    assert {hour.mode for hour in case.forcing} == {Mode.GEN}


def test_a_small_negative_reading_of_the_unit_is_no_power(site: AfterbaySite) -> None:
    latest = {**known().latest, names.OXPH_POWER: sample(names.OXPH_POWER, -0.02)}
    assert made(site, known(latest=latest)).case.initial_power_mw == 0.0


# ---------------------------------------------------------------- what is missing


@pytest.mark.parametrize("series", FLOWS)
def test_a_stream_that_nobody_knows_is_refused_by_name(site: AfterbaySite, series: str) -> None:
    base = known()
    what = known(latest=without(base.latest, series), forecasts=without(base.forecasts, series))
    found = assemble(site, what, Options(), [], NOW, HOURS)
    assert isinstance(found, Unknown)
    assert found.reasons == (f"{series} is not known",)
    assert (use_of(found, series).source, use_of(found, series).age_s) == ("none", None)


def test_all_that_is_missing_is_named_at_once(site: AfterbaySite) -> None:
    found = assemble(site, Known({}, {}, {}, []), Options(), [], NOW, HOURS)
    assert isinstance(found, Unknown)
    assert set(found.reasons) == {
        *(f"{name} is not known" for name in FLOWS), "elevation is not known", "MFRA is not known",
    }  # fmt: skip


def test_an_elevation_at_the_required_age_serves_and_a_second_older_is_refused(site: AfterbaySite) -> None:
    limit = required_ages(site)[names.ELEVATION]
    assert limit == 2 * HOUR

    def with_elevation_of(at: datetime) -> Assembled[Case] | Unknown:
        what = known(hourly={}, latest={**known().latest, names.ELEVATION: sample(names.ELEVATION, 356.5, at)})
        return assemble(site, what, Options(), [], NOW, HOURS)

    just = with_elevation_of(NOW - limit)
    assert isinstance(just, Assembled)
    assert use_of(just, names.ELEVATION).substituted == "no good value of 18:00Z; the newest one"
    late = with_elevation_of(NOW - limit - timedelta(seconds=1))
    assert isinstance(late, Unknown)
    assert late.reasons == ("elevation of 2026-02-17 16:19Z is too old to plan from",)
    assert use_of(late, names.ELEVATION).stale


def test_a_bad_value_of_the_hour_is_not_planned_from(site: AfterbaySite) -> None:
    bad = {names.ELEVATION: [sample(names.ELEVATION, 356.5, START, Quality.SUSPECT)]}
    assert made(site, known(hourly=bad)).case.initial_elevation_m == 356.7


@pytest.mark.parametrize(
    ("series", "text"),
    [
        (names.OXPH_POWER, "not known; the unit's minimum of 0.8 MW"),
        (names.FLOAT_ELEVATION, "the operator's tag is not known"),
        (names.MODE, "mode is not known; GEN"),
    ],
)
@pytest.mark.parametrize("how", ["absent", "without a value"])
def test_what_the_site_file_stands_in_for_is_marked(site: AfterbaySite, series: str, text: str, how: str) -> None:
    latest = without(known().latest, series)
    if how == "without a value":
        latest[series] = sample(series, None, quality=Quality.MISSING)
    found = made(site, known(latest=latest))
    use = use_of(found, series)
    assert (use.source, use.substituted, use.age_s) == ("site file", text, None)
    assert made(site, known(latest=without(known().latest, names.FLOAT_ELEVATION))).case.float_elevation_m == (
        site.afterbay.reservoir.float_elevation
    )


@pytest.mark.parametrize("code", [7.0, 0.5])
def test_an_unknown_mode_is_named(site: AfterbaySite, code: float) -> None:
    found = made(site, known(latest={**known().latest, names.MODE: sample(names.MODE, code)}))
    assert use_of(found, names.MODE).substituted == f"mode {code:g} is none of [0, 1]; GEN"


def test_the_spill_mode_is_read(site: AfterbaySite) -> None:
    found = made(site, known(latest={**known().latest, names.MODE: sample(names.MODE, 1.0)}))
    assert {hour.mode for hour in found.case.forcing} == {Mode.SPILL}


# ---------------------------------------------------------------- forecasts


def test_the_fallbacks_own_mark_is_kept(site: AfterbaySite) -> None:
    held = forecast(names.R4_FLOW, source="cnrfc", substituted="HydroForecast had none; CNRFC")
    found = made(site, known(forecasts={**known().forecasts, names.R4_FLOW: held}))
    use = use_of(found, names.R4_FLOW)
    assert (use.source, use.substituted) == ("cnrfc", "HydroForecast had none; CNRFC")


def test_without_any_forecast_the_last_observation_is_held_and_marked(site: AfterbaySite) -> None:
    found = made(site, known(forecasts={}))
    for name in FLOWS:
        assert use_of(found, name).source == "persistence"
        assert column(found.case, name) == [1.5] * HOURS


def test_a_forecast_that_has_ended_is_said_to_have_ended(site: AfterbaySite) -> None:
    old = forecast(names.R4_FLOW, first=START - 96 * HOUR, hours=48, issued_at=START - 97 * HOUR)
    found = made(site, known(forecasts={**known().forecasts, names.R4_FLOW: old}))
    use = use_of(found, names.R4_FLOW)
    text = "the forecast of 2026-02-13 17:00Z has ended; the last observed value held"
    assert (use.source, use.substituted) == ("persistence", text)


def test_a_forecast_older_than_required_is_stale(site: AfterbaySite) -> None:
    limit = required_ages(site)[names.R4_FLOW]
    ages = {limit: False, limit + timedelta(seconds=1): True}
    for age, stale in ages.items():
        what = known(forecasts={**known().forecasts, names.R4_FLOW: forecast(names.R4_FLOW, issued_at=NOW - age)})
        assert use_of(made(site, what), names.R4_FLOW).stale is stale


def test_beyond_a_forecasts_end_its_last_value_is_held(site: AfterbaySite) -> None:
    short = forecast(names.R4_FLOW, hours=6)
    found = made(site, known(forecasts={**known().forecasts, names.R4_FLOW: short}))
    assert column(found.case, names.R4_FLOW) == [5.0, 6.0, 7.0, 8.0, 9.0] + [10.0] * (HOURS - 5)
    assert use_of(found, names.R4_FLOW).substituted == "42 h without a forecast hold the value before them"


def test_before_a_forecast_begins_the_observation_is_held_not_the_forecasts_end(site: AfterbaySite) -> None:
    later = forecast(names.R4_FLOW, first=START + 3 * HOUR, hours=72)
    what = known(forecasts={**known().forecasts, names.R4_FLOW: later})
    assert column(made(site, what).case, names.R4_FLOW)[:5] == [1.5, 1.5, 1.5, 5.0, 6.0]
    unobserved = replace(what, latest=without(known().latest, names.R4_FLOW))
    assert column(made(site, unobserved).case, names.R4_FLOW)[:5] == [5.0, 5.0, 5.0, 5.0, 6.0]


def test_a_gap_inside_a_forecast_holds_the_value_before_it(site: AfterbaySite) -> None:
    whole = forecast(names.R4_FLOW)
    gap = whole.model_copy(update={"steps": whole.steps[:2] + whole.steps[5:]})
    found = made(site, known(forecasts={**known().forecasts, names.R4_FLOW: gap}))
    assert column(found.case, names.R4_FLOW)[:6] == [5.0, 6.0, 6.0, 6.0, 6.0, 10.0]
    assert use_of(found, names.R4_FLOW).substituted == "3 h without a forecast hold the value before them"


def test_steps_of_six_hours_and_of_a_quarter_are_read_as_the_means_they_are(site: AfterbaySite) -> None:
    long = forecast(names.R4_FLOW, first=START - 2 * HOUR, step_s=6 * 3600)
    short = forecast(names.R20_FLOW, step_s=900)
    found = made(site, known(forecasts={**known().forecasts, names.R4_FLOW: long, names.R20_FLOW: short}))
    assert column(found.case, names.R4_FLOW)[:11] == [5.0] * 4 + [6.0] * 6 + [7.0]
    assert column(found.case, names.R20_FLOW)[:2] == [pytest.approx(6.5), pytest.approx(10.5)]
    assert use_of(found, names.R4_FLOW).substituted is None


@given(
    first_h=st.integers(-30, 60), hours=st.integers(1, 80), step_h=st.sampled_from([0.25, 1.0, 3.0, 6.0]),
    missing=st.sets(st.integers(0, 100), max_size=30),
)  # fmt: skip
def test_whatever_a_forecast_covers_no_value_lies_outside_what_was_given(
    site: AfterbaySite, first_h: int, hours: int, step_h: float, missing: set[int]
) -> None:
    whole = forecast(names.R4_FLOW, first=START + first_h * HOUR, hours=max(hours, 6), step_s=step_h * 3600)
    steps = tuple(step for i, step in enumerate(whole.steps) if i not in missing) or whole.steps
    given_values = [1.5, *(step.value for step in steps)]
    what = known(forecasts={**known().forecasts, names.R4_FLOW: whole.model_copy(update={"steps": steps})})
    values = column(made(site, what).case, names.R4_FLOW)
    assert len(values) == HOURS
    assert all(min(given_values) - 1e-9 <= value <= max(given_values) + 1e-9 for value in values)


# ---------------------------------------------------------------- awards and MFRA


def test_awarded_hours_are_the_awards_and_the_rest_is_said(site: AfterbaySite) -> None:
    found = made(site, known(awards=[award(), award(date(2026, 2, 18), power_mw=55.0)]))
    assert column(found.case, "mfra_power_mw")[:14] == [40.0] * 14
    assert column(found.case, "mfra_power_mw")[14:38] == [55.0] * 24
    assert found.mfra_summary == "award 38 h, persistence 10 h"
    assert use_of(found, names.MFRA_POWER).substituted == found.mfra_summary


def test_an_award_not_yet_published_is_marked_and_the_pattern_or_persistence_stands_in(site: AfterbaySite) -> None:
    persisted = made(site, known(awards=[]))
    assert persisted.mfra_summary == "persistence 48 h"
    use = use_of(persisted, "award")
    assert (use.source, use.substituted) == ("none", "no award is known")
    history = [sample(names.MFRA_POWER, 20.0 + (h % 24), START - h * HOUR) for h in range(1, 24 * 28)]
    patterned = made(site, known(awards=[], hourly={**known().hourly, names.MFRA_POWER: history}))
    assert patterned.mfra_summary == "pattern 48 h"
    assert all(20 <= power <= 43 for power in column(patterned.case, "mfra_power_mw"))
    assert {hour.confidence for hour in patterned.mfra} == {45}


# ---------------------------------------------------------------- overrides


def test_a_persons_values_take_their_hours_and_are_marked(site: AfterbaySite) -> None:
    overrides = [
        Override(series=names.R4_FLOW, valid_at=START + 2 * HOUR, value=60.0),
        Override(series=names.R4_FLOW, valid_at=START + 3 * HOUR, value=0.0),
        Override(series=names.R26_FLOW, valid_at=START, value=0.2),
        Override(series=names.MFRA_POWER, valid_at=START, value=111.0),
    ]
    found = made(site, known(), *overrides)
    assert column(found.case, names.R4_FLOW)[:5] == [5.0, 6.0, 60.0, 0.0, 9.0]
    assert use_of(found, names.R4_FLOW).substituted == "2 h by hand"
    assert column(found.case, names.R26_FLOW)[:2] == [0.2, 1.5]
    assert use_of(found, names.R26_FLOW).substituted == "no forecast; the last observed value held; 1 h by hand"
    assert column(found.case, "mfra_power_mw")[0] == 111.0
    assert "manual 1 h" in found.mfra_summary


# ---------------------------------------------------------------- bias


def day_of_history(site: AfterbaySite, rise_m3s: float, hours: int = 24) -> dict[str, list[Sample]]:
    """Whole hours in which the reservoir gained what no stream explains; the unit takes 3 MW's water all the while."""
    curve, first = site.afterbay.reservoir.stage_storage.curve, START - hours * HOUR
    unit, flow = site.afterbay.unit, 0.0
    quiet = {names.OXPH_POWER: 3.0, names.MFRA_POWER: 0.0, **dict.fromkeys(FLOWS, flow)}
    idle_m3s = site.afterbay.upstream.water.c
    net_m3s = idle_m3s - unit.water_at_zero - unit.water_per_power * 3.0 + rise_m3s
    storages = [curve.storage_at(356.9) + net_m3s * 3600 * h for h in range(hours + 1)]
    hourly = {name: [sample(name, value, first + h * HOUR) for h in range(hours)] for name, value in quiet.items()}
    hourly[names.ELEVATION] = [
        sample(names.ELEVATION, curve.elevation_at(storage), first + h * HOUR) for h, storage in enumerate(storages)
    ]
    return hourly


def test_what_no_stream_explains_is_the_bias(site: AfterbaySite) -> None:
    found = made(site, known(hourly=day_of_history(site, 12.0)))
    assert found.case.bias_m3s == pytest.approx(12.0, abs=1e-6)
    assert (use_of(found, "bias").substituted or "").startswith("mean of 23 h, +12.00 m³/s")


def test_without_a_whole_hour_there_is_no_bias_and_it_is_said(site: AfterbaySite) -> None:
    found = made(site, known(hourly={}))
    assert found.case.bias_m3s == 0.0
    assert use_of(found, "bias").substituted == "no whole hour of the window is known; 0"


@pytest.mark.parametrize("spoiled", [names.ELEVATION, names.OXPH_POWER, names.R26_FLOW])
def test_hours_with_a_value_in_doubt_are_left_out_of_the_bias(site: AfterbaySite, spoiled: str) -> None:
    hourly = day_of_history(site, 12.0)
    doubtful = [
        s.model_copy(update={"quality": Quality.SUSPECT, "value": (s.value or 0) + 0.5}) for s in hourly[spoiled]
    ]
    hourly[spoiled] = [*doubtful[:12], *hourly[spoiled][12:]]
    found = made(site, known(hourly=hourly))
    assert found.case.bias_m3s == pytest.approx(12.0, abs=1e-6)
    assert "mean of 12 h" in (use_of(found, "bias").substituted or "")


def test_required_ages_name_series_of_the_site_file(site_file_text: str) -> None:
    wrong = afterbay(site_file_text.replace("required_age: {elevation:", "required_age: {elevatoin:"))
    with pytest.raises(ValueError, match="elevatoin"):
        required_ages(wrong)
