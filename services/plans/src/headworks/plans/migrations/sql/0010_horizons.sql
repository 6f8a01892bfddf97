-- The horizons that changes want ([{horizon, change, resource, pump, intervals}, ...]; others are left out), with ids and numbers.
-- A version is above whatever the publisher planned there and is not superseded; and does not begin before what it supersedes
-- began, for writers read the clock before they wait for each other. The caller holds the actuators' locks.
create function plans.horizons_of(changes plans.change[], wanted json) returns plans.horizon[]
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
    set enable_mergejoin = off as $$
declare
    horizons plans.horizon[];
    torn record;
begin
    select array_agg((w.horizon, c.change, c.site, c.publisher, w.resource, w.pump, w.intervals,
        i.new_ids, i.starts, i.ends, i.first, i.last,
        coalesce(planned.version, 0) + 1, greatest(c.at, planned.at), planned.pumps, planned.generics, i.event_id
        )::plans.horizon order by w.horizon)
    into horizons
    from json_to_recordset(wanted) as w (horizon integer, change integer, resource varchar, pump boolean, intervals json)
    join unnest(changes) c on c.change = w.change
    cross join lateral (
        select array_agg(nextval('plans.plan_id_seq')::integer) as new_ids, array_agg(i.interval_start) as starts,
            array_agg(i.interval_end) as ends, min(i.interval_start) as first, max(i.interval_end) as last,
            replace(gen_random_uuid()::text, '-', '') as event_id
        from json_to_recordset(w.intervals) as i (interval_start timestamptz, interval_end timestamptz)
    ) i
    cross join lateral (
        select max(p.plan_version) as version, max(p.active_from) as at,
            count(*) filter (where p.pump and p.plan_status = 'ACTIVE') as pumps,
            count(*) filter (where not p.pump and p.plan_status = 'ACTIVE') as generics
        from (
            select true as pump, p.plan_version, p.active_from, p.plan_status from plans.pump_plans p
            where p.station_id = c.site and p.pump_id = w.resource and p.publisher = c.publisher
                and p.plan_status in ('ACTIVE', 'CANCELLED') and p.interval_end > i.first and p.interval_start < i.last
            union all
            select false, p.plan_version, p.active_from, p.plan_status from plans.optimization_plans p
            where p.station_id = c.site and p.resource_id = w.resource and p.publisher = c.publisher
                and p.plan_status in ('ACTIVE', 'CANCELLED') and p.interval_end > i.first and p.interval_start < i.last
        ) p
    ) planned;

    select h.site, h.resource into torn from unnest(horizons) h
    where h.starts[2:] <> h.ends[:cardinality(h.ends) - 1] limit 1;
    if found then
        raise exception 'the horizon of %/% has a hole or an overlap: each interval begins where the one before ends',
            torn.site, torn.resource using errcode = 'check_violation';
    end if;
    return horizons;
end $$;
