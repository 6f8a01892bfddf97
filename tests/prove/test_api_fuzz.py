"""Schemathesis against every service's committed document, on a running system: no call ends in a server error, and none in an
answer that the document does not know. Run it with `make prove`; HEADWORKS_FUZZ_EXAMPLES (30) sets how hard it tries.
"""

import os
import subprocess
import sysconfig
from datetime import timedelta
from pathlib import Path

import pytest
from e2e_system import System

from headworks.common.auth import Issuer, Role
from headworks.common.subjects import SERVICES

pytestmark = pytest.mark.prove
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)
ENDLESS = "/(progress|live)$"
"""Server-sent events end when the client leaves; their own tests hear them."""
MOST_S = 900.0


def token(system: System) -> str:
    """An engineer's token that outlasts the run."""
    secret = Path(system.stack.environment["HEADWORKS_JWT_SECRET_FILE"]).read_text().strip()
    return Issuer(secret, "headworks", "headworks").issue("fuzzer", Role.ENGINEER, timedelta(hours=2))


@pytest.mark.timeout(MOST_S + 60)
@pytest.mark.parametrize("service", SERVICES)
def test_no_call_breaks_a_service_or_its_document(running: System, sites_folder: Path, service: str) -> None:
    here = Path(__file__).parent
    command = [
        str(Path(sysconfig.get_path("scripts")) / "schemathesis"),
        "--config-file",
        str(here / "schemathesis.toml"),
        "run",
        str(sites_folder.parent / "docs" / "openapi" / f"{service}.json"),
        *("--url", running.stack.url(service)),
        *("--header", f"Authorization: Bearer {token(running)}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "examples,coverage,fuzzing"),
        *("--exclude-path-regex", ENDLESS),
        *("--max-examples", os.environ.get("HEADWORKS_FUZZ_EXAMPLES", "30")),
        *("--seed", "1", "--request-timeout", "20", "--generation-database", "none", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert running.stack.dead() == []
