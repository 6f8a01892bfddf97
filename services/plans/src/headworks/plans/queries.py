"""The plan in force, asked of the database: the highest priority of what is active at the instant, then the newest
content (a copy of what is left of an older plan is as old as that).

`plan_status = 'ACTIVE'` is a literal, so that the active partition alone is looked at.
"""

from headworks.plans.rows import PUMP_COLUMNS

CURRENT = """
select message from (
    select p.plan_priority, p.plan_created_at, p.plan_id, plans.message_of(p) as message from plans.pump_plans p
    where p.station_id = $1 and p.pump_id = $2 and p.plan_status = 'ACTIVE'
        and p.interval_end > $3::timestamptz and p.interval_start <= $3::timestamptz
    union all
    select p.plan_priority, p.plan_created_at, p.plan_id, plans.message_of(p) from plans.optimization_plans p
    where p.station_id = $1 and p.resource_id = $2 and p.plan_status = 'ACTIVE'
        and p.interval_end > $3::timestamptz and p.interval_start <= $3::timestamptz
) held order by plan_priority desc, plan_created_at desc, plan_id desc limit 1
"""
"""Of one actuator: $1 site, $2 resource, $3 instant."""

_MESSAGE = """p.plan_id, p.station_id, {resource} as resource_id, {type} as resource_type, p.interval_start,
            p.interval_end, {targets} as targets, p.plan_version, p.plan_priority, p.plan_status, p.publisher,
            p.submission_id, p.optimization_run_id, p.superseded_by, p.plan_created_at, p.plan_updated_at, p.reason"""
_PUMP_MESSAGE = _MESSAGE.format(
    resource="p.pump_id",
    type="'PUMP'",
    targets="json_build_object('kind', 'pump', " + ", ".join(f"'{name}', p.{name}" for name in PUMP_COLUMNS) + ")",
)
_GENERIC_MESSAGE = _MESSAGE.format(
    resource="p.resource_id",
    type="p.resource_type",
    targets="""jsonb_set(p.optimization_targets, '{kind}', '"generic"')::json""",
)
CURRENT_OF_ALL = f"""
select coalesce(json_agg(message)::text, '[]') as messages from (
    select distinct on (resource_id) * from (
        select {_PUMP_MESSAGE}
        from plans.pump_plans p
        where p.station_id = $1 and p.plan_status = 'ACTIVE'
            and tstzrange(p.interval_start, p.interval_end) @> $2::timestamptz
        union all
        select {_GENERIC_MESSAGE}
        from plans.optimization_plans p
        where p.station_id = $1 and p.plan_status = 'ACTIVE'
            and tstzrange(p.interval_start, p.interval_end) @> $2::timestamptz
    ) held order by resource_id, plan_priority desc, plan_created_at desc, plan_id desc
) message
"""  # noqa: S608
"""Of every actuator of a site: $1 site, $2 instant. A JSON list, a row an object: half the cost of message_of.

The range as it is written here has an index: a thousand plans in force are found among a hundred thousand active ones without
reading these."""

KNOWN = "select reply, content_hash from plans.submissions where publisher = $1 and submission_id = $2"
"""The answer that a submission had: $1 publisher, $2 its id."""
