"""The Compose file holds together and agrees with the code: no container engine is needed, and none is used."""

import copy
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headworks.common.stack import PLCS

SERVICES = {"ingest", "optimizer", "plans", "control-gateway", "alerts", "dashboard"}
Compose = dict[str, Any]
CheckEnvironment = Callable[[str, Mapping[str, str | None]], list[str]]


@pytest.fixture
def compose(root: Path) -> Compose:
    content: Compose = yaml.safe_load((root / "docker-compose.yml").read_text())
    return content


@pytest.fixture(scope="session")
def demo(root: Path) -> dict[str, str]:
    """The variables of deploy/compose/demo.env."""
    lines = [line for line in (root / "deploy/compose/demo.env").read_text().splitlines() if not line.startswith("#")]
    pairs = [line.partition("=") for line in lines if line]
    return {name: value.strip("'") for name, _, value in pairs}


def ours(compose: Compose) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each service that runs our code: its name, itself, and its module."""
    for name, service in compose["services"].items():
        if str(service["image"]).startswith("headworks"):
            yield name, service, service["command"][0]


def resolved(value: object, given: Mapping[str, str]) -> str | None:
    """A value as Compose fills it in from `given`: ${NAME:-default} and ${NAME:?what is needed}, not nested."""
    if value is None:
        return None

    def fill(match: re.Match[str]) -> str:
        name, kind, text = match["name"], match["kind"], match["text"]
        assert name in given or kind == "-", f"{name} must be given: {text}"
        return given.get(name, text)

    return re.sub(r"\$\{(?P<name>\w+):(?P<kind>[-?])(?P<text>.*)\}", fill, str(value))


def secret_targets(service: Mapping[str, Any]) -> dict[str, str]:
    """A service's secrets by the path that it reads, with their source."""
    entries = [
        {"source": entry, "target": entry} if isinstance(entry, str) else entry for entry in service.get("secrets", [])
    ]
    return {str(Path("/run/secrets", entry["target"])): entry["source"] for entry in entries}


def dangling(compose: Compose) -> list[str]:
    """Whatever is referred to and not declared, or declared and not used."""
    wrong = []
    declared = {kind: set(compose[kind]) for kind in ("secrets", "configs", "volumes", "networks")}
    used: dict[str, set[str]] = {kind: set() for kind in declared}
    for name, service in compose["services"].items():
        used["secrets"] |= set(secret_targets(service).values())
        used["configs"] |= {config["source"] for config in service.get("configs", [])}
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {v.split(":")[0] for v in service.get("volumes", []) if not v.startswith((".", "/"))}
        wrong += [
            f"{name} depends on {other}" for other in service.get("depends_on", {}) if other not in compose["services"]
        ]
    for kind, names in used.items():
        wrong += [f"{kind}: {name} is used and not declared" for name in sorted(names - declared[kind])]
        wrong += [f"{kind}: {name} is declared and not used" for name in sorted(declared[kind] - names)]
    return wrong


