"""A real browser for tests of the page: what is started, with which arguments, and what is said where it is missing."""

import os
import shutil
from pathlib import Path

import pytest

import headworks.dashboard

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = (390, 844)
WAIT_MS = 60_000
"""No measure of the page: a wait so long is one for what never comes, however busy the machine is."""


def chromium() -> str:
    """Where Chromium is. Skips plainly where it or the built page is missing, and fails where nothing may skip."""
    found = shutil.which("chromium") or "/usr/bin/chromium"
    _needed("chromium", Path(found), "install Debian's chromium")
    page = Path(str(headworks.dashboard.__file__)).parent / "static" / "index.html"
    _needed("the dashboard's page", page, "build it with make web")
    return found


def _needed(what: str, file: Path, remedy: str) -> None:
    if file.exists():
        return
    reason = f"{what} is missing; {remedy}"
    if os.environ.get("HEADWORKS_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
