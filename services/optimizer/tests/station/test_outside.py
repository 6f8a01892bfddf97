"""Somebody else's forecast as a plan takes it: how far, with which band, up to which age; what is not taken is said."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from headworks.common.messages import Forecast, ForecastStep
from headworks.optimizer.inputs import InputUse, Uses
from headworks.optimizer.station.case import OutsideInflow
from headworks.optimizer.station.outside import HELD, OUTSIDE_INFLOW, outside_inflow
from headworks.waterway import series as names
from headworks.waterway.timegrid import TimeGrid

NOW = datetime(2026, 3, 10, 11, 1, 30, tzinfo=UTC)
STEP = timedelta(minutes=15)
START = NOW.replace(minute=0, second=0)
GRID = TimeGrid(START, STEP, 192)
ISSUED = START - timedelta(hours=1)
ASKED = (0.1, 0.9)


def forecast(first: datetime, values: list[float], step: timedelta = STEP, **quantiles: list[float]) -> Forecast:
    """A forecast from an instant on; quantiles by their percent, as q10=[…], for the first steps."""
    steps = tuple(
        ForecastStep(
            valid_at=first + t * step,
            value=value,
            quantiles={f"{int(q[1:]) / 100:g}": of[t] for q, of in quantiles.items() if t < len(of)},
        )
        for t, value in enumerate(values)
    )
    return Forecast(
        site="blominmaki", series=names.TUNNEL_INFLOW, source="utility", issued_at=ISSUED, known_at=ISSUED,
        step_s=step.total_seconds(), steps=steps,
    )  # fmt: skip


def asked_of(given: Forecast, required: dict[str, timedelta] | None = None) -> tuple[OutsideInflow | str, InputUse]:
    """What is taken of it, and what the run's record says."""
    uses = Uses(NOW, required or {})
    found = outside_inflow(given, ASKED, uses, GRID)
    assert found is not None
    [use] = uses.uses
    assert use.series == OUTSIDE_INFLOW
    return found, use


def taken(given: Forecast, required: dict[str, timedelta] | None = None) -> tuple[OutsideInflow, InputUse]:
    found, use = asked_of(given, required)
    assert isinstance(found, OutsideInflow), found
    assert (use.source, use.valid_at, use.stale) == ("utility", ISSUED, False)
    return found, use


def refused(given: Forecast, required: dict[str, timedelta] | None = None) -> tuple[str, InputUse]:
    found, use = asked_of(given, required)
    assert isinstance(found, str), found
    assert (use.source, use.substituted) == ("none", found)
    return found, use


def test_nobodys_forecast_is_none_and_is_no_input() -> None:
    uses = Uses(NOW, {})
    assert outside_inflow(None, ASKED, uses, GRID) is None
    assert uses.uses == []


def test_it_is_taken_up_to_its_first_gap() -> None:
    found, _ = taken(forecast(START - timedelta(hours=1), [9.0, 2.0, 3.0], 4 * STEP))
    assert (found.source, found.flow_m3s) == ("utility", (2.0,) * 4 + (3.0,) * 4)


def test_of_another_time_it_is_not_taken() -> None:
    for given in (forecast(START + STEP, [2.0]), forecast(START - STEP, [2.0]), forecast(START, [-1.0])):
        assert refused(given)[0] == "the forecast of 2026-03-10 10:00Z does not cover 11:00Z"


# ---------------------------------------------------------------- its band


def test_its_own_quantiles_are_the_band() -> None:
    given = forecast(START, [2.0, 3.0], 4 * STEP, q10=[1.5, 2.5], q50=[1.9, 2.9], q90=[2.5, 4.0], q5=[1.0, 1.0])
    found, use = taken(given)
    assert found.quantiles == ASKED
    assert found.low_m3s == (1.5,) * 4 + (2.5,) * 4
    assert found.high_m3s == (2.5,) * 4 + (4.0,) * 4
    assert use.substituted is None


