"""What deployment files are held against: the settings that the code reads, and the secrets that deploy/make_secrets.py makes."""

import functools
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from headworks.common import clock
from headworks.common.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
BESIDE_SETTINGS = {
    "HEADWORKS_SECRETS_DIR": ServiceSettings,
    "HEADWORKS_CLOCK_EPOCH": clock,
    "HEADWORKS_CLOCK_WALL_EPOCH": clock,
    "HEADWORKS_CLOCK_SPEED": clock,
}
"""Variables that are no fields of the settings, with where they are read."""

Environment = Mapping[str, str | None]
CheckEnvironment = Callable[[str, Environment], list[str]]
Build = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def made_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of a deployment, as the script makes them."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    script = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), "--folder", str(folder)]
    subprocess.run([*script, "--user", "ann:engineer"], check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture(scope="session")
def settings_of() -> Callable[[str], type[ServiceSettings]]:
    """The settings class of a service's main module; the shared one where it has no own."""

    def find(module: str) -> type[ServiceSettings]:
        name = f"{module.rpartition('.')[0]}.settings"
        if importlib.util.find_spec(name) is None:
            return ServiceSettings
        classes = [kind for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass)]
        own = [kind for kind in classes if issubclass(kind, ServiceSettings) and kind.__module__ == name]
        return own[0] if own else ServiceSettings

    return find


@pytest.fixture
def environment_problems(settings_of: Callable[[str], type[ServiceSettings]]) -> CheckEnvironment:
    """What is wrong with a process' HEADWORKS_ variables: names that nobody reads, values that the settings refuse."""

    def check(module: str, environment: Environment) -> list[str]:
        settings = settings_of(module)
        fields = {f"HEADWORKS_{field.upper()}": field for field in settings.model_fields}
        ours = {name: value for name, value in environment.items() if name.startswith("HEADWORKS_")}
        wrong = [f"{name} is no setting of {module}" for name in ours if name not in {*fields, *BESIDE_SETTINGS}]
        values = {fields[name]: value for name, value in ours.items() if name in fields and value is not None}
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("HEADWORKS_")]:
                patch.delenv(name)
            for field, value in values.items():
                patch.setenv(f"HEADWORKS_{field.upper()}", value)
            try:
                settings()
            except ValueError as error:
                wrong.append(f"{module}: {error}")
        return wrong

    return check


@pytest.fixture(scope="session")
def kustomize_build() -> Build:
    """Builds a kustomization with the real tool, once; the objects are for reading."""
    tool = next((t for t in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(t[0])), None)
    if tool is None:
        reason = "neither kustomize nor kubectl is installed: the built manifests are not checked"
        if os.environ.get("HEADWORKS_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    @functools.cache
    def build(folder: Path) -> list[dict[str, Any]]:
        done = subprocess.run([*tool, str(folder)], check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return build
