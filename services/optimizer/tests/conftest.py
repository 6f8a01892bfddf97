"""The site file of the repository, as every test here reads it."""

from pathlib import Path

import pytest

from headworks.waterway.site import Site, parse_site

SITE_FILE = Path(__file__).parents[3] / "sites" / "abay.yaml"


@pytest.fixture(scope="session")
def site_file() -> Path:
    return SITE_FILE


@pytest.fixture(scope="session")
def site() -> Site:
    return parse_site(SITE_FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def site_file_text() -> str:
    return SITE_FILE.read_text(encoding="utf-8")