@pytest.fixture(scope="session")
def schema(root: Path) -> jsonschema.Draft202012Validator:
    """The Compose Specification's schema (Apache-2.0), as Docker Compose 5.6 carries it."""
    text = (root / "tests/deploy/compose-spec.schema.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(text))


def test_follows_the_compose_specification(compose: Compose, schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(compose)
    compose["services"]["plans"]["restrat"] = "always"
    with pytest.raises(jsonschema.ValidationError, match="restrat"):
        schema.validate(compose)


def test_runs_every_service_by_a_module_that_exists(compose: Compose) -> None:
    modules = {name: module for name, _, module in ours(compose)}
    assert set(modules) == SERVICES | {"optimizer-worker", "migrate", "simulators"}
    for name, module in modules.items():
        spec = importlib.util.find_spec(module)
        assert spec is not None, f"{name}: no module {module}"
    roles = {name: s["environment"].get("HEADWORKS_ROLE") for name, s, m in ours(compose) if "optimizer" in m}
    assert roles == {"optimizer": "api", "optimizer-worker": "worker"}


def test_every_variable_is_a_setting_and_every_value_one_that_it_takes(
    compose: Compose, demo: dict[str, str], environment_problems: CheckEnvironment
) -> None:
    for _name, service, module in ours(compose):
        environment = {name: resolved(value, demo) for name, value in service["environment"].items()}
        assert environment_problems(module, environment) == []


def test_a_wrong_variable_or_value_is_found(environment_problems: CheckEnvironment) -> None:
    wrong = environment_problems("headworks.alerts.main", {"HEADWORKS_SMTP_PROT": "25", "HEADWORKS_SMTP_PORT": "x"})
    assert wrong[0] == "HEADWORKS_SMTP_PROT is no setting of headworks.alerts.main"
    assert "HEADWORKS_SMTP_PORT='x'" in wrong[1]
    assert environment_problems("headworks.plans.main", {"HEADWORKS_PI_URL": "http://pi"}) != []


def test_everything_referred_to_is_declared_and_everything_declared_is_used(compose: Compose) -> None:
    assert dangling(compose) == []
    broken = copy.deepcopy(compose)
    broken["services"]["plans"]["secrets"] = ["headworks_databse_url"]
    del broken["secrets"]["users"]
    broken["volumes"]["spare"] = {}
    assert dangling(broken) == [
        "secrets: headworks_databse_url is used and not declared",
        "secrets: users is used and not declared",
        "secrets: nats_doorkeeper is declared and not used",
        "secrets: nats_plans is declared and not used",
        "secrets: nats_vendor_issuer is declared and not used",
        "volumes: spare is declared and not used",
    ]


def test_every_secret_is_a_file_that_the_script_makes(compose: Compose, root: Path, made_secrets: Path) -> None:
    for name, secret in compose["secrets"].items():
        made = made_secrets / Path(secret["file"]).relative_to("deploy/secrets")
        assert made.is_file(), f"{name}: deploy/make_secrets.py makes no {secret['file']}"
        assert made.stat().st_mode & 0o777 == 0o444
    assert made_secrets.stat().st_mode & 0o777 == 0o700
    assert (root / compose["configs"]["nats"]["file"]).is_file()


def test_every_secret_that_a_variable_names_is_given_to_that_service(compose: Compose) -> None:
    for name, service, module in ours(compose):
        targets = secret_targets(service)
        needed = {resolved(value, {}) for key, value in service["environment"].items() if key.endswith("_FILE")}
        assert needed <= set(targets), f"{name}: {sorted(needed - set(targets), key=str)}"
        if module not in {"headworks.simulators", "headworks.dashboard.main"}:
            assert "/run/secrets/headworks_database_url" in targets, name
        if module != "headworks.simulators":
            party = module.split(".")[1].replace("common", "migrate")
            assert targets["/run/secrets/nats_seed"] == f"nats_{party}", name


def test_the_gateway_has_a_local_e_stop_of_its_own(compose: Compose) -> None:
    gateway = compose["services"]["control-gateway"]
    socket = Path(gateway["environment"]["HEADWORKS_LOCAL_API"])
    assert str(socket.parent) in gateway["tmpfs"], "where it can be made, on no disk that may be full"
    having = [name for name, service, _ in ours(compose) if "/run/secrets/local_secrets" in secret_targets(service)]
    assert having == ["control-gateway"]


def test_services_find_one_another(compose: Compose) -> None:
    services = compose["services"]
    for name, service, _module in ours(compose):
        for key, value in service["environment"].items():
            if key.endswith("_URL") and value is not None:
                host, _, port = str(value).partition("://")[2].partition(":")
                assert set(services[host]["networks"]) & set(service["networks"]), f"{name} cannot reach {host}"
                assert port == {"nats": "4222"}.get(host, "8000")


def test_the_demo_gives_what_services_hand_through_and_names_the_simulators_ports(
    compose: Compose, demo: dict[str, str]
) -> None:
    read = {key for _, service, _ in ours(compose) for key in service["environment"]} | {"COMPOSE_PROFILES"}
    assert set(demo) <= read
    simulators = compose["services"]["simulators"]
    assert demo["COMPOSE_PROFILES"] in simulators["profiles"]
    ports = json.loads(simulators["command"][-1].partition("=")[2])
    assert demo["HEADWORKS_PI_URL"] == f"http://simulators:{ports['pi']}"
    assert demo["HEADWORKS_HYDROFORECAST_URL"] == f"http://simulators:{ports['hydroforecast']}"
    assert demo["HEADWORKS_CAISO_URL"] == f"http://simulators:{ports['caiso']}"
    assert demo["HEADWORKS_ENTSOE_URL"] == f"http://simulators:{ports['entsoe']}"
    assert demo["HEADWORKS_SMTP_PORT"] == str(ports["smtp"])
    addresses = {name: f"simulators:{ports[target]}" for name, target in PLCS.items()}
    assert json.loads(demo["HEADWORKS_PLC_ADDRESSES"]) == addresses


def test_the_demo_names_a_plc_for_each_of_the_site_files(demo: dict[str, str], sites_folder: Path) -> None:
    sites = [yaml.safe_load(file.read_text()) for file in sites_folder.glob("*.yaml")]
    plcs = {plc for site in sites for plc in site.get("control", {}).get("plcs", {})}
    assert set(json.loads(demo["HEADWORKS_PLC_ADDRESSES"])) == plcs


def test_the_simulators_stand_for_every_site(compose: Compose, sites_folder: Path) -> None:
    given = [word for word in compose["services"]["simulators"]["command"] if word.startswith("--site=")]
    assert given == [f"--site=/etc/headworks/sites/{file.name}" for file in sorted(sites_folder.glob("*.yaml"))]


def test_nothing_is_privileged_and_only_the_dashboard_is_published(compose: Compose) -> None:
    for name, service, _module in ours(compose):
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
    for name, service in compose["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service), name
        assert name == "dashboard" or "ports" not in service, name
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["dashboard"]["ports"])


def test_services_start_after_the_migration_and_the_gateway_keeps_its_state(compose: Compose) -> None:
    for name, service, _module in ours(compose):
        if name not in {"migrate", "simulators"}:
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name
    gateway = compose["services"]["control-gateway"]
    assert "control-gateway:/var/lib/headworks" in gateway["volumes"]
    assert gateway["deploy"]["replicas"] == 1
