"""Which issue of a forecast stands."""

from datetime import UTC, datetime, timedelta

import pytest

from headworks.ingest.standing import CNRFC, HELD, HYDROFORECAST, STALE, Candidate, standing

NOW, HOUR = datetime(2026, 2, 17, 21, tzinfo=UTC), timedelta(hours=1)


def issue(source: str, age_h: float, forecast_id: int = 1) -> Candidate:
    return Candidate(forecast_id, source, NOW - age_h * HOUR)


@pytest.mark.parametrize(
    ("candidates", "stands"),
    [
        ([], None),
        ([issue(HYDROFORECAST, 3)], issue(HYDROFORECAST, 3)),
        ([issue(CNRFC, 3, 2), issue(HYDROFORECAST, 3, 1)], issue(HYDROFORECAST, 3, 1)),
        ([issue(HYDROFORECAST, 9, 1), issue(CNRFC, 3, 2)], issue(CNRFC, 3, 2)),
        ([issue(HYDROFORECAST, 23.99, 1), issue(HELD, 0, 2)], issue(HYDROFORECAST, 23.99, 1)),
        ([issue(HYDROFORECAST, 24, 1), issue(HELD, 1, 2)], issue(HELD, 1, 2)),
        ([issue(HYDROFORECAST, 60, 1), issue(CNRFC, 30, 2)], issue(CNRFC, 30, 2)),
        ([issue("manual", 3, 2), issue(HYDROFORECAST, 3, 1)], issue(HYDROFORECAST, 3, 1)),
        ([issue(HELD, 0)], issue(HELD, 0)),
    ],
)
def test_the_newest_fresh_issue_stands_and_a_held_value_only_without_one(
    candidates: list[Candidate], stands: Candidate | None
) -> None:
    assert timedelta(hours=24) == STALE
    assert standing(candidates, NOW) == stands
    assert standing(candidates[::-1], NOW) == stands
