"""`headworks vendor`: gives publishers of plans access to the bus, and ends it.

The seed of a vendor's key is made here, on the machine of the person who adds the vendor; only its public key is sent to the
plans service, so no part of the system ever has the seed. The command asks the plans API as an admin (and so works from anywhere,
is checked like every other call, and is written down by name) rather than writing to the database.
"""

import getpass
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from headworks.common.auth import Authenticator, Role
from headworks.common.permissions import new_seed, permissions_of_vendor, public_key
from headworks.common.settings import ServiceSettings
from headworks.plans.vendors import Quota

app = typer.Typer(no_args_is_help=True, help="Publishers of plans from outside: their access to the bus.")
API_KEY = "HEADWORKS_API_KEY"

NameOf = Annotated[str, typer.Argument(metavar="NAME", help="letters, digits, - and _")]
SitesOf = Annotated[list[str], typer.Option("--site", help="a site it may plan for; may be given more than once")]
SeedTo = Annotated[Path | None, typer.Option("--seed-file", help="write the seed there instead of printing it")]
PerHour = Annotated[int | None, typer.Option("--submissions-per-hour", help="default 12")]
PerSubmission = Annotated[int | None, typer.Option("--intervals-per-submission", help="default 1000")]
PerDay = Annotated[int | None, typer.Option("--intervals-per-day", help="in any 24 hours; default 20000")]
Priority = Annotated[int | None, typer.Option("--max-priority", help="highest priority of its plans; default 1")]
Shadow = Annotated[bool | None, typer.Option("--shadow/--live", help="in shadow its plans are scored, never in force")]
Preflight = Annotated[bool | None, typer.Option("--preflight/--no-preflight", help="simulate before accepting")]


@app.command("add")
def add(
    name: NameOf,
    site: SitesOf,
    submissions_per_hour: PerHour = None,
    intervals_per_submission: PerSubmission = None,
    intervals_per_day: PerDay = None,
    max_priority: Priority = None,
    shadow: Shadow = None,
    preflight: Preflight = None,
    seed_file: SeedTo = None,
) -> None:
    """Make a key for a vendor, register it, and say the credentials: once."""
    seed = new_seed()
    body = {"name": name, "public_key": public_key(seed), **_terms(
        {}, site, submissions_per_hour, intervals_per_submission, intervals_per_day, max_priority, shadow, preflight
    )}  # fmt: skip
    _refuse_existing(seed_file)
    with _client() as client:
        vendor = _answer(client.post("/vendors", json=body))
    _say_credentials(vendor, seed, seed_file)


@app.command("set")
def change(
    name: NameOf,
    site: Annotated[list[str] | None, typer.Option("--site", help="all sites it may plan for from now on")] = None,
    submissions_per_hour: PerHour = None,
    intervals_per_submission: PerSubmission = None,
    intervals_per_day: PerDay = None,
    max_priority: Priority = None,
    shadow: Shadow = None,
    preflight: Preflight = None,
) -> None:
    """Change what a vendor may do; what is not given stays."""
    with _client() as client:
        before = _answer(client.get(f"/vendors/{name}"))
        terms = _terms(
            before, site, submissions_per_hour, intervals_per_submission, intervals_per_day, max_priority, shadow,
            preflight,
        )  # fmt: skip
        _say_terms(_answer(client.put(f"/vendors/{name}/terms", json=terms)))


@app.command("list")
def list_vendors() -> None:
    """List every vendor with what it may do."""
    with _client() as client:
        vendors = _answer(client.get("/vendors"))
    for vendor in vendors:
        _say_terms(vendor)
    typer.echo(f"{len(vendors)} vendors")


@app.command("rotate")
def rotate(name: NameOf, seed_file: SeedTo = None) -> None:
    """Make a vendor another key, and say it: once. The key before ends at once, and its connections with it."""
    seed = new_seed()
    _refuse_existing(seed_file)
    with _client() as client:
        vendor = _answer(client.post(f"/vendors/{name}/rotate", json={"public_key": public_key(seed)}))
    _say_credentials(vendor, seed, seed_file)


@app.command("revoke")
def revoke(
    name: NameOf,
    reason: Annotated[str, typer.Option(help="why; it is kept")],
    keep_plans: Annotated[bool, typer.Option("--keep-plans", help="let its plans run out")] = False,
) -> None:
    """End a vendor's access at once. Its plans are cancelled, so that the next publisher's are in force."""
    with _client() as client:
        body = {"reason": reason, "keep_plans": keep_plans}
        revoked = _answer(client.post(f"/vendors/{name}/revoke", json=body))
    typer.echo(
        f"{name}: access ended at {revoked['vendor']['revoked_at']}; {revoked['cancelled_plans']} plans cancelled"
    )


