-- The write path of one plan table: @plans@. The other table is @others@.

-- Supersedes what the publisher has active over the new horizon [starts[1], ends[n]), each by the first new version (new_ids)
-- that covers its time. What reaches out of the horizon goes on in a copy, so that no hole opens.
create function plans.supersede_@plans@(
    o plans.origin, resource varchar, new_ids integer[], starts timestamptz[], ends timestamptz[], at timestamptz,
    out ended integer[], out copy_ids integer[], out copies json[]
) language plpgsql as $$
declare
    horizon_start constant timestamptz := starts[1];
    horizon_end constant timestamptz := ends[cardinality(ends)];
begin
    with superseded as (
        -- width_bucket finds the number of new versions that end no later than this plan begins, by halving
        update plans.@plans@ p set plan_status = 'SUPERSEDED', plan_updated_at = now(), active_until = at,
            superseded_by = new_ids[1 + width_bucket(p.interval_start, ends)]
        where p.station_id = o.site and p.@resource@ = resource and p.publisher = o.publisher
            and p.plan_status = 'ACTIVE' and p.interval_end > horizon_start and p.interval_start < horizon_end
        returning p.*
    ), rest as (
        insert into plans.@plans@ (station_id, @resource@, interval_start, interval_end, @columns@, plan_created_at,
            plan_version, optimization_run_id, plan_priority, publisher, submission_id, reason, content_hash, active_from)
        select s.station_id, s.@resource@, part.starts, part.ends, @s_columns@, s.plan_created_at,
            s.plan_version + 1, s.optimization_run_id, s.plan_priority, s.publisher, s.submission_id, s.reason,
            s.content_hash, at
        from superseded s
            cross join lateral (values (s.interval_start, horizon_start), (horizon_end, s.interval_end)) part (starts, ends)
        where part.starts < part.ends
        returning *
    )
    select (select array_agg(s.plan_id order by s.interval_start) from superseded s),
        (select array_agg(r.plan_id order by r.interval_start) from rest r),
        (select array_agg(plans.message_of(r::plans.@plans@) order by r.interval_start) from rest r)
    into ended, copy_ids, copies;
end $$;

-- A publisher's new versions for one actuator: a horizon without hole or overlap, in order of time. The caller holds the
-- actuator's lock. Gives the new plans' ids (copies last) and the event, which is in the outbox too.
create function plans.replace_@plans@(
    o plans.origin, resource varchar, intervals json, out plan_ids integer[], out event json
) language plpgsql as $$
declare
    new_ids integer[];
    starts timestamptz[];
    ends timestamptz[];
    at timestamptz := o.at;
    highest integer;
    of_other boolean;
    gone record;
    gone_other record;
    made json[];
    event_id constant text := replace(gen_random_uuid()::text, '-', '');
begin
    select array_agg(nextval('plans.plan_id_seq')::integer), array_agg(i.interval_start), array_agg(i.interval_end)
    into new_ids, starts, ends
    from json_to_recordset(intervals) as i (interval_start timestamptz, interval_end timestamptz);
    if starts[2:] <> ends[:cardinality(ends) - 1] then
        raise exception 'the horizon of %/% has a hole or an overlap: each interval begins where the one before ends',
            o.site, resource using errcode = 'check_violation';
    end if;

    -- Numbered above whatever the publisher planned here and is not superseded; and not begun before what it supersedes began,
    -- for writers read the clock before they wait for each other.
    select max(plan_version), max(active_from), bool_or(other and plan_status = 'ACTIVE') into highest, at, of_other
    from (
        select false as other, p.plan_version, p.active_from, p.plan_status from plans.@plans@ p
        where p.station_id = o.site and p.@resource@ = resource and p.publisher = o.publisher
            and p.plan_status in ('ACTIVE', 'CANCELLED')
            and p.interval_end > starts[1] and p.interval_start < ends[cardinality(ends)]
        union all
        select true, p.plan_version, p.active_from, p.plan_status from plans.@others@ p
        where p.station_id = o.site and p.@other_resource@ = resource and p.publisher = o.publisher
            and p.plan_status in ('ACTIVE', 'CANCELLED')
            and p.interval_end > starts[1] and p.interval_start < ends[cardinality(ends)]
    ) planned;
    at := greatest(o.at, at);

    gone := plans.supersede_@plans@(o, resource, new_ids, starts, ends, at);
    if of_other then
        gone_other := plans.supersede_@others@(o, resource, new_ids, starts, ends, at);
        gone.ended := gone.ended || gone_other.ended;
        gone.copy_ids := gone.copy_ids || gone_other.copy_ids;
        gone.copies := gone.copies || gone_other.copies;
    end if;

    with fresh as (
        insert into plans.@plans@ (plan_id, station_id, @resource@, interval_start, interval_end, @columns@,
            plan_created_at, plan_version, optimization_run_id, plan_priority, publisher, submission_id, reason, content_hash,
            active_from)
        select new_ids[row_number() over ()], o.site, resource, i.interval_start, i.interval_end, @i_columns@,
            at, coalesce(highest, 0) + 1, o.run_id, o.priority, o.publisher, o.submission_id, o.reason, i.content_hash,
            at
        from json_to_recordset(intervals) as i (
            interval_start timestamptz, interval_end timestamptz, @fields@, content_hash varchar)
        returning *
    )
    select array_agg(plans.message_of(f::plans.@plans@) order by f.plan_id) into made from fresh f;

    plan_ids := new_ids || gone.copy_ids;
    event := json_build_object(
        'event_id', event_id, 'site', o.site, 'resource', resource, 'at', o.at, 'change', o.change, 'by', o.made_by,
        'plans', array_to_json(made || gone.copies), 'ended_plan_ids', coalesce(gone.ended, '{}'));
    insert into plans.outbox (subject, message_id, headers, body)
    values (replace(o.event_subject, '*', resource), event_id, o.headers, convert_to(event::text, 'UTF8'));
end $$;
