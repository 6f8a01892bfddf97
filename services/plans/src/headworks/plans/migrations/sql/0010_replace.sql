-- New versions in place of those they overlap, of many changes at once; the events are in the outbox too. The caller holds the
-- actuators' locks. No two horizons may overlap for an actuator, and none may share an active plan with another: then nothing is
-- done, and a serialization failure says that they must come one after another.
create function plans.replace(changes plans.change[], wanted json)
returns table (change integer, plan_ids integer[], event json)
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    horizons constant plans.horizon[] := plans.horizons_of(changes, wanted);
    pumps constant bigint := (select sum(h.pumps) from unnest(horizons) h);
    generics constant bigint := (select sum(h.generics) from unnest(horizons) h);
    touched plans.touched[] := '{}';
begin
    if pumps > 0 then
        touched := array(select t from plans.supersede_pump_plans(horizons) t);
    end if;
    if generics > 0 then
        touched := touched || array(select t from plans.supersede_optimization_plans(horizons) t);
    end if;
    if (select coalesce(sum(cardinality(t.ended)), 0) from unnest(touched) t) <> pumps + generics then
        raise exception 'two horizons of one call replace the same plan' using errcode = 'serialization_failure';
    end if;

    return query
    with made as (
        select m.horizon, m.made from plans.insert_pump_plans(changes, horizons) m
        where exists (select from unnest(horizons) h where h.pump)
        union all
        select m.horizon, m.made from plans.insert_optimization_plans(changes, horizons) m
        where exists (select from unnest(horizons) h where not h.pump)
    ), events as materialized (
        select h.horizon, h.change, replace(c.event_subject, '*', h.resource) as subject, c.headers, h.event_id,
            h.new_ids || array(select e.id from unnest(touched) t, unnest(t.copy_ids) e (id) where t.horizon = h.horizon)
                as plan_ids,
            json_build_object(
                'event_id', h.event_id, 'site', h.site, 'resource', h.resource, 'at', c.at, 'change', c.kind, 'by', c.made_by,
                'plans', array_to_json(m.made || array(
                    select e.copy from unnest(touched) t, unnest(t.copies) e (copy) where t.horizon = h.horizon)),
                'ended_plan_ids', array(
                    select e.id from unnest(touched) t, unnest(t.ended) e (id) where t.horizon = h.horizon)
            ) as event
        from made m
            join unnest(horizons) h on h.horizon = m.horizon
            join unnest(changes) c on c.change = h.change
    ), sent as (
        insert into plans.outbox (subject, message_id, headers, body)
        select e.subject, e.event_id, e.headers, convert_to(e.event::text, 'UTF8') from events e order by e.horizon
    )
    select e.change, e.plan_ids, e.event from events e order by e.horizon;
end $$;
