"""`headworks demo` as a person starts it: both sites side by side, what they wait for is said, and Ctrl-C ends everything."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
from browser_rig import PHONE
from e2e_reader import DESK, reading
from playwright.sync_api import Browser, expect

TOLD = (
    "abay: a plan is solved and the register holds what it asks",
    "abay: a setpoint is written to the PLC and read back",
    "blominmaki: an order is written to a PLC and read back",
)


def test_the_demo_reaches_both_plants_and_leaves_nothing_behind(
    tmp_path: Path, sites_folder: Path, browser: Browser
) -> None:
    output = tmp_path / "output"
    command = [sys.executable, "-c", "import typer; from headworks.common.demo import demo; typer.run(demo)"]
    command += ["--sites", str(sites_folder), "--folder", str(tmp_path / "run")]
    with output.open("w") as sink:
        demo = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        _wait_until_told(demo, output, TOLD)
        _look_at_both(browser, output.read_text())
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0, output.read_text()
    finally:
        demo.kill()
        demo.wait(10)
    text = output.read_text()
    assert "everything is stopped" in text
    assert "Traceback" not in text
    assert psutil.wait_procs(children, timeout=10)[1] == []


def _look_at_both(browser: Browser, told: str) -> None:
    """As the demo says: its dashboard, signed in; both sites side by side, and the station's own page."""
    address, password = re.search(r"http://127\.0\.0\.1:\d+", told), re.search(r"with password (\S+)", told)
    assert address is not None
    assert password is not None
    for name, size in (("desk", DESK), ("phone", PHONE)):
        with reading(browser, address[0], password[1], size) as person:
            person.sign_in()
            page = person.page
            for site, figure in (("abay", "elevation"), ("blominmaki", "level")):
                panel = page.get_by_test_id(f"site-{site}")
                expect(panel.get_by_test_id("link")).to_contain_text("Live")
                expect(panel.get_by_test_id(figure)).to_contain_text(re.compile(r"\d\.\d\d (ft|m)"))
            person.shot(f"{name}-both")
            page.get_by_test_id("site-blominmaki").get_by_role("link").first.click()
            expect(page.get_by_test_id("pump-P1_1")).to_be_visible()
            expect(page.locator("[data-testid^=pump-]")).to_have_count(8)
            expect(page.get_by_role("heading", name="Latest run")).to_be_visible()
            assert not person.scrolls_sideways()
            person.shot(f"{name}-station")
            assert person.complaints == []


def _wait_until_told(
    demo: subprocess.Popen[bytes], output: Path, lines: tuple[str, ...], timeout_s: float = 600
) -> None:
    deadline = monotonic() + timeout_s
    while True:
        # The console folds long lines.
        text = " ".join(output.read_text().split())
        if all(line in text for line in lines):
            return
        assert demo.poll() is None, text
        assert monotonic() < deadline, text
        sleep(0.2)
