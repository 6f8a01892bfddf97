"""The Kubernetes manifests hold together and agree with the code: as they are written, and as kustomize builds them."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from headworks.common.stack import PLCS

SERVICES = {"ingest", "optimizer", "plans", "control-gateway", "alerts", "dashboard"}
SECRETS_FOLDER = "/run/secrets/headworks"
Object = dict[str, Any]
Build = Callable[[Path], list[Object]]
CheckEnvironment = Callable[[str, Mapping[str, str | None]], list[str]]


def kustomization(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A folder's kustomization and its file."""
    [file] = [folder / name for name in ("kustomization.yaml", "Kustomization") if (folder / name).exists()]
    return file, yaml.safe_load(file.read_text())


def assemble(folder: Path) -> Iterator[Object]:
    """The objects of a kustomization without patches: those of its files and folders, and its generated ConfigMaps."""
    _, content = kustomization(folder)
    for resource in content.get("resources", []):
        path = folder / resource
        if path.is_dir():
            yield from assemble(path)
        else:
            yield from (document for document in yaml.safe_load_all(path.read_text()) if document)
    for entry in content.get("configMapGenerator", []):
        data = {file: (folder / file).read_text() for file in entry.get("files", [])}
        data |= dict(literal.split("=", 1) for literal in entry.get("literals", []))
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}, "data": data}


@pytest.fixture(params=["written", "built", "built demo"])
def objects(request: pytest.FixtureRequest, root: Path) -> list[Object]:
    """All objects, in three ways."""
    if request.param == "written":
        return list(assemble(root / "deploy/k8s/base"))
    build: Build = request.getfixturevalue("kustomize_build")
    return build(root / "deploy/k8s" / ("base" if request.param == "built" else "overlays/demo"))


