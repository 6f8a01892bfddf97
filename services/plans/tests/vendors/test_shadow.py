"""A vendor in shadow: answered as any other, stored apart, and seen by nobody who asks what is in force."""

from sqlalchemy import select, text
from vendor_rig import ADMIN, HOUR, NOW, Plans, unit_plan

from headworks.common.bus import Bus, Deliver
from headworks.common.subjects import PLAN_EVENT
from headworks.plans.challengers.tables import challenger_plans
from headworks.plans.record import known_at, versions
from headworks.plans.vendors import Terms


async def test_a_plan_in_shadow_is_answered_and_stored_and_in_no_answer_about_what_is_in_force(plans: Plans) -> None:
    await plans.add("acme", shadow=True, max_priority=9)
    champion = await plans.desk.take(unit_plan("o1", 2.0, 2.0, publisher="optimizer"))
    reply = await plans.desk.take(unit_plan("s1", 3.0, 3.0, priority=9))
    assert (reply.accepted, reply.shadow, len(reply.plan_ids)) == (True, True, 2)
    assert await plans.desk.take(unit_plan("s1", 3.0, 3.0, priority=9)) == reply
    again = await plans.desk.take(unit_plan("s2", 4.0, begins=NOW + HOUR, priority=9))
    async with plans.database.transaction() as connection:
        t = challenger_plans
        rows = await connection.execute(select(t.c.plan_id, t.c.plan_version).order_by(t.c.plan_id))
        assert [tuple(row) for row in rows] == [(reply.plan_ids[0], 1), (reply.plan_ids[1], 1), (again.plan_ids[0], 2)]
        for table in ("pump_plans", "optimization_plans"):
            found = await connection.execute(text(f"select count(*) from plans.{table} where publisher = 'acme'"))
            assert found.scalar_one() == 0
    ids = set(champion.plan_ids)
    assert {p.plan_id for p in await plans.store.active("abay", NOW)} == ids
    assert {s.plan.plan_id for s in await plans.store.effective("abay", None, NOW, NOW + 9 * HOUR)} == ids
    assert {p.plan_id for p in await known_at(plans.database, "abay", None, NOW + HOUR, NOW, None)} == ids
    assert {
        p.plan_id async for batch in versions(plans.database, "abay", None, NOW, NOW + 9 * HOUR) for p in batch
    } == ids
    async with plans.api() as ann:
        for path in (
            "/plans/active",
            "/plans/current",
            "/plans/history",
            "/plans/effective",
            "/plans/as-of",
            "/plans/export",
        ):
            told = await ann.get(path, params={"station": "abay", "resource": "OXPH", "start": NOW.isoformat()})
            assert '"acme"' not in told.text, path
        for plan_id in reply.plan_ids:
            assert (await ann.get(f"/plans/{plan_id}")).status_code == 404
            assert (await ann.post(f"/plans/{plan_id}/cancel")).status_code in {404, 428}


async def test_no_event_tells_of_a_plan_in_shadow(plans: Plans) -> None:
    """What the gateway and everybody else hears: the events of the bus, in order, up to one that came after."""
    await plans.add("acme", shadow=True, max_priority=9)
    await plans.desk.take(unit_plan("s1", 3.0, priority=9))
    await plans.desk.take(unit_plan("o1", 2.0, publisher="optimizer"))
    async with await Bus.connect(plans.server.url, "control_gateway", plans.keys / "control_gateway.nk") as gateway:
        async for event, _ in gateway.follow(PLAN_EVENT, deliver=Deliver.ALL):
            assert [plan.publisher for plan in event.plans] == ["optimizer"]
            break


async def test_one_that_goes_into_shadow_has_its_plans_taken_out_of_force(plans: Plans) -> None:
    vendor = await plans.add("acme", max_priority=9)
    assert not (await plans.desk.take(unit_plan("s1", 3.0, priority=9))).shadow
    terms = Terms(**vendor.model_dump(include=set(Terms.model_fields) - {"shadow"}), shadow=True)
    async with plans.api() as ann:
        assert (await ann.put("/vendors/acme/terms", json=terms.model_dump())).status_code == 200
    assert await plans.store.active("abay", NOW) == []
    assert (await plans.desk.take(unit_plan("s2", 3.0, priority=9))).shadow
    await plans.vendors.registry.change("acme", terms.model_copy(update={"shadow": False}), ADMIN)
    assert not (await plans.desk.take(unit_plan("s3", 3.0, priority=9))).shadow
    assert [p.submission_id for p in await plans.store.active("abay", NOW)] == ["s3"]
