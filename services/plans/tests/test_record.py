"""The record: what was active at a past instant, and all versions as CSV."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks.plans import record
from headworks.plans.csv_export import COLUMNS, FORMULA, harmless


def path(name: str, **query: object) -> str:
    asked = {k: v.isoformat() if isinstance(v, datetime) else str(v) for k, v in query.items()}
    return str(httpx.URL(name, params=asked))


async def speeds(api: Any, at: datetime) -> list[tuple[float, str]]:
    plans = (await api("GET", path("/plans/as-of", station="blominmaki", at=at))).json()
    return [(plan["targets"]["suggested_speed_hz"], plan["interval_start"][11:13]) for plan in plans]


async def test_what_was_active_then_comes_back_with_what_became_of_it(api: Any) -> None:
    begin = api.clock.now()
    [first] = await api.planned("s1", api.pump(0, 4))
    api.clock.forward(timedelta(minutes=10))
    replan = await api.planned("s2", api.pump(1, 1, suggested_speed_hz=48.0))
    api.clock.forward(timedelta(minutes=10))
    await api("POST", f"/plans/{replan[0]}/cancel")
    assert await speeds(api, begin - timedelta(microseconds=1)) == []
    assert await speeds(api, begin) == [(49.0, "08")]
    assert await speeds(api, begin + timedelta(minutes=10, microseconds=-1)) == [(49.0, "08")]
    assert await speeds(api, begin + timedelta(minutes=10)) == [(49.0, "08"), (48.0, "09"), (49.0, "10")]
    assert await speeds(api, begin + timedelta(minutes=20)) == [(49.0, "08"), (49.0, "10")]
    assert await speeds(api, begin + timedelta(hours=4)) == []
    [plan] = (await api("GET", path("/plans/as-of", station="blominmaki", at=begin, resource="P1_1"))).json()
    assert (plan["plan_id"], plan["plan_status"]) == (first, "SUPERSEDED")


async def test_the_effective_plan_too_can_be_asked_as_it_was_known(api: Any) -> None:
    begin = api.clock.now()
    await api.planned("s1", api.pump(0, 2))
    api.clock.forward(timedelta(minutes=10))
    await api.planned("v1", api.pump(0, 1, suggested_speed_hz=48.0), name="other", priority=9)
    span = {"station": "blominmaki", "start": begin, "end": begin + timedelta(hours=2)}
    now = (await api("GET", path("/plans/effective", **span))).json()
    then = (await api("GET", path("/plans/effective", **span, as_of=begin))).json()
    assert [each["plan"]["publisher"] for each in now] == ["acme", "other", "acme"]
    assert [each["plan"]["publisher"] for each in then] == ["acme"]


async def exported(api: Any, **more: object) -> list[list[str]]:
    begin = api.clock.now()
    span = {"start": begin, "end": begin + timedelta(days=1)}
    answer = await api("GET", path("/plans/export.csv", **{"station": "blominmaki", **span, **more}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(io.StringIO(answer.text)))


async def test_all_versions_are_exported_in_stable_columns(api: Any) -> None:
    [first] = await api.planned("s1", api.pump(target_level_m=-1.5), reason='=HYPERLINK("x"), "quoted"\nline')
    [second] = await api.planned("s2", api.pump(suggested_speed_hz=48.0))
    [unit] = await api.planned("s3", api.unit(secondary_targets={"level_m": 357.0, "flow_m3s": 11.0}), site="abay")
    head, *rows = await exported(api)
    assert head == list(COLUMNS)
    old, new = (dict(zip(head, row, strict=True)) for row in rows)
    assert (old["plan_id"], old["plan_status"], old["superseded_by"]) == (str(first), "SUPERSEDED", str(second))
    assert (new["suggested_speed_hz"], new["target_level_m"], new["target_type"]) == ("48.0", "", "")
    assert old["target_level_m"] == "-1.5"
    assert old["reason"] == '\'=HYPERLINK("x"), "quoted"\nline'
    assert old["interval_start"] == "2026-02-17T08:00:00Z"
    head, row = await exported(api, station="abay", resource="OXPH")
    generic = dict(zip(head, row, strict=True))
    assert (generic["plan_id"], generic["target_type"], generic["target_value"]) == (str(unit), "POWER", "2.0")
    assert generic["secondary_targets"] == '{"flow_m3s": 11.0, "level_m": 357.0}'
    assert await exported(api, station="nowhere") == [list(COLUMNS)]


async def test_an_export_comes_in_batches_and_holds_each_version_once(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "BATCH", 3)
    ids = await api.planned("s1", *(api.pump(hour) for hour in range(9)))
    _head, *rows = await exported(api)
    assert [int(row[0]) for row in rows] == sorted(ids)


@given(st.text())
def test_no_text_begins_as_a_formula(text: str) -> None:
    assert not harmless(text).startswith(FORMULA)
    assert harmless(text).removeprefix("'") == text.removeprefix("'")