@pytest.fixture(scope="session")
def secret_keys(made_secrets: Path) -> dict[str, set[str]]:
    """The keys of each secret that the script makes, for `kubectl apply -k`."""
    _, content = kustomization(made_secrets)
    keys: dict[str, set[str]] = {}
    for entry in content["secretGenerator"]:
        pairs = [pair.rpartition("=") for pair in entry["files"]]
        assert all((made_secrets / file).is_file() for _, _, file in pairs), entry
        keys[entry["name"]] = {key or file for key, _, file in pairs}
    return keys


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Each workload's name and pod template."""
    for thing in objects:
        if thing["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield thing["metadata"]["name"], thing["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    """A pod's containers, those that begin first too."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def sources(volume: Object) -> list[Object]:
    """What a volume is made from, projected or not."""
    listed: list[Object] = volume.get("projected", {}).get("sources", [volume])
    return listed


def mounted_secrets(pod: Object) -> set[str]:
    """The names of the secrets that a pod mounts."""
    found = {s["secret"].get("name") or s["secret"].get("secretName") for v in pod["spec"].get("volumes", [])
             for s in sources(v) if "secret" in s}  # fmt: skip
    return {str(name) for name in found}


def config_maps(pod: Object) -> set[str]:
    """The names of the ConfigMaps that a pod mounts or takes its environment from."""
    mounted = {s["configMap"]["name"] for v in pod["spec"].get("volumes", []) for s in sources(v) if "configMap" in s}
    return mounted | {f["configMapRef"]["name"] for c in containers(pod) for f in c.get("envFrom", [])}


def dangling(objects: list[Object], secret_keys: Mapping[str, set[str]]) -> list[str]:
    """ConfigMaps, secrets, volumes and ports that are referred to and are nowhere."""
    maps = {o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap"}
    wrong = []
    for name, pod in pods(objects):
        wrong += [f"{name}: no ConfigMap {m}" for m in sorted(config_maps(pod) - maps)]
        wrong += [f"{name}: no secret {s}" for s in sorted(mounted_secrets(pod) - set(secret_keys))]
        volumes = {v["name"] for v in pod["spec"].get("volumes", [])} | claims(objects, name)
        for container in containers(pod):
            mounts = {m["name"] for m in container.get("volumeMounts", [])}
            wrong += [f"{name}: no volume {v}" for v in sorted(mounts - volumes)]
            ports = {p["name"] for p in container.get("ports", [])}
            probes = [container[p] for p in container if p.endswith("Probe") and "httpGet" in container[p]]
            wrong += [f"{name}: no port {p['httpGet']['port']}" for p in probes if p["httpGet"]["port"] not in ports]
    return wrong


def claims(objects: list[Object], name: str) -> set[str]:
    """The volumes that a StatefulSet claims."""
    templates = [c for o in objects if o["kind"] == "StatefulSet" and o["metadata"]["name"] == name
                 for c in o["spec"].get("volumeClaimTemplates", [])]  # fmt: skip
    return {template["metadata"]["name"] for template in templates}


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a selector (matchLabels, matchExpressions In, or a Service's plain one) takes a pod with these labels."""
    plain = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    return plain.items() <= labels.items() and all(
        labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", [])
    )


def unselecting(objects: list[Object]) -> list[str]:
    """Services, workloads, budgets and policies whose selector takes no pod."""
    labels = [pod["metadata"]["labels"] for _, pod in pods(objects)]
    chosen: list[tuple[str, Object]] = []
    for thing in objects:
        name, spec = f"{thing['kind']} {thing['metadata']['name']}", thing.get("spec", {})
        if thing["kind"] in {"Deployment", "StatefulSet"}:
            if not selects(spec["selector"], spec["template"]["metadata"]["labels"]):
                chosen.append((name, {"matchLabels": {"nobody": "has this"}}))
        elif thing["kind"] in {"Service", "PodDisruptionBudget"}:
            chosen.append((name, spec["selector"]))
        elif thing["kind"] == "NetworkPolicy":
            rules = [*spec.get("ingress", []), *spec.get("egress", [])]
            peers = [p for rule in rules for p in [*rule.get("from", []), *rule.get("to", [])] if "podSelector" in p]
            chosen += [(name, spec["podSelector"]), *((name, peer["podSelector"]) for peer in peers)]
    return [name for name, selector in chosen if not any(selects(selector, each) for each in labels)]


def variables(container: Object, objects: list[Object]) -> dict[str, str | None]:
    """A container's environment: its ConfigMaps', then its own."""
    maps = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
    found: dict[str, str | None] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def running_us(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Each container of our image, with its workload's name and pod."""
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            if container["image"].startswith("headworks"):
                yield name, pod, container


@pytest.mark.parametrize(("objects", "version"), [("written", "1.29"), ("built demo", "1.37")], indirect=["objects"])
def test_every_object_follows_the_schema_of_kubernetes(objects: list[Object], version: str) -> None:
    for thing in objects:
        kubernetes_validate.validate(thing, version, strict=True)
    broken = next(copy.deepcopy(o) for o in objects if o["kind"] == "Deployment")
    broken["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagePolicy"):
        kubernetes_validate.validate(broken, version, strict=True)


def test_every_file_is_taken_in(root: Path) -> None:
    for folder in (root / "deploy/k8s/base", root / "deploy/k8s/overlays/demo", root / "sites", root / "deploy/nats"):
        file, content = kustomization(folder)
        listed = [*content.get("resources", []), *(patch["path"] for patch in content.get("patches", []))]
        listed += [name for entry in content.get("configMapGenerator", []) for name in entry.get("files", [])]
        assert all((folder / name).exists() for name in listed), listed
        files = {path.name for path in folder.glob("*.yaml")} - {file.name}
        assert files <= set(listed), f"{file} leaves out {files - set(listed)}"


def test_every_reference_resolves(objects: list[Object], secret_keys: dict[str, set[str]]) -> None:
    assert dangling(objects, secret_keys) == []
    assert unselecting(objects) == []


def test_a_reference_that_does_not_resolve_is_found(root: Path, secret_keys: dict[str, set[str]]) -> None:
    objects = list(assemble(root / "deploy/k8s/base"))
    [plans] = [o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "plans"]
    [service] = [o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == "plans"]
    pod = plans["spec"]["template"]["spec"]
    pod["containers"][0]["envFrom"][0]["configMapRef"]["name"] = "headworks-setings"
    pod["containers"][0]["readinessProbe"]["httpGet"]["port"] = "opps"
    pod["volumes"][1]["projected"]["sources"][0]["secret"]["name"] = "headworks-databse"
    pod["volumes"].pop()
    service["spec"]["selector"] = {"app.kubernetes.io/name": "plan"}
    assert dangling(objects, secret_keys) == [
        "plans: no ConfigMap headworks-setings",
        "plans: no secret headworks-databse",
        "plans: no volume tmp",
        "plans: no port opps",
    ]
    assert unselecting(objects) == ["Service plans"]


def test_every_variable_is_a_setting_and_every_value_one_that_it_takes(
    objects: list[Object], environment_problems: CheckEnvironment
) -> None:
    for name, _pod, container in running_us(objects):
        wrong = environment_problems(container["args"][0], variables(container, objects))
        assert wrong == [], name


def test_every_secret_file_that_is_named_is_mounted(objects: list[Object], secret_keys: dict[str, set[str]]) -> None:
    for name, pod, container in running_us(objects):
        there = {key for secret in mounted_secrets(pod) for key in secret_keys[secret]}
        environment = variables(container, objects)
        files = {Path(str(value)) for key, value in environment.items() if key.endswith("_FILE")}
        needed = {file.name for file in files if str(file.parent) == SECRETS_FOLDER}
        # Migrations serve nobody, and need no keys of callers.
        assert needed - there <= ({"jwt_secret", "api_keys"} if name == "migrate" else set()), name
        assert environment["HEADWORKS_SECRETS_DIR"] == SECRETS_FOLDER
        assert f"headworks-bus-{pod['metadata']['labels']['app.kubernetes.io/name']}" in mounted_secrets(pod)
        if name != "dashboard":
            assert "headworks_database_url" in there, name


def test_the_gateway_has_a_local_e_stop_of_its_own(objects: list[Object]) -> None:
    [gateway] = [container for name, _, container in running_us(objects) if name == "control-gateway"]
    socket = Path(str(variables(gateway, objects)["HEADWORKS_LOCAL_API"]))
    assert str(socket.parent) in {mount["mountPath"] for mount in gateway["volumeMounts"] if mount["name"] == "tmp"}
    assert [name for name, pod in pods(objects) if "headworks-local" in mounted_secrets(pod)] == ["control-gateway"]


def test_every_service_is_there_and_is_asked_on_its_ops_port(objects: list[Object]) -> None:
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod, _ in running_us(objects)}
    assert names == SERVICES | {"migrate"}
    roles = {
        name: variables(container, objects).get("HEADWORKS_ROLE")
        for name, _, container in running_us(objects)
        if name.startswith("optimizer")
    }
    assert roles == {"optimizer-api": "api", "optimizer-worker": "worker"}
    services = {o["metadata"]["name"] for o in objects if o["kind"] == "Service"}
    for name, _pod, container in running_us(objects):
        hosts = {value for key, value in variables(container, objects).items() if key.endswith("_URL") and value}
        assert {url.partition("://")[2].partition(":")[0] for url in hosts} <= services | {"127.0.0.1"}, name
        if name != "migrate":
            assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "ops"}, name
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "ops"}, name
            assert {"name": "ops", "containerPort": 9000} in container["ports"], name


