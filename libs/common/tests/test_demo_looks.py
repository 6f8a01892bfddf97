"""The demo's lines, from answers as the services give them."""

from dataclasses import replace
from typing import Any

import pytest

from headworks.common.demo_looks import Answers, afterbay_look, stands_as_planned, station_look

AT = "2026-02-17T14:07:30+00:00"


def afterbay(**changes: Any) -> Answers:
    resource = {"resource": "OXPH", "requested": 3.0, "read_back": 3.0}
    run = {
        "run": {"run_id": "abay-1", "status": "SOLVED"},
        "initial_elevation_m": 356.0,
        "solution": {"hours": [{"start": "2026-02-17T14:00:00Z", "elevation_m": 357.0}]},
    }
    answers = Answers(
        plant={"at": AT, "elevation_ft": 356.125 / 0.3048 - 0.1},
        state={"resources": [resource]},
        run=run,
        alarms=[{"title": "R4 flow high", "state": "active_unacknowledged"}, {"title": "PLC lost", "state": "normal"}],
        journal=[{"outcome": "held", "read_back": None}, {"outcome": "verified", "read_back": 2.9}],
    )
    return replace(answers, **changes)


def pump(resource: str, requested: float | None, **changes: Any) -> dict[str, Any]:
    on = bool(requested)
    return {
        "resource": resource,
        "requested": requested,
        "read_back": requested or 50.0,
        "actual": requested or 0.0,
        "running": on,
        "run_commanded": on,
        **changes,
    }


def station(pumps: list[dict[str, Any]], **changes: Any) -> Answers:
    steps = [
        {"start": f"2026-02-17T14:{minute}:00Z", "level_m": level_m, "price_eur_per_mwh": price}
        for minute, level_m, price in (("00", 2.4, 51.0), ("15", 2.2, 61.0))
    ]
    answers = Answers(
        plant={"at": AT, "level_m": 2.55},
        state={"resources": pumps},
        run={
            "run": {"run_id": "blominmaki-1", "status": "RELAXED"},
            "initial_level_m": 2.6,
            "solution": {"steps": steps},
        },
        alarms=[],
        journal=[],
    )
    return replace(answers, **changes)


def test_an_afterbays_line_holds_the_forecasts_difference_the_plan_the_register_and_what_is_raised() -> None:
    look = afterbay_look("abay", afterbay())
    # Seven and a half minutes after the hour at 356 m, an eighth of the way to 357 m: 356.125 m.
    assert "1168.29 ft (forecast -0.10)" in look.line
    assert "plan 3.00 MW  register 3.00 MW  run abay-1 SOLVED  alarms [red]R4 flow high[/]" in look.line
    assert list(look.firsts.values()) == [True, True]
    assert "read back: 2.90 MW" in list(look.firsts)[1]


def test_what_is_not_known_yet_is_shown_as_such() -> None:
    unknown = {"resource": "OXPH", "requested": None, "read_back": None}
    look = afterbay_look("abay", afterbay(run=None, state={"resources": [unknown]}, alarms=[], journal=[]))
    assert "(no forecast)  plan not known  register not known  run none yet  alarms none" in look.line
    assert list(look.firsts.values()) == [False, False]


def test_a_line_is_new_when_something_changes_or_half_an_hour_passed() -> None:
    same = replace(afterbay(), plant={"at": "2026-02-17T14:29:00+00:00", "elevation_ft": 1170.0})
    later = replace(afterbay(), plant={"at": "2026-02-17T14:30:00+00:00", "elevation_ft": 1170.0})
    first = afterbay_look("abay", afterbay()).occasion
    assert afterbay_look("abay", same).occasion == first
    assert afterbay_look("abay", later).occasion != first
    assert afterbay_look("abay", afterbay(alarms=[])).occasion != first


def test_a_stations_line_holds_level_speeds_price_and_how_many_pumps_stand_as_planned() -> None:
    look = station_look(
        "blominmaki", station([pump("P1_1", 49.25), pump("P1_2", 0.0), pump("P2_1", 48.0, read_back=49.0)])
    )
    assert "2.55 m  (forecast +0.05)  pumps P1_1 49.2, P2_1 48.0 Hz  as planned 2 of 3  price 51.00 €/MWh" in look.line
    assert "run blominmaki-1 RELAXED  alarms none" in look.line
    assert list(look.firsts.values()) == [False, False]


def test_a_station_is_as_planned_when_every_pump_is_and_a_write_was_verified() -> None:
    journal = [{"outcome": "verified", "resource": "P1_1", "read_back": 49.25}]
    look = station_look("blominmaki", station([pump("P1_1", 49.25), pump("P1_2", 0.0)], journal=journal))
    assert list(look.firsts.values()) == [True, True]
    without = station_look("blominmaki", station([pump("P1_1", None), pump("P1_2", None)], run=None))
    assert "as planned 0 of 0  price not known" in without.line
    assert list(without.firsts.values()) == [False, False]


def test_pumps_of_a_lost_plc_are_not_known() -> None:
    lost = pump("P1_1", 49.0, read_back=None, actual=None, running=None, run_commanded=None)
    look = station_look("blominmaki", station([lost, pump("P2_1", 0.0)]))
    assert "pumps none (1 not known)  as planned 1 of 2" in look.line


@pytest.mark.parametrize(
    ("requested", "changes", "stands"),
    [
        (49.0, {}, True),
        (49.0, {"read_back": 49.02}, True),
        (49.0, {"read_back": 49.03}, False),
        (49.0, {"run_commanded": False}, False),
        (0.0, {}, True),
        (0.0, {"run_commanded": True}, False),
        (0.0, {"run_commanded": None}, False),
        (None, {}, False),
        (49.0, {"read_back": None}, False),
    ],
)
def test_a_pump_stands_as_planned_by_its_run_command_and_its_speed(
    requested: float | None, changes: dict[str, Any], stands: bool
) -> None:
    assert stands_as_planned(pump("P1_1", requested, **changes)) is stands
