"""The view of an afterbay: display units, what is not known is null and named, the float that moves the maximum, releases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headworks.common.messages import Award, Quality, Sample
from headworks.dashboard.afterbay.answers import AfterbayAnswers, LatestRun
from headworks.dashboard.afterbay.shapes import AfterbayView
from headworks.dashboard.afterbay.view import PARTS as OWN_PARTS
from headworks.dashboard.afterbay.view import build, releases
from headworks.dashboard.answers import Away
from headworks.dashboard.parts import PARTS, Moment
from headworks.waterway.afterbay_site import AfterbaySite

STALE_AFTER = timedelta(minutes=30)
NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
FT = 0.3048


@pytest.fixture
def site(sites: Any) -> AfterbaySite:
    found: AfterbaySite = sites["abay"]
    return found


@pytest.fixture
def told(recorded: Any) -> Any:
    """What a running system answered."""
    own = AfterbayAnswers(
        elevation=recorded.read(list[Sample], "/sites/abay/series/elevation_m/values"),
        power=recorded.read(list[Sample], "/sites/abay/series/oxph_power_mw/values"),
        awards=[recorded.read(Award, path) for path in recorded.answers if "/awards/" in path],
        latest_run=recorded.read(LatestRun, "/sites/abay/runs/latest"),
    )
    return recorded.told("abay", own)


def made(site: AfterbaySite, told: Any, now: datetime) -> AfterbayView:
    return build(site, told.common, told.own, Moment(now, 144.0, STALE_AFTER))


def test_values_are_in_display_units(site: AfterbaySite, told: Any, recorded: Any) -> None:
    view = made(site, told, recorded.now)
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


def test_the_whole_view_is_there_when_all_answer(site: AfterbaySite, told: Any, recorded: Any) -> None:
    view = made(site, told, recorded.now)
    dumped = view.model_dump()
    assert [name for name, value in dumped.items() if value is None] == []
    assert view.alarms is not None
    assert len(view.alarms) == 12
    assert view.plan is not None
    assert view.plan[0].start <= recorded.now < view.plan[0].end
    assert view.setpoints is not None
    assert [entry.at for entry in view.setpoints] == sorted(entry.at for entry in view.setpoints)


@pytest.mark.parametrize("part", sorted(PARTS | OWN_PARTS))
def test_a_part_that_is_away_is_null_and_named_and_the_rest_stands(
    site: AfterbaySite, told: Any, recorded: Any, part: str
) -> None:
    whole = made(site, told, recorded.now).model_dump()
    view = made(site, told.with_part(part, Away("ingest", "ingest does not answer (ConnectError)")), recorded.now)
    [missing] = view.not_known
    assert (missing.part, missing.reason) == ((PARTS | OWN_PARTS)[part], "ingest does not answer (ConnectError)")
    dumped = view.model_dump()
    field = {"latest": "inputs", "latest_run": "schedule", "plans": "plan", "journal": "setpoints"}.get(part, part)
    assert dumped[field] is None
    untouched = dumped.keys() - {field, "not_known", "limits"}
    assert {name: dumped[name] for name in untouched} == {name: whole[name] for name in untouched}


def test_without_the_operators_tag_the_float_is_the_site_files_and_says_so(
    site: AfterbaySite, told: Any, recorded: Any
) -> None:
    assert isinstance(told.common.latest, list)
    without = [pair for pair in told.common.latest if pair[0].series != "float_elevation_m"]
    limits = made(site, told.with_part("latest", without), recorded.now).limits
    assert (limits.float_elevation, limits.float_source, limits.maximum_elevation) == (1173.0, "site file", 1172.5)


def test_the_float_tag_moves_the_maximum_and_a_bad_tag_stands_on_its_last_good_value(
    site: AfterbaySite, told: Any, recorded: Any
) -> None:
    good = Sample(series="float_elevation_m", valid_at=NOW, value=1171 * FT, quality=Quality.GOOD)
    bad = Sample(series="float_elevation_m", valid_at=NOW, value=None, quality=Quality.BAD)
    for pair in ((good, None), (bad, good)):
        limits = made(site, told.with_part("latest", [pair]), recorded.now).limits
        assert (limits.float_elevation, limits.maximum_elevation, limits.float_source) == (1171.0, 1170.5, "pi")


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
