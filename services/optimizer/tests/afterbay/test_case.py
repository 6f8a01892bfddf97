"""A case travels as JSON and back unchanged; garbage is refused by field."""

import json

import pytest

from headworks.optimizer.afterbay.case import Case, IntegerOptions, Options, options_of
from headworks.optimizer.afterbay.example_cases import EXAMPLES, calm_winter
from headworks.optimizer.values import value_from_text
from headworks.waterway.afterbay_site import AfterbaySite


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_case_travels_as_json(name: str) -> None:
    case = EXAMPLES[name](hours=6)
    assert Case.model_validate_json(case.model_dump_json()) == case
    assert value_from_text(case.model_dump_json(), Case) == case


def test_a_case_reads_from_yaml() -> None:
    raw = calm_winter(hours=1).model_dump(mode="json")
    text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in raw.items())
    assert value_from_text(text, Case) == calm_winter(hours=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2026-01-20T08:00:00"}, "start: .*no time zone"),
        ({"start": "2026-01-20T08:30:00Z"}, "must be a whole hour"),
        ({"initial_power_mw": -1}, "initial_power_mw=-1.0 must be 0 or more"),
        ({"initial_elevation_m": float("nan")}, "initial_elevation_m: .*finite"),
        ({"forcing": []}, "forcing: "),
        ({"float_elevation": 357}, "float_elevation: "),
        ({"options": {"ranks": {"avoid_spill": 6}}}, "options.ranks.avoid_spill: .*less than or equal to 5"),
        ({"options": {"time_limit_s": 0}}, "options.time_limit_s: "),
        ({"options": {"integer_options": {"min_hours_between_changes": 1}}}, "min_hours_between_changes: "),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], message: str) -> None:
    raw = calm_winter(hours=2).model_dump(mode="json") | change
    with pytest.raises(ValueError, match=message):
        value_from_text(json.dumps(raw), Case)


@pytest.mark.parametrize("text", ["", "[]", "{", "a: [", "\x00"])
def test_garbage_is_no_case(text: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|YAML"):
        value_from_text(text, Case)


def test_the_site_files_options_are_read(site: AfterbaySite) -> None:
    options = options_of(site)
    assert options.time_limit_s == 20
    assert options.mip_gap == 0.001
    assert options.ranks.avoid_summer_spill == 1
    assert options.night.change_cost_factor == 5
    assert options.integer_options == IntegerOptions()
    assert not Options().integer_options.any
