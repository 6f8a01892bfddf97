"""The site file of the repository, as every test here reads it."""

from pathlib import Path

import pytest

from headworks.waterway.afterbay_site import AfterbaySite
from headworks.waterway.site_file import parse_site

SITE_FILE = Path(__file__).parents[3] / "sites" / "abay.yaml"


@pytest.fixture(scope="session")
def site_text() -> str:
    return SITE_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def site(site_text: str) -> AfterbaySite:
    parsed = parse_site(site_text)
    assert isinstance(parsed, AfterbaySite)
    return parsed