def _terms(
    before: dict[str, Any],
    sites: list[str] | None,
    submissions_per_hour: int | None,
    intervals_per_submission: int | None,
    intervals_per_day: int | None,
    max_priority: int | None,
    shadow: bool | None,
    preflight: bool | None,
) -> dict[str, Any]:
    """The terms to be: what is given, else what was, else what is usual."""
    quota = {
        "submissions_per_hour": submissions_per_hour,
        "intervals_per_submission": intervals_per_submission,
        "intervals_per_day": intervals_per_day,
    }
    given = {"sites": sites, "max_priority": max_priority, "shadow": shadow, "preflight": preflight}
    terms = {key: before[key] for key in given if key in before}
    terms |= {key: value for key, value in given.items() if value is not None}
    usual = before.get("quota", Quota().model_dump())
    return {**terms, "quota": usual | {key: value for key, value in quota.items() if value is not None}}


@contextmanager
def _client() -> Generator[httpx.Client]:
    """The plans API as an admin: by an API key, or by the built-in issuer where its secret is at hand."""
    settings = ServiceSettings()
    key = os.environ.get(API_KEY)
    try:
        headers = {"X-API-Key": key} if key else {"Authorization": f"Bearer {_token(settings)}"}
        with httpx.Client(base_url=settings.plans_url, headers=headers, timeout=30) as client:
            yield client
    except (ValueError, OSError) as error:
        _fail(f"set {API_KEY} to an admin's key, or HEADWORKS_JWT_SECRET_FILE: {error}")
    except httpx.HTTPError as error:
        _fail(f"HEADWORKS_PLANS_URL={settings.plans_url}: {error!r}; is the plans service there?")


def _token(settings: ServiceSettings) -> str:
    who = os.environ.get("HEADWORKS_ADMIN") or getpass.getuser()
    return Authenticator(settings).issuer.issue(who, Role.ADMIN, timedelta(minutes=1))


def _answer(response: httpx.Response) -> Any:
    """What the API answered; a refusal is said with each field, its value, and what would be right."""
    if response.is_success:
        return response.json()
    problem = response.json() if "json" in response.headers.get("content-type", "") else {}
    lines = [f"{problem.get('title', 'refused')} ({response.status_code}) {problem.get('detail', '')}".rstrip()]
    lines += [f"{e['field'].removeprefix('body.')}={e['value']!r}: {e['expected']}" for e in problem.get("errors", [])]
    return _fail("\n".join(lines))


def _fail(text: str) -> None:
    typer.echo(text, err=True)
    raise typer.Exit(1)


def _refuse_existing(seed_file: Path | None) -> None:
    if seed_file is not None and seed_file.exists():
        raise typer.BadParameter(f"--seed-file {seed_file} exists; a seed never overwrites a file")


def _say_terms(vendor: dict[str, Any]) -> None:
    quota, revoked = vendor["quota"], vendor["revoked_at"]
    state = f"revoked {revoked}" if revoked else "shadow" if vendor["shadow"] else "live"
    typer.echo(
        f"{vendor['name']}  {state}  sites {','.join(vendor['sites'])}  priority up to {vendor['max_priority']}  "
        f"{quota['submissions_per_hour']} submissions/h, {quota['intervals_per_submission']} intervals each, "
        f"{quota['intervals_per_day']} in 24 h  preflight {'on' if vendor['preflight'] else 'off'}  "
        f"added {vendor['added_at']} by {vendor['added_by']}"
    )


def _say_credentials(vendor: dict[str, Any], seed: str, seed_file: Path | None) -> None:
    allowed = permissions_of_vendor(vendor["name"], vendor["sites"])
    _say_terms(vendor)
    typer.echo(f"server      {ServiceSettings().nats_url}")
    typer.echo(f"publish     {' '.join(allowed.publish)}")
    typer.echo(f"subscribe   {' '.join(allowed.subscribe)}")
    typer.echo(f"public key  {vendor['public_key']}")
    if seed_file is None:
        typer.echo(f"seed        {seed}")
        typer.echo(
            "The seed is shown this once and kept nowhere. Give it to the vendor by a safe way; lost, it is rotated."
        )
        return
    descriptor = os.open(seed_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(seed + "\n")
    typer.echo(f"seed        in {seed_file}, and nowhere else")
