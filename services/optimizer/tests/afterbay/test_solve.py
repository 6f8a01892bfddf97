"""Schedules by hand, by brute force and by replay; what cannot hold is named, and nothing is clamped."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks.optimizer.afterbay.case import Case, Forcing, Form, IntegerOptions, Options, Solution
from headworks.optimizer.afterbay.example_cases import EXAMPLES, spilling_storm, summer_rafting
from headworks.optimizer.afterbay.solve import recalculate, recalculated, solve_case
from headworks.optimizer.models.cost import cost_by_term
from headworks.optimizer.models.data import prepare
from headworks.optimizer.values import Status
from headworks.waterway.afterbay import Mode
from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.curves import OutOfRange

FT, CFS = 0.3048, 0.3048**3
WINTER = datetime(2026, 1, 20, 18, tzinfo=UTC)
IN_WINDOW = datetime(2026, 7, 14, 16, tzinfo=UTC)  # Tuesday 09:00 Pacific
ALL_INTEGERS = IntegerOptions(spill_above_power_only=True, max_setpoint_changes=40, min_hours_between_changes=3)


def case_of(
    inflow_cfs: Sequence[float],
    *,
    start: datetime = WINTER,
    elevation_ft: float = 1170.25,
    power_mw: float = 3.0,
    prices: Sequence[float | None] | None = None,
    options: Options | None = None,
) -> Case:
    """A case whose net inflow is just `inflow_cfs`: SPILL mode, no upstream power but its idle water, the rest on R30."""
    idle_cfs = 18.54
    forcing = [
        Forcing(
            r30_flow_m3s=(flow - idle_cfs) * CFS,
            r4_flow_m3s=0.0,
            r20_flow_m3s=0.0,
            r5l_flow_m3s=0.0,
            r26_flow_m3s=0.0,
            mfra_power_mw=0.0,
            mode=Mode.SPILL,
            price_per_mwh=price,
        )
        for flow, price in zip(inflow_cfs, prices or [None] * len(inflow_cfs), strict=True)
    ]
    return Case(
        site="abay",
        start=start,
        initial_elevation_m=elevation_ft * FT,
        initial_power_mw=power_mw,
        float_elevation_m=1173 * FT,
        forcing=tuple(forcing),
        options=options or Options(),
    )


def water_cfs(power_mw: float) -> float:
    return 163.73 * power_mw + 83


def powers(solution: Solution) -> list[float]:
    return [hour.power_mw for hour in solution.hours]


# ---------------------------------------------------------------- by hand


def test_at_the_midpoint_with_inflow_for_the_present_power_nothing_changes(site: AfterbaySite) -> None:
    solution = solve_case(site, case_of([water_cfs(3)] * 24))
    assert solution.status is Status.SOLVED
    assert powers(solution) == pytest.approx([3.0] * 24, abs=1e-6)
    assert solution.objective == pytest.approx(0.0, abs=1e-4)
    assert solution.next_action == "hold 3.00 MW"


def test_at_the_maximum_just_the_inflow_is_passed(site: AfterbaySite) -> None:
    solution = solve_case(site, case_of([water_cfs(4)], elevation_ft=1172.5))
    assert powers(solution) == pytest.approx([4.0], abs=1e-6)
    # One MW of change by day at rank 3, and an hour at 2.25 ft over the midpoint.
    assert solution.objective_by_term["smooth_operation"] == pytest.approx(10.0)
    assert [binding.limit for binding in solution.bindings] == ["maximum elevation"]
    assert solution.next_action == "raise to 4.00 MW at Tue 10:00"


def test_a_release_out_of_the_blue_ramps_as_fast_as_it_may(site: AfterbaySite) -> None:
    solution = solve_case(site, case_of([water_cfs(4)] * 3, start=IN_WINDOW, power_mw=0.8, elevation_ft=1172))
    assert [hour.setpoint_mw for hour in solution.hours] == [5.8] * 3
    assert powers(solution)[0] == pytest.approx(0.8 + 2.52)
    assert powers(solution)[1] < 5.5  # the head at 1172 ft
    assert {binding.limit for binding in solution.bindings} == {"ramp rate", "head limit"}


def test_dear_hours_get_the_water(site: AfterbaySite) -> None:
    ranks = {"revenue": 1, "midpoint_elevation": 5}
    prices = [10.0] * 12 + [200.0] * 12
    case = case_of([water_cfs(3)] * 24, prices=prices, options=Options.model_validate({"ranks": ranks}))
    found = powers(solve_case(site, case))
    assert sum(found[12:]) > sum(found[:12]) + 10


def test_changes_are_made_by_day(site: AfterbaySite) -> None:
    # From 02:00 Pacific the inflow is more; there is room to wait for 08:00.
    case = case_of([water_cfs(2)] * 4 + [water_cfs(2.8)] * 20, start=datetime(2026, 1, 20, 6, tzinfo=UTC), power_mw=2.0)
    solution = solve_case(site, case)
    zone = site.zone
    changes = [
        after.start.astimezone(zone).hour
        for before, after in pairwise(solution.hours)
        if abs(after.setpoint_mw - before.setpoint_mw) > 1e-6
    ]
    assert changes
    assert all(8 <= hour < 20 for hour in changes)


# ---------------------------------------------------------------- by brute force


@pytest.mark.parametrize(
    ("inflow_mw", "elevation_ft", "start"),
    [([4.0, 1.0, 3.0], 1170.0, WINTER), ([5.0, 5.2, 1.0], 1172.4, WINTER), ([2.0, 2.0, 2.0], 1168.1, IN_WINDOW)],
)
def test_no_schedule_on_a_grid_is_better(
    site: AfterbaySite, inflow_mw: list[float], elevation_ft: float, start: datetime
) -> None:
    case = case_of([water_cfs(p) for p in inflow_mw], elevation_ft=elevation_ft, start=start, prices=[30.0, 80.0, None])
    data, solution = prepare(site, case), solve_case(site, case)
    assert solution.status is Status.SOLVED
    grid = [0.8 + 0.2 * i for i in range(26)]
    best = float("inf")
    for setpoints in product(grid, repeat=3):
        trajectory = recalculate(site, case, setpoints)
        best = min(best, sum(cost_by_term(data, trajectory).values()))
    ours = sum(cost_by_term(data, recalculate(site, case, [h.setpoint_mw for h in solution.hours])).values())
    assert ours <= best + 0.05
    assert solution.objective == pytest.approx(ours, abs=0.5)


# ---------------------------------------------------------------- by replay


flows = st.floats(20, 4000)


@settings(max_examples=25, deadline=None)
@given(
    inflow_cfs=st.lists(flows, min_size=1, max_size=30),
    elevation_ft=st.floats(1166.5, 1173.5),
    power_mw=st.floats(0, 5.8),
    start=st.sampled_from(
        [WINTER, IN_WINDOW, datetime(2026, 5, 14, 20, tzinfo=UTC), datetime(2026, 3, 8, 5, tzinfo=UTC)]
    ),
)
def test_whatever_is_published_passed_its_replay_and_keeps_the_units_limits(
    site: AfterbaySite, inflow_cfs: list[float], elevation_ft: float, power_mw: float, start: datetime
) -> None:
    case = case_of(inflow_cfs, elevation_ft=elevation_ft, power_mw=power_mw, start=start)
    solution = solve_case(site, case)
    assert solution.status in {Status.SOLVED, Status.RELAXED}, solution.reason
    assert solution.publishable, solution
    assert (solution.status is Status.RELAXED) == bool(solution.relaxations)
    assert all(0.8 <= hour.setpoint_mw <= 5.8 for hour in solution.hours)
    if solution.status is Status.SOLVED:
        assert all(hour.spill_m3s < 1e-4 for hour in solution.hours)
        assert all(1168 * FT - 0.0006 <= hour.elevation_m <= 1172.5 * FT + 0.0006 for hour in solution.hours)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_week_is_answered(site: AfterbaySite, name: str) -> None:
    solution = solve_case(site, EXAMPLES[name]())
    assert solution.publishable
    assert len(solution.hours) == 168
    relaxed = {relaxation.limit for relaxation in solution.relaxations}
    expected = {"spilling-storm": {"maximum elevation", "no spill"}, "start-below-minimum": {"minimum elevation"}}
    assert relaxed == expected.get(name, set())
    assert Solution.model_validate_json(solution.model_dump_json()) == solution


@pytest.mark.parametrize("name", ["calm-winter", "summer-rafting", "start-below-minimum"])
def test_integer_options_hold(site: AfterbaySite, name: str) -> None:
    solution = solve_case(site, EXAMPLES[name](hours=72, options=Options(integer_options=ALL_INTEGERS)))
    assert solution.publishable
    assert solution.gap is not None
    assert solution.gap <= 0.001
    setpoints = [EXAMPLES[name]().initial_power_mw, *(hour.setpoint_mw for hour in solution.hours)]
    changed = [t for t, (a, b) in enumerate(pairwise(setpoints)) if abs(a - b) > 0.002]
    assert len(changed) <= 40
    assert all(b - a >= 3 for a, b in pairwise(changed))


def test_where_spill_grows_dearer_it_is_still_only_at_float(site: AfterbaySite) -> None:
    # Summer begins on 15 May: the linear prices alone would spill on the 14th, from a reservoir that is not full.
    start = datetime(2026, 5, 14, 20, tzinfo=UTC)
    solution = solve_case(site, case_of([1100.0] * 24, start=start, elevation_ft=1171.5, power_mw=5.0))
    assert solution.publishable
    assert any(hour.spill_m3s > 0 for hour in solution.hours)


# ---------------------------------------------------------------- what cannot hold


def test_a_storm_never_drains_the_reservoir_below_its_minimum(site: AfterbaySite) -> None:
    solution = solve_case(site, spilling_storm())
    assert min(hour.elevation_m for hour in solution.hours) >= 1168 * FT - 0.0006
    assert solution.form is Form.MPC
    texts = " ".join(relaxation.text for relaxation in solution.relaxations)
    assert "maximum elevation cannot hold from 2026-02-16" in texts
    assert "by up to 0.50 ft" in texts


def test_a_start_below_minimum_is_named_with_when_and_how_much(site: AfterbaySite) -> None:
    solution = solve_case(site, case_of([500.0] * 24, elevation_ft=1167.5))
    (relaxation,) = solution.relaxations
    assert (relaxation.limit, relaxation.start, relaxation.unit) == ("minimum elevation", WINTER, "ft")
    assert 0 < relaxation.worst < 0.5
    assert powers(solution)[1] == pytest.approx(0.8)


def test_a_broken_integer_option_is_named(site: AfterbaySite) -> None:
    options = Options(integer_options=IntegerOptions(max_setpoint_changes=0))
    solution = solve_case(site, case_of([water_cfs(5.0)] * 12, elevation_ft=1172.3, power_mw=1.0, options=options))
    assert solution.status is Status.RELAXED
    assert "at most 0 setpoint changes" in {relaxation.limit for relaxation in solution.relaxations}


def test_a_reservoir_that_must_run_dry_is_infeasible(site: AfterbaySite) -> None:
    solution = solve_case(site, case_of([0.0] * 168, elevation_ft=1151))
    assert solution.status is Status.INFEASIBLE
    assert solution.hours == ()
    assert "the lowest surveyed elevation of 1150.00 ft cannot hold from 2026-01-2" in solution.reason
    assert "acre_ft of water are missing" in solution.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial_elevation_m": 300.0}, "initial_elevation_m=300.00 is outside the surveyed"),
        ({"float_elevation_m": 400.0}, "float_elevation_m=400.00 is outside the surveyed"),
        ({"float_elevation_m": 1168.4 * FT}, "leaves no room above the minimum"),
        ({"site": "elsewhere"}, "site='elsewhere' is not the site 'abay'"),
    ],
)
def test_an_unfit_case_says_why(site: AfterbaySite, change: dict[str, object], message: str) -> None:
    solution = solve_case(site, case_of([500.0]).model_copy(update=change))
    assert solution.status is Status.INFEASIBLE
    assert message in solution.reason


def test_a_cancelled_solve_is_cancelled(site: AfterbaySite) -> None:
    solution = solve_case(site, spilling_storm(), lambda _gap: True)
    assert solution.status is Status.CANCELLED
    assert not solution.publishable


def test_a_late_solve_answers_with_what_it_has_or_says_so(site: AfterbaySite) -> None:
    options = Options(integer_options=ALL_INTEGERS, time_limit_s=0.05, mip_gap=0.0)
    solution = solve_case(site, spilling_storm(options=options))
    if solution.status is Status.FAILED:
        assert solution.reason == "no schedule within the time limit"
    else:
        assert solution.publishable
        assert solution.reason


# ---------------------------------------------------------------- what if


def test_an_edited_schedule_is_followed_as_far_as_nature_allows(site: AfterbaySite) -> None:
    case = case_of([water_cfs(3)] * 4, power_mw=1.0)
    hours = recalculated(site, case, [5.0, 5.0, 3.0, 3.0])
    assert [hour.power_mw for hour in hours] == pytest.approx([3.52, 5.0, 3.0, 3.0])
    assert [hour.start for hour in hours] == [WINTER + timedelta(hours=t) for t in range(4)]


@pytest.mark.parametrize("setpoint", [0.79, 5.81, float("nan")])
def test_an_edit_outside_the_unit_is_refused(site: AfterbaySite, setpoint: float) -> None:
    with pytest.raises(ValueError, match=r"outside the unit's 0.8 to 5.8 MW"):
        recalculate(site, case_of([500.0]), [setpoint])


def test_an_edit_that_runs_the_reservoir_dry_is_refused(site: AfterbaySite) -> None:
    with pytest.raises(OutOfRange):
        recalculate(site, case_of([0.0] * 168), [5.0] * 168)


def test_the_early_release_saturday_begins_at_four(site: AfterbaySite) -> None:
    case = summer_rafting()
    hours = solve_case(site, case).hours
    flags = prepare(site, case).rafting_hours
    saturday = [
        h.start.astimezone(site.zone).hour for h, f in zip(hours, flags, strict=True) if f and h.start.day == 28
    ]
    assert saturday == [4, 5, 6, 7, 8, 9, 10, 11]
