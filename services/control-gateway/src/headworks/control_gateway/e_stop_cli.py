"""The command `headworks e-stop`: press, clear and see emergency stops by the gateway's local API, with all else down."""

import hashlib
import json
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from headworks.common.auth import ApiKey, Role

app = typer.Typer(no_args_is_help=True, help="Emergency stops, by the local API of a gateway.")
REFUSED, UNREACHED = 1, 2
TIMEOUT_S = 10.0
STDIN = Path("-")
"""A container's file system has no place for people's secrets: there the secret comes by the input."""

What = Annotated[str, typer.Argument(help="system, SITE, or SITE/RESOURCE")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the journal and the audit")]
Address = Annotated[
    str, typer.Option(envvar="HEADWORKS_LOCAL_API", help="the gateway's local API: a unix socket's path, or host:port")
]
Secret = Annotated[
    Path,
    typer.Option(
        envvar="HEADWORKS_LOCAL_SECRET_FILE", help="file with your own secret, that only you may read; - is the input"
    ),
]


@app.command()
def press(what: What, reason: Reason, address: Address, secret_file: Secret) -> None:
    """Stop the system, a site or one actuator, at once."""
    _say(_call("POST", "/e-stop", address, secret_file, {**_scope(what), "reason": reason}))


@app.command()
def clear(what: What, reason: Reason, address: Address, secret_file: Secret) -> None:
    """Ask to clear; a second person, with a secret of their own, gives the same command to confirm."""
    _say(_call("POST", "/e-stop/clear", address, secret_file, {**_scope(what), "reason": reason}))


@app.command()
def state(address: Address, secret_file: Secret) -> None:
    """Say what is stopped, by whom, and what waits for a second person."""
    _say(_call("GET", "/e-stop", address, secret_file, None))


@app.command()
def new_secret(
    name: Annotated[str, typer.Argument(help="the person's name, as it stands in the audit")],
    role: Annotated[Role, typer.Option(help="operator presses; engineer clears, too")] = Role.OPERATOR,
) -> None:
    """Make a person's secret: it is printed once, beside the entry for HEADWORKS_LOCAL_SECRETS_FILE."""
    secret = secrets.token_urlsafe(32)
    entry = ApiKey(name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), role=role)
    typer.echo(f"secret, for {name} alone: {secret}")
    typer.echo(f"entry of the gateway's list: {json.dumps(entry.model_dump(mode='json'))}")


def _scope(what: str) -> dict[str, str]:
    if what == "system":
        return {}
    site, _, resource = what.partition("/")
    return {"site": site} | ({"resource": resource} if resource else {})


def _call(method: str, path: str, address: str, secret_file: Path, body: dict[str, str] | None) -> dict[str, Any]:
    """The answer. Ends the command where there is none, or a refusal."""
    unix = address.startswith("/")
    transport = httpx.HTTPTransport(uds=address) if unix else None
    try:
        if unix and not Path(address).is_socket():
            raise FileNotFoundError("there is no such socket")
        secret = sys.stdin.read() if secret_file == STDIN else secret_file.read_text()
        headers = {"X-API-Key": secret.strip()}
        with httpx.Client(transport=transport, timeout=TIMEOUT_S, trust_env=False) as client:
            response = client.request(
                method, f"http://{'gateway' if unix else address}{path}", headers=headers, json=body
            )
    except (httpx.HTTPError, OSError) as error:
        typer.echo(f"NOT DONE: the gateway at {address} is not reached ({error}). Use the plant's own stop.", err=True)
        raise typer.Exit(UNREACHED) from None
    answer: dict[str, Any] = response.json()
    if response.status_code != httpx.codes.OK:
        wrong = "; ".join(f"{e['field']}={e.get('value')!r}: {e['expected']}" for e in answer.get("errors") or ())
        told = " ".join(filter(None, (answer.get("title"), answer.get("detail"), wrong)))
        typer.echo(f"NOT DONE: {told}", err=True)
        raise typer.Exit(REFUSED)
    return answer


def _say(answer: dict[str, Any]) -> None:
    for stop in answer["active"]:
        scope = "/".join(filter(None, (stop["scope"]["site"], stop["scope"]["resource"]))) or "system"
        typer.echo(f"{scope}: stopped by {stop['by']} at {stop['at']}: {stop['reason']}")
    if not answer["stored"]:
        typer.echo("the disk refuses: it holds, but a restart would forget it", err=True)
    typer.echo(answer["message"])
