"""Makes the secrets of a deployment, one file each: `.venv/bin/python deploy/make_secrets.py`. What is there already is kept.

Compose reads the files where they lie. For Kubernetes the folder is a kustomization too: `kubectl apply -k deploy/secrets`.
Containers run as another user than the host's, so the files may be read by all, and only their folder is closed (mode 700).
"""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
import yaml
from argon2 import PasswordHasher

from headworks.common.auth import Role
from headworks.common.permissions import KEYHOLDERS, authorization, write_seeds
from headworks.common.subjects import SERVICES

POSTGRES = "headworks"
ROLES = tuple(role.value for role in Role if role is not Role.SERVICE)
DEMO = {
    "headworks_pi_password": "demo",
    "headworks_hydroforecast_key": "demo-key",
    "headworks_entsoe_token": "demo-token",
}
KUBERNETES = {
    "headworks-database": ["headworks_database_url"],
    "headworks-auth": ["jwt_secret", "api_keys"],
    "headworks-local": ["local_secrets"],
    "headworks-sources": list(DEMO),
    "headworks-caiso": ["caiso-client.pem", "caiso-client.key"],
    "headworks-mail": ["smtp_password"],
    "headworks-users": ["users"],
    "headworks-postgres": ["postgres_password"],
    "headworks-nats": ["auth.conf"],
    **{
        f"headworks-bus-{client.replace('_', '-')}": [
            f"nats_seed=bus/{client}.nk",
            *(f"{key}=bus/{key}.nk" for key in KEYHOLDERS.get(client, ()) if key != client),
        ]
        for client in (*SERVICES, "migrate")
    },
}
"""Each Kubernetes secret with its keys; `key=file` where the file has another name."""


def main(
    folder: Annotated[Path, typer.Option(help="where the files are")] = Path("deploy/secrets"),
    user: Annotated[list[str] | None, typer.Option(help="who may sign in, as name:role; more than once")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="what the simulators expect, and a user operator")] = False,
) -> None:
    """Make what is missing, and say the new users' passwords once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_services(folder, DEMO if demo else {})
    people = user or (["operator:engineer"] if demo else [])
    for line in _write_users(folder / "users", people):
        typer.echo(line)
    _write_bus(folder)
    _write_kustomization(folder)


def _write_services(folder: Path, known: dict[str, str]) -> None:
    """Secrets that nobody needs to know are made up; those of outside systems are empty until a person fills them in."""
    password = _keep(folder / "postgres_password", secrets.token_urlsafe(32))
    _keep(folder / "headworks_database_url", f"postgresql+asyncpg://{POSTGRES}:{password}@postgres:5432/{POSTGRES}")
    _keep(folder / "jwt_secret", secrets.token_urlsafe(48))
    _keep(folder / "api_keys", "[]")
    _keep(
        folder / "local_secrets", "[]"
    )  # who may use the local e-stop: a person adds what `headworks e-stop new-secret` says
    for name in (*DEMO, "smtp_password", "caiso-client.pem", "caiso-client.key"):
        _keep(folder / name, known.get(name, ""))


def _write_users(file: Path, people: list[str]) -> list[str]:
    """Add people, each with a new password; say who was added with which."""
    users = json.loads(file.read_text()) if file.exists() else []
    told = []
    for person in people:
        name, _, role = person.partition(":")
        if role not in ROLES:
            raise typer.BadParameter(f"--user {person!r} must be name:role, with a role of {', '.join(ROLES)}")
        if name in {entry["name"] for entry in users}:
            continue
        password = secrets.token_urlsafe(12)
        users.append({"name": name, "role": role, "argon2": PasswordHasher().hash(password)})
        told.append(f"{name} ({role}) signs in with {password}")
    _write(file, json.dumps(users, indent=2))
    return told


def _write_bus(folder: Path) -> None:
    """A key for every service on the bus, and the server's list of who may do what."""
    bus = folder / "bus"
    public_keys = write_seeds(bus)
    for file in bus.glob("*.nk"):
        file.chmod(0o444)
    _write(folder / "auth.conf", authorization(public_keys))


def _write_kustomization(folder: Path) -> None:
    generators = [
        {"name": name, "files": files, "options": {"disableNameSuffixHash": True}} for name, files in KUBERNETES.items()
    ]
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "headworks",
        "secretGenerator": generators,
    }
    _write(folder / "kustomization.yaml", yaml.safe_dump(content, sort_keys=False))


def _keep(file: Path, content: str) -> str:
    """The file's content, written first where there is none."""
    if not file.exists():
        _write(file, content)
    return file.read_text()


def _write(file: Path, content: str) -> None:
    part = file.with_name(f"{file.name}.part")
    part.write_text(content)
    part.chmod(0o444)
    part.replace(file)


if __name__ == "__main__":
    typer.run(main)
