-- A row as the bus says it (headworks.common.messages.Plan).
create function plans.message_of(p plans.@plans@) returns json language sql stable as $$
    select json_build_object(
        'plan_id', p.plan_id, 'station_id', p.station_id, 'resource_id', p.@resource@, 'resource_type', @type@,
        'interval_start', p.interval_start, 'interval_end', p.interval_end, 'targets', @message@,
        'plan_version', p.plan_version, 'plan_priority', p.plan_priority, 'plan_status', p.plan_status,
        'publisher', p.publisher, 'submission_id', p.submission_id, 'optimization_run_id', p.optimization_run_id,
        'superseded_by', p.superseded_by, 'plan_created_at', p.plan_created_at, 'plan_updated_at', p.plan_updated_at,
        'reason', p.reason)
$$;
