"""A stranger publishes to a stream of ours: an id of its choice drops nobody's message."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.schema import CreateSchema

from headworks.common.bus import Bus
from headworks.common.database import Database, metadata_of
from headworks.common.messages import GenericTargets, PlanInterval, PlanSubmission, ResourceType, TargetType
from headworks.common.outbox import Outbox, outbox_table
from headworks.common.subjects import PLAN_EVENT, PLAN_SUBMISSION, SUBJECTS, takes_ids
from headworks.common.tasks import in_background
from headworks.common.testing import eventually, stored

AT = datetime(2026, 2, 17, tzinfo=UTC)


def submission(publisher: str) -> PlanSubmission:
    interval = PlanInterval(
        resource="OXPH",
        resource_type=ResourceType.TURBINE,
        interval_start=AT,
        interval_end=AT + timedelta(hours=1),
        targets=GenericTargets(target_type=TargetType.POWER, target_value=2.0),
    )
    return PlanSubmission(submission_id="run-1", publisher=publisher, site="abay", created_at=AT, intervals=(interval,))


async def test_the_relay_s_submission_is_in_the_stream_though_a_stranger_used_its_id_at_this_moment(
    bus: Bus, database_url: str
) -> None:
    metadata = metadata_of("boxes")
    outbox, database = Outbox(outbox_table(metadata)), Database(database_url)
    async with database.transaction() as connection:
        await connection.execute(CreateSchema("boxes"))
        await connection.run_sync(metadata.create_all)
        own = submission("optimizer")
        await outbox.add(connection, PLAN_SUBMISSION, own, "submit:run-1", publisher="optimizer", site="abay")

    async def is_sent() -> bool:
        async with database.transaction() as connection:
            return (await connection.execute(select(outbox.table.c.sent_at))).scalar_one() is not None

    stranger = submission("acme").model_dump_json().encode()
    await bus.publish_raw("plans.submit.acme.abay", stranger, {"Nats-Msg-Id": "submit:run-1"})
    async with in_background(outbox.relay(database, bus)):
        await eventually(is_sent)
    await database.close()
    assert [each.publisher for each in await stored(bus, PLAN_SUBMISSION)] == ["acme", "optimizer"]


async def test_an_id_is_forgotten_at_once_where_several_publish(bus: Bus) -> None:
    """By the server's own account, which clears them a little later than it says."""
    told = await bus._jetstream.stream_info("PLAN_SUBMISSIONS")
    assert told.config.duplicate_window == 0.1
    sent = submission("acme").model_dump_json().encode()

    async def is_taken() -> bool:
        subject, mine = "plans.submit.beta.abay", {"Nats-Msg-Id": "X"}
        return not (await bus._jetstream.publish(subject, sent, headers=mine)).duplicate

    await bus.publish_raw("plans.submit.acme.abay", sent, {"Nats-Msg-Id": "X"})
    await eventually(is_taken, 5, 0.05)


def test_only_submissions_go_without_an_id() -> None:
    names = {subject.wildcard for subject in SUBJECTS if not takes_ids(subject.wildcard.replace("*", "x"))}
    assert names == {PLAN_SUBMISSION.wildcard}
    assert takes_ids(PLAN_EVENT.at(site="abay", resource="OXPH"))