def test_quantiles_that_it_does_not_give_are_the_nearest_and_it_says_so() -> None:
    found, use = taken(forecast(START, [2.0], q2=[0.5], q5=[1.0], q25=[1.8], q75=[2.2], q99=[9.0]))
    assert (found.quantiles, found.low_m3s, found.high_m3s) == ((0.05, 0.99), (1.0,), (9.0,))
    assert use.substituted == "quantiles 0.05 and 0.99 are the nearest to 0.1 and 0.9 that it gives"


@pytest.mark.parametrize("quantiles", [{}, {"q10": [1.0]}, {"q90": [3.0]}, {"q50": [2.0], "q90": [3.0]}])
def test_without_quantiles_on_both_sides_it_has_no_band(quantiles: dict[str, list[float]]) -> None:
    found, use = taken(forecast(START, [2.0], STEP, **quantiles))
    assert (found.quantiles, found.low_m3s, found.high_m3s) == (None, (), ())
    assert use.substituted == "it gives no quantiles on both sides of the middle: the band is by our own errors"


@pytest.mark.parametrize(("low", "high"), [([1.0], [3.0, 3.0]), ([1.0, 1.0], [3.0]), ([1.0, 3.1], [3.0, 3.0])])
def test_a_band_ends_where_one_end_does_or_they_cross(low: list[float], high: list[float]) -> None:
    found, use = taken(forecast(START, [2.0, 2.0], q10=low, q90=high))
    assert (found.low_m3s, found.high_m3s) == ((1.0,), (3.0,))
    assert use.substituted == "it gives quantiles for 1 of its 2 steps: beyond, the band is by our own errors"


def test_a_quantile_below_nothing_is_nothing_and_a_name_that_is_no_number_is_none() -> None:
    given = forecast(START, [2.0], q10=[-0.3], q90=[3.0])
    [step] = given.steps
    named = step.model_copy(update={"quantiles": step.quantiles | {"low": 1.0}})
    assert taken(given.model_copy(update={"steps": (named,)}))[0].low_m3s == (0.0,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"low_m3s": (1.0,)}, "low_m3s and high_m3s have 1 and 0 steps"),
        ({"low_m3s": (1.0,) * 2, "high_m3s": (3.0,) * 2}, "have 2 and 2 steps: as many each, and at most 1"),
        ({"low_m3s": (1.0,), "high_m3s": (3.0,)}, "quantiles=None with 1 steps of low_m3s"),
        ({"quantiles": (0.1, 0.9)}, "quantiles=(0.1, 0.9) with 0 steps of low_m3s"),
    ],
)
def test_a_band_that_does_not_fit_is_refused_by_its_field(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        OutsideInflow.model_validate({"source": "utility", "issued_at": ISSUED, "flow_m3s": (2.0,), **changed})
    assert said in str(refusal.value)


# ---------------------------------------------------------------- its age


def test_it_is_taken_up_to_its_age_and_a_second_older_not() -> None:
    for required, most in (({}, timedelta(hours=24)), ({OUTSIDE_INFLOW: timedelta(hours=3)}, timedelta(hours=3))):
        given = forecast(START, [2.0])
        at_most = given.model_copy(update={"issued_at": NOW - most})
        assert isinstance(asked_of(at_most, required)[0], OutsideInflow)
        older = given.model_copy(update={"issued_at": NOW - most - timedelta(seconds=1)})
        why, use = refused(older, required)
        assert why.endswith(
            f"Z is too old: {most / timedelta(hours=1):.1f} h, at most {most / timedelta(hours=1):.1f} h"
        )
        assert use.stale


def test_an_observation_that_ingest_holds_is_no_forecast() -> None:
    """Our own forecast knows the observation, and the days before it."""
    held = "no forecast; the observation of 2026-03-10 10:45Z held"
    given = forecast(START, [2.0]).model_copy(update={"source": HELD, "substituted": held})
    assert refused(given)[0] == f"{held}: that is no forecast"