def test_every_pod_meets_the_restricted_standard_and_says_what_it_needs(objects: list[Object]) -> None:
    [namespace] = [o for o in objects if o["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(objects):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_one_gateway_alone_writes_and_keeps_its_state(objects: list[Object]) -> None:
    [gateway] = [o for o in objects if o["kind"] == "StatefulSet" and o["metadata"]["name"] == "control-gateway"]
    assert gateway["spec"]["replicas"] == 1
    [container] = gateway["spec"]["template"]["spec"]["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts["/var/lib/headworks"] in claims(objects, "control-gateway")
    [service] = [o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == "control-gateway"]
    assert service["spec"]["publishNotReadyAddresses"] is True, "when it is not ready, nobody could press the e-stop"


def test_no_secret_is_among_the_manifests(objects: list[Object]) -> None:
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Secret"] == []


def test_the_demo_lets_the_gateway_reach_every_simulated_plc(root: Path, sites_folder: Path) -> None:
    folder = root / "deploy/k8s/overlays/demo"
    [pod] = yaml.safe_load_all((folder / "ingest.yaml").read_text())
    [simulators] = pod["spec"]["template"]["spec"]["initContainers"]
    given = [word for word in simulators["args"] if word.startswith("--site=")]
    assert given == [f"--site=/etc/headworks/sites/{file.name}" for file in sorted(sites_folder.glob("*.yaml"))]
    ports = json.loads(simulators["args"][-1].partition("=")[2])
    service, *policies = yaml.safe_load_all((folder / "simulators.yaml").read_text())
    opened = {port["targetPort"]: port["port"] for port in service["spec"]["ports"]}
    assert opened == {port["name"]: port["containerPort"] for port in simulators["ports"] if port["name"] != "control"}
    _, content = kustomization(folder)
    [addresses] = [e["literals"][0] for e in content["configMapGenerator"] if e["name"] == "headworks-plcs"]
    assert json.loads(addresses.partition("=")[2]) == {plc: f"simulators:{ports[to]}" for plc, to in PLCS.items()}
    for policy in policies:
        rules = [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]
        assert {ports[to] for to in PLCS.values()} <= {port["port"] for rule in rules for port in rule["ports"]}


def test_our_own_assembly_is_what_kustomize_builds(root: Path, kustomize_build: Build) -> None:
    folder = root / "deploy/k8s/base"
    written = {(o["kind"], o["metadata"]["name"]) for o in assemble(folder)}
    # kustomize adds the hash of the content to a ConfigMap's name.
    built = {
        (o["kind"], o["metadata"]["name"].rpartition("-")[0] if o["kind"] == "ConfigMap" else o["metadata"]["name"])
        for o in kustomize_build(folder)
    }
    assert built == written


def test_a_pair_of_gateways_is_two_on_two_machines_with_a_folder_each(root: Path, kustomize_build: Build) -> None:
    objects = kustomize_build(root / "deploy/k8s/overlays/pair")
    [gateway] = [o for o in objects if o["kind"] == "StatefulSet" and o["metadata"]["name"] == "control-gateway"]
    assert gateway["spec"]["replicas"] == 2
    [apart] = gateway["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    assert [claim["metadata"]["name"] for claim in gateway["spec"]["volumeClaimTemplates"]] == ["state"]
    [budget] = [o for o in objects if o["kind"] == "PodDisruptionBudget" and o["metadata"]["name"] == "control-gateway"]
    assert budget["spec"]["maxUnavailable"] == 1
