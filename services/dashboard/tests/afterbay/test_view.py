"""The view: display units, what is not known is null and named, the float that moves the maximum, releases, labels."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from headworks.common.messages import Award, Basis, ControlState, Plan, Quality, Sample, Setpoint
from headworks.dashboard.answers import AlarmRecord, Answers, Away, LatestRun, RunRecord, SourceHealth
from headworks.dashboard.display import Display, input_of, label, points
from headworks.dashboard.shapes import View
from headworks.dashboard.view import PARTS, build, releases
from headworks.waterway.afterbay_site import AfterbaySite

STALE_AFTER = timedelta(minutes=30)
NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
FT = 0.3048


@pytest.fixture
def answers(recorded: Any) -> Answers:
    """What a running system answered."""
    given = recorded.answers

    def read(form: Any, path: str) -> Any:
        return TypeAdapter(form).validate_python(given[path])

    latest = [path for path in given if path.endswith("/latest") and "/series/" in path]
    return Answers(
        latest=[(read(Sample, path), None) for path in latest],
        elevation=read(list[Sample], "/sites/abay/series/elevation_m/values"),
        power=read(list[Sample], "/sites/abay/series/oxph_power_mw/values"),
        awards=[read(Award, path) for path in given if "/awards/" in path],
        sources=read(list[SourceHealth], "/sites/abay/sources"),
        newest_run=read(list[RunRecord], "/sites/abay/runs")[0],
        latest_run=read(LatestRun, "/sites/abay/runs/latest"),
        plans=read(list[Plan], "/plans/active"),
        control=read(ControlState, "/sites/abay/state"),
        journal=read(list[Setpoint], "/sites/abay/journal"),
        alarms=read(list[AlarmRecord], "/sites/abay/alarms"),
    )


def made(site: AfterbaySite, answers: Answers, now: datetime) -> View:
    return build(site, answers, now, 144.0, STALE_AFTER)


def test_values_are_in_display_units(site: AfterbaySite, answers: Answers, recorded: Any) -> None:
    view = made(site, answers, recorded.now)
    inside = recorded.answers["/sites/abay/series/elevation_m/latest"]["value"]
    shown = {i.series: i for i in view.inputs or []}
    assert shown["elevation_m"].value == pytest.approx(inside / FT, abs=1e-4)
    assert shown["elevation_m"].unit == "ft"
    assert shown["r4_flow_m3s"].unit == "cfs"
    r4 = recorded.answers["/sites/abay/series/r4_flow_m3s/latest"]["value"]
    assert shown["r4_flow_m3s"].value == pytest.approx(r4 / FT**3, abs=1e-3)
    assert shown["mode"].text == "GEN"
    assert view.schedule is not None
    hour = recorded.answers["/sites/abay/runs/latest"]["solution"]["hours"][0]
    assert view.schedule.hours[0].elevation == pytest.approx(hour["elevation_m"] / FT, abs=1e-4)
    assert view.schedule.hours[0].setpoint == pytest.approx(hour["setpoint_mw"])
    assert view.limits.minimum_elevation == 1168.0
    assert view.not_known == []


def test_the_whole_view_is_there_when_all_answer(site: AfterbaySite, answers: Answers, recorded: Any) -> None:
    view = made(site, answers, recorded.now)
    dumped = view.model_dump()
    assert [name for name, value in dumped.items() if value is None] == []
    assert view.alarms is not None
    assert len(view.alarms) == 12
    assert view.plan is not None
    assert view.plan[0].start <= recorded.now < view.plan[0].end
    assert view.setpoints is not None
    assert [entry.at for entry in view.setpoints] == sorted(entry.at for entry in view.setpoints)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_is_away_is_null_and_named_and_the_rest_stands(
    site: AfterbaySite, answers: Answers, recorded: Any, part: str
) -> None:
    whole = made(site, answers, recorded.now).model_dump()
    view = made(site, replace(answers, **{part: Away("ingest", "ingest does not answer (ConnectError)")}), recorded.now)
    [missing] = view.not_known
    assert (missing.part, missing.reason) == (PARTS[part], "ingest does not answer (ConnectError)")
    dumped = view.model_dump()
    field = {"latest": "inputs", "latest_run": "schedule", "plans": "plan", "journal": "setpoints"}.get(part, part)
    assert dumped[field] is None
    untouched = dumped.keys() - {field, "not_known", "limits"}
    assert {name: dumped[name] for name in untouched} == {name: whole[name] for name in untouched}


def test_without_the_operators_tag_the_float_is_the_site_files_and_says_so(
    site: AfterbaySite, answers: Answers, recorded: Any
) -> None:
    assert isinstance(answers.latest, list)
    without = [pair for pair in answers.latest if pair[0].series != "float_elevation_m"]
    limits = made(site, replace(answers, latest=without), recorded.now).limits
    assert (limits.float_elevation, limits.float_source, limits.maximum_elevation) == (1173.0, "site file", 1172.5)


def test_the_float_tag_moves_the_maximum_and_a_bad_tag_stands_on_its_last_good_value(
    site: AfterbaySite, answers: Answers, recorded: Any
) -> None:
    good = Sample(series="float_elevation_m", valid_at=NOW, value=1171 * FT, quality=Quality.GOOD)
    bad = Sample(series="float_elevation_m", valid_at=NOW, value=None, quality=Quality.BAD)
    for pair in ((good, None), (bad, good)):
        limits = made(site, replace(answers, latest=[pair]), recorded.now).limits
        assert (limits.float_elevation, limits.maximum_elevation, limits.float_source) == (1171.0, 1170.5, "pi")


def test_a_bad_value_is_null_never_zero_and_brings_the_last_good_one(site: AfterbaySite) -> None:
    bad = Sample(series="elevation_m", valid_at=NOW, value=None, quality=Quality.MISSING)
    good = Sample(series="elevation_m", valid_at=NOW - timedelta(hours=1), value=1170 * FT, quality=Quality.GOOD)
    shown = input_of(Display(site), bad, STALE_AFTER, good)
    assert shown.value is None
    assert shown.last_good is not None
    assert shown.last_good.value == 1170.0


def test_the_mean_of_an_hour_grows_old_from_that_hours_end_on(site: AfterbaySite) -> None:
    instant = Sample(series="r4_flow_m3s", valid_at=NOW, value=1.0, quality=Quality.GOOD)
    mean = instant.model_copy(update={"basis": Basis.HOUR_MEAN})
    assert input_of(Display(site), instant, STALE_AFTER).stale_at == NOW + STALE_AFTER
    assert input_of(Display(site), mean, STALE_AFTER).stale_at == NOW + timedelta(hours=1) + STALE_AFTER


def test_means_of_hours_are_drawn_only_before_the_first_instant(site: AfterbaySite) -> None:
    def sample(hours: float, basis: Basis) -> Sample:
        at = NOW + timedelta(hours=hours)
        return Sample(series="oxph_power_mw", valid_at=at, value=hours, quality=Quality.GOOD, basis=basis)

    mixed = [
        sample(0, Basis.HOUR_MEAN),
        sample(1, Basis.HOUR_MEAN),
        sample(1.5, Basis.INSTANT),
        sample(2, Basis.HOUR_MEAN),
    ]
    assert [point.value for point in points(Display(site), mixed)] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("series", "called"),
    [
        ("r4_flow_m3s", "R4 flow"),
        ("r5l_flow_m3s", "R5L flow"),
        ("elevation_m", "Afterbay elevation"),
        ("tailwater_elevation_m", "Tailwater elevation"),
        ("award", "Award"),
    ],
)
def test_series_are_called_as_people_call_them(series: str, called: str) -> None:
    assert label(series) == called


def test_releases_say_when_the_ramp_must_begin(site: AfterbaySite) -> None:
    friday = datetime(2025, 7, 11, 16, tzinfo=UTC)  # 09:00 local
    [first, saturday, *_] = releases(site, 5.8, friday - timedelta(hours=2))
    assert (first.start, first.end) == (friday, friday + timedelta(hours=3))
    assert first.ramp_at == first.start, "at the maximum there is no ramp to make"
    assert saturday.start == datetime(2025, 7, 12, 11, tzinfo=UTC), "an early-release Saturday begins at 04:00 local"
    [unknown, *_] = releases(site, None, friday - timedelta(hours=4))
    assert unknown.start - unknown.ramp_at == pytest.approx(timedelta(minutes=5.0 / 0.042), abs=timedelta(seconds=1)), (
        "from an unknown setpoint the ramp is as long as it can be"
    )
