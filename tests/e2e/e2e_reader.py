"""A person at the dashboard, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from browser_rig import WAIT_MS
from playwright.sync_api import Browser, Page

from headworks.common.stack import DEMO_USER

SHOTS = Path(__file__).parents[2] / "test-results"
DESK = (1440, 900)


@dataclass
class Reader:
    """A person at the page, and what the browser complained of."""

    page: Page
    url: str
    password: str
    complaints: list[str] = field(default_factory=list)

    def open(self) -> None:
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(self.url)

    def sign_in(self, password: str | None = None) -> None:
        self.page.get_by_label("Name").fill(DEMO_USER)
        self.page.get_by_label("Password").fill(password or self.password)
        self.page.get_by_role("button", name="Sign in").click()

    def elevation_ft(self) -> float | None:
        found = re.search(r"(\d{4}\.\d\d) ft", self.page.get_by_test_id("elevation").inner_text())
        return float(found[1]) if found else None

    def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.evaluate("window.scrollTo(0, 0)")
        self.page.screenshot(path=SHOTS / f"dashboard-{name}.png", full_page=True)

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@contextmanager
def reading(browser: Browser, url: str, password: str, size: tuple[int, int] = DESK) -> Iterator[Reader]:
    """A person with the page before them, at a desk or with a phone, not signed in yet."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark")
    context.set_default_timeout(WAIT_MS)
    person = Reader(context.new_page(), url, password)
    person.open()
    yield person
    context.close()
