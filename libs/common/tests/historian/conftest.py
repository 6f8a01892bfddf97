"""Small records of a small station: two quarter hours to the hour's length, written by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headworks.common.historian.mapping import RecordMapping
from headworks.common.historian.reading import record_in
from headworks.common.historian.record import Record
from headworks.common.sites import read_sites
from headworks.waterway.site import Site

PLAIN: dict[str, Any] = {
    "kind": "record",
    "step": "15 min",
    "time": {"column": "time", "formats": ["%Y-%m-%d %H:%M"]},
    "columns": [
        {"column": "level", "series": "tunnel_level", "unit": "m", "stands_for": "instant", "range": ["0 m", "8 m"]},
        {"column": "in", "series": "tunnel_inflow", "unit": "m**3/(15*min)", "stands_for": "step_before"},
    ],
}
Read = Callable[..., Record]


@pytest.fixture(scope="session")
def station(sites_folder: Path) -> Site:
    return read_sites(sites_folder)["blominmaki"]


@pytest.fixture
def read(station: Site) -> Read:
    """Read rows, text or bytes, by the plain mapping with changes."""

    def read_rows(rows: str | bytes, **changes: Any) -> Record:
        content = rows if isinstance(rows, bytes) else ("time,level,in\n" + rows).encode()
        return record_in(content, station, RecordMapping.model_validate(PLAIN | changes))

    return read_rows
