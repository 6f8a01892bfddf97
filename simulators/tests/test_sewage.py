"""The inflow into the tunnel: the real record at its hours of the local day, again and again, or made-up days with rain."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headworks.simulators.sewage import generated, recorded
from headworks.simulators.station_record import QUARTER, read_record, recorded_prices

START = datetime(2026, 2, 17, 14, tzinfo=UTC)
MIDNIGHT = datetime(2026, 2, 16, 22, tzinfo=UTC)
"""In Helsinki."""


def test_the_record_begins_at_the_local_midnight_of_the_first_day_and_comes_again(
    headworks_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWORKS_DATA", str(headworks_data))
    record = read_record(START)
    assert record is not None
    inflow = recorded(record)
    # The row of 00:15 holds what flowed from 00:00 on: 1454.531 m³ in a quarter hour.
    assert inflow(MIDNIGHT) == pytest.approx(1454.53112792969 * 4)
    assert inflow(MIDNIGHT + timedelta(days=16)) == inflow(MIDNIGHT)
    assert inflow(MIDNIGHT - timedelta(minutes=1)) == record.inflow_m3h[-1]
    # The storm of 26 November is the twelfth day.
    day = [inflow(MIDNIGHT + timedelta(days=11) + i * QUARTER) / 4 for i in range(96)]
    assert sum(day) == pytest.approx(276044, rel=0.005)
    # The first hour's price is 0.291 c/kWh.
    assert recorded_prices(record)(MIDNIGHT + timedelta(minutes=59)) == pytest.approx(2.91)


def test_without_the_folder_or_its_file_there_is_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_DATA", str(tmp_path))
    assert read_record(START) is None
    monkeypatch.delenv("HEADWORKS_DATA")
    assert read_record(START) is None


def test_made_up_days_have_a_low_in_the_night_and_rain_by_the_weather() -> None:
    quarters = [MIDNIGHT + i * QUARTER for i in range(96 * 24)]
    flows = {weather: [generated(7, weather, START)(at) for at in quarters] for weather in ("calm", "storm")}
    day = sorted(flows["calm"])[: 96 * 15]
    assert 60000 < sum(day) / 4 / 15 < 144000
    assert max(flows["storm"]) > 1.5 * max(flows["calm"])
    assert min(flows["calm"]) >= 500
    night, noon = (generated(7, "calm", START)(MIDNIGHT + timedelta(hours=h)) for h in (4, 12))
    assert night < noon


def test_the_same_seed_gives_the_same_days_and_an_unknown_weather_is_refused() -> None:
    assert generated(3, "mixed", START)(START) == generated(3, "mixed", START)(START)
    with pytest.raises(ValueError, match=r"scenario='flood' must be one of \['calm', 'mixed', 'storm'\]"):
        generated(3, "flood", START)
