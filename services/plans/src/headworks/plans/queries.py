"""The plan in force, asked of the database: the highest priority of what is active at the instant, then the newest.

`plan_status = 'ACTIVE'` is a literal, so that the active partition alone is looked at.
"""

CURRENT = """
select message from (
    select p.plan_priority, p.plan_id, plans.message_of(p) as message from plans.pump_plans p
    where p.station_id = $1 and p.pump_id = $2 and p.plan_status = 'ACTIVE'
        and p.interval_end > $3::timestamptz and p.interval_start <= $3::timestamptz
    union all
    select p.plan_priority, p.plan_id, plans.message_of(p) from plans.optimization_plans p
    where p.station_id = $1 and p.resource_id = $2 and p.plan_status = 'ACTIVE'
        and p.interval_end > $3::timestamptz and p.interval_start <= $3::timestamptz
) held order by plan_priority desc, plan_id desc limit 1
"""
"""Of one actuator: $1 site, $2 resource, $3 instant."""

CURRENT_OF_ALL = """
select json_agg(message order by resource) as messages from (
    select distinct on (resource) resource, message from (
        select p.pump_id as resource, p.plan_priority, p.plan_id, plans.message_of(p) as message from plans.pump_plans p
        where p.station_id = $1 and p.plan_status = 'ACTIVE'
            and p.interval_end > $2::timestamptz and p.interval_start <= $2::timestamptz
        union all
        select p.resource_id, p.plan_priority, p.plan_id, plans.message_of(p) from plans.optimization_plans p
        where p.station_id = $1 and p.plan_status = 'ACTIVE'
            and p.interval_end > $2::timestamptz and p.interval_start <= $2::timestamptz
    ) held order by resource, plan_priority desc, plan_id desc
) of_each
"""
"""Of every actuator of a site: $1 site, $2 instant."""

KNOWN = "select reply, content_hash from plans.submissions where publisher = $1 and submission_id = $2"
"""The answer that a submission had: $1 publisher, $2 its id."""
