"""The registry of vendors by API: who they are and what they may do. An admin changes it; the key's seed never comes here."""

from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from headworks.common.auth import Admin, Viewer
from headworks.common.messages import Name
from headworks.common.problems import FieldProblem, Problem
from headworks.plans.vendor_desk import VendorDesk
from headworks.plans.vendor_store import InUse
from headworks.plans.vendors import PublicKey, Terms, Vendor, VendorName

T = TypeVar("T")
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No vendor of that name has access"}}
IN_USE: dict[int | str, dict[str, Any]] = {409: {"description": "The name or the key is in use"}}


class NewVendor(Terms):
    """A vendor to be: its name, its public key, and what it may do."""

    name: VendorName
    public_key: PublicKey


class NewKey(BaseModel):
    """Another key in place of the one that connects now."""

    model_config = ConfigDict(extra="forbid")
    public_key: PublicKey


class Revocation(BaseModel):
    """Why a vendor's access ends, and what becomes of its plans."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)
    keep_plans: bool = Field(default=False, description="let its plans run out, instead of cancelling them now")


class Revoked(BaseModel):
    """A vendor whose access has ended, and how many of its plans were cancelled."""

    vendor: Vendor
    cancelled_plans: int


def add_vendor_routes(app: FastAPI, desk: VendorDesk) -> None:
    """The registry's routes."""

    @app.get("/vendors")
    async def list_vendors(_caller: Viewer) -> list[Vendor]:
        """Every vendor, those without access too."""
        return await desk.registry.all()

    @app.post("/vendors", status_code=201, responses=IN_USE)
    async def add_vendor(body: NewVendor, caller: Admin) -> Vendor:
        """Give a vendor access to its sites."""
        _check_sites(body.sites, desk)
        terms = Terms(**body.model_dump(exclude={"name", "public_key"}))
        return _unless_in_use(await desk.registry.add(body.name, body.public_key, terms, desk.change_by(caller.name)))

    @app.get("/vendors/{name}", responses={404: {"description": "No such vendor"}})
    async def vendor_by_name(name: Name, _caller: Viewer) -> Vendor:
        """One vendor."""
        return _known(await desk.registry.find(name), name)

    @app.put("/vendors/{name}/terms", responses=UNKNOWN)
    async def change_terms(name: Name, body: Terms, caller: Admin) -> Vendor:
        """Change what a vendor may do. Where its sites change, it is made to connect again.

        One that goes into shadow has its plans cancelled: from then on none of its plans is in force.
        """
        _check_sites(body.sites, desk)
        return _known(await desk.change_terms(name, body, caller.name), name)

    @app.post("/vendors/{name}/rotate", responses=UNKNOWN | IN_USE)
    async def rotate_key(name: Name, body: NewKey, caller: Admin) -> Vendor:
        """Give a vendor another key. The one before ends at once."""
        rotated = await desk.registry.rotate(name, body.public_key, desk.change_by(caller.name))
        vendor = _known(_unless_in_use(rotated), name)
        desk.changed()
        return vendor

    @app.post("/vendors/{name}/revoke", responses=UNKNOWN)
    async def revoke(name: Name, body: Revocation, caller: Admin) -> Revoked:
        """End a vendor's access at once: nothing of it is accepted any more, and its connections are ended."""
        ended = await desk.revoke(name, body.reason, caller.name, keep_plans=body.keep_plans)
        vendor, cancelled = _known(ended, name)
        return Revoked(vendor=vendor, cancelled_plans=cancelled)


def _check_sites(sites: tuple[str, ...], desk: VendorDesk) -> None:
    for i, site in enumerate(sites):
        if site not in desk.sites:
            wrong = FieldProblem(
                field=f"body.sites.{i}", value=site, expected=f"one of {', '.join(sorted(desk.sites))}"
            )
            raise Problem(422, "The request is not valid", errors=[wrong])


def _known(vendor: T | None, name: str) -> T:
    if vendor is None:
        raise Problem(404, "No such vendor", f"no vendor {name} has access")
    return vendor


def _unless_in_use(outcome: T | InUse) -> T:
    if isinstance(outcome, InUse):
        wrong = FieldProblem(field=f"body.{outcome.field}", value=outcome.value, expected=outcome.expected)
        raise Problem(409, f"The {outcome.field.replace('_', ' ')} is in use", errors=[wrong])
    return outcome
