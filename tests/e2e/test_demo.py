"""`headworks demo` as a person starts it: both sites side by side, what they wait for is said, and Ctrl-C ends everything."""

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

pytestmark = pytest.mark.timeout(240)
TOLD = (
    "abay: a plan is solved and the register holds what it asks",
    "abay: a setpoint is written to the PLC and read back",
    "blominmaki: an order is written to a PLC and read back",
)


def test_the_demo_reaches_both_plants_and_leaves_nothing_behind(tmp_path: Path, sites_folder: Path) -> None:
    output = tmp_path / "output"
    command = [sys.executable, "-c", "import typer; from headworks.common.demo import demo; typer.run(demo)"]
    command += ["--sites", str(sites_folder), "--folder", str(tmp_path / "run")]
    with output.open("w") as sink:
        demo = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        _wait_until_told(demo, output, TOLD)
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


def _wait_until_told(
    demo: subprocess.Popen[bytes], output: Path, lines: tuple[str, ...], timeout_s: float = 150
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
