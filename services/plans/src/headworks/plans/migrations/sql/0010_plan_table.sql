-- The write path of one plan table: @plans@, of actuators that are @pump@ pumps.

-- Supersedes what the publishers have active over their new horizons, each plan by the first new version that covers its time.
-- What reaches out of a horizon goes on in a copy, so that no hole opens.
create function plans.supersede_@plans@(horizons plans.horizon[]) returns setof plans.touched
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
    set enable_mergejoin = off as $$
begin
    return query
    with superseded as (
        -- width_bucket finds the number of new versions that end no later than this plan begins, by halving
        update plans.@plans@ p set plan_status = 'SUPERSEDED', plan_updated_at = now(), active_until = h.at,
            superseded_by = h.new_ids[1 + width_bucket(p.interval_start, h.ends)]
        from unnest(horizons) h
        where p.station_id = h.site and p.@resource@ = h.resource and p.publisher = h.publisher
            and p.plan_status = 'ACTIVE' and p.interval_end > h.first and p.interval_start < h.last
        returning p.*, h.horizon, h.first, h.last, h.at
    ), parts as materialized (
        select nextval('plans.plan_id_seq')::integer as copy_id, part.starts, part.ends, s.*
        from superseded s
            cross join lateral (values (s.interval_start, s.first), (s.last, s.interval_end)) part (starts, ends)
        where part.starts < part.ends
    ), rest as (
        insert into plans.@plans@ (plan_id, station_id, @resource@, interval_start, interval_end, @columns@, plan_created_at,
            plan_version, optimization_run_id, plan_priority, publisher, submission_id, reason, content_hash, active_from)
        select s.copy_id, s.station_id, s.@resource@, s.starts, s.ends, @s_columns@, s.plan_created_at,
            s.plan_version + 1, s.optimization_run_id, s.plan_priority, s.publisher, s.submission_id, s.reason,
            s.content_hash, s.at
        from parts s
        returning *
    ), gone as (
        select s.horizon, array_agg(s.plan_id order by s.interval_start) as ended from superseded s group by s.horizon
    ), copied as (
        select s.horizon, array_agg(s.copy_id order by s.starts) as copy_ids,
            array_agg(plans.message_of(r::plans.@plans@) order by s.starts) as copies
        from parts s join rest r on r.plan_id = s.copy_id group by s.horizon
    )
    select g.horizon, g.ended, c.copy_ids, c.copies from gone g left join copied c on c.horizon = g.horizon;
end $$;

-- Inserts the new versions of horizons; their messages in order of time.
create function plans.insert_@plans@(changes plans.change[], horizons plans.horizon[])
returns table (horizon integer, made json[])
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    with wanted as materialized (
        select h.horizon, h.site, h.resource, h.publisher, h.version, h.at, h.new_ids[i.place] as plan_id, i.*,
            c.run_id, c.priority, c.submission_id, c.reason
        from unnest(horizons) h
            join unnest(changes) c on c.change = h.change
            cross join lateral rows from (json_to_recordset(h.intervals) as (
                interval_start timestamptz, interval_end timestamptz, @fields@, content_hash varchar
            )) with ordinality as i (interval_start, interval_end, @columns@, content_hash, place)
        where h.pump = @pump@
    ), fresh as (
        insert into plans.@plans@ (plan_id, station_id, @resource@, interval_start, interval_end, @columns@,
            plan_created_at, plan_version, optimization_run_id, plan_priority, publisher, submission_id, reason,
            content_hash, active_from)
        select i.plan_id, i.site, i.resource, i.interval_start, i.interval_end, @i_columns@,
            i.at, i.version, i.run_id, i.priority, i.publisher, i.submission_id, i.reason, i.content_hash, i.at
        from wanted i
        returning *
    )
    select i.horizon, array_agg(plans.message_of(f::plans.@plans@) order by i.place)
    from wanted i join fresh f on f.plan_id = i.plan_id group by i.horizon;
end $$;
