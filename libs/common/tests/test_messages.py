"""What every message holds to: days and instants that nobody can misread, no NaN, no unknown key, nothing changed later."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from headworks.common.messages import AwardInterval, Day, Instant, Name

INSTANT = datetime(2026, 2, 17, 8, tzinfo=UTC)


@pytest.mark.parametrize("given", ["2026-02-17", date(2026, 2, 17)])
def test_a_day_is_an_iso_date(given: object) -> None:
    assert TypeAdapter(Day).validate_python(given) == date(2026, 2, 17)


@pytest.mark.parametrize("given", ["0", "1771286400", "20260217", "2026-2-7", "17.02.2026", "", "2026-02-17T00:00:00Z"])
def test_any_other_text_is_no_day(given: str) -> None:
    with pytest.raises(ValidationError, match="write it as 2026-02-17"):
        TypeAdapter(Day).validate_python(given)


def test_an_instant_is_brought_to_utc_and_a_naive_one_refused() -> None:
    assert TypeAdapter(Instant).validate_python("2026-02-17T00:00:00-08:00") == INSTANT
    with pytest.raises(ValidationError, match="has no time zone; write it as"):
        TypeAdapter(Instant).validate_python("2026-02-17T08:00:00")


@pytest.mark.parametrize("given", ["", "-a", "a.b", "a b", "*", ">", "a\x00", "ä", "x" * 65])
def test_a_name_may_stand_in_a_subject(given: str) -> None:
    assert TypeAdapter(Name).validate_python("x" * 64)
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(given)


def test_a_message_has_no_nan_and_no_unknown_key_and_stays_as_it_is() -> None:
    good = {"start": INSTANT, "end": INSTANT, "power_mw": 40.0}
    interval = AwardInterval.model_validate(good)
    for wrong in ({"power_mw": float("nan")}, {"power_mw": float("inf")}, {"price": 1.0}, {"start": None}):
        with pytest.raises(ValidationError):
            AwardInterval.model_validate(good | wrong)
    with pytest.raises(ValidationError, match="frozen"):
        interval.power_mw = 41.0  # type: ignore[misc]  # that it is refused is what is shown
