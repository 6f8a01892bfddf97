"""One space of names: a person plans under no service's, and a vendor under no person's."""

from typing import Any

from headworks.common.auth import Role
from headworks.common.database import Database
from headworks.common.permissions import new_seed, public_key
from headworks.plans.vendor_store import Change, InUse, VendorStore
from headworks.plans.vendors import Terms, Vendor


async def test_a_person_with_a_service_s_name_plans_nothing_in_it(api: Any) -> None:
    whole = await api.submit("s1", api.pump(), name="optimizer")
    one = {"site": "blominmaki", "interval": api.pump()}
    alone = await api("POST", "/plans", name="doorkeeper", role=Role.ADMIN, json=one)
    for answer, name in ((whole, "optimizer"), (alone, "doorkeeper")):
        assert answer.status_code == 403, answer.text
        [error] = answer.json()["errors"]
        assert (error["field"], error["value"]) == ("publisher", name)
    assert (await api("GET", "/plans/active?station=blominmaki")).json() == []
    service = await api("POST", "/plans", name="optimizer", role=Role.SERVICE, json=one)
    assert service.status_code == 201, service.text


async def test_a_name_that_somebody_has_planned_under_becomes_no_vendor_s(api: Any, plans_database: Database) -> None:
    await api.planned("s1", api.pump(), name="ann")
    refused = await api.submit("s2", api.pump(suggested_speed_hz=99.0), name="eve")
    assert refused.status_code == 409
    registry, terms, by = VendorStore(plans_database), Terms(sites=("blominmaki",)), Change("admin", api.clock.now())
    key = public_key(new_seed())
    taken = await registry.add("ann", key, terms, by)
    assert isinstance(taken, InUse)
    assert (taken.field, taken.value) == ("name", "ann")
    assert "nobody has planned under" in taken.expected
    assert await registry.find("ann") is None, "nothing of it stays"
    assert isinstance(await registry.add("eve", key, terms, by), Vendor), "who planned nothing has taken no name"
