-- Checked submissions, whole: one call, one transaction. `submitted` are plans.change, `wanted` the horizons of plans.horizons_of.
-- Gives each one's reply, or the one given before to the same id (`known` is then that one's content's hash).
create function plans.accept(submitted json, wanted json) returns table (change integer, reply jsonb, known varchar)
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off
    set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    changes plans.change[] := array(
        select c from json_populate_recordset(null::plans.change, submitted) c order by c.change);
begin
    -- One writer an actuator at a time, until the transaction ends; always in the same order, so that none waits in a ring; and not for long,
    -- for others wait with it.
    perform pg_advisory_xact_lock(hashtextextended(a.actuator, 0)) from (
        select distinct (c.site || '/' || h.resource) collate "C" as actuator
        from json_to_recordset(wanted) as h (change integer, resource varchar)
            join unnest(changes) c on c.change = h.change
        order by 1
    ) a;

    -- `offset 0` makes it a look into the key for each change. As a join it was planned while the table was empty, and then read the
    -- whole table for every call.
    return query
    select c.change, s.reply, s.content_hash
    from unnest(changes) c cross join lateral (
        select s.reply, s.content_hash from plans.submissions s
        where s.publisher = c.publisher and s.submission_id = c.submission_id offset 0) s;
    if found then
        changes := array(
            select c from unnest(changes) c where (
                select true from plans.submissions s
                where s.publisher = c.publisher and s.submission_id = c.submission_id) is null
            order by c.change);
        if cardinality(changes) = 0 then
            return;
        end if;
    end if;

    return query
    with made as materialized (
        select m.change, array_agg(e.id order by m.place, e.place) as plan_ids
        from plans.replace(changes, wanted) with ordinality m (change, plan_ids, event, place),
            unnest(m.plan_ids) with ordinality e (id, place)
        group by m.change
    ), answered as materialized (
        select c.*, c.answer || jsonb_build_object('plan_ids', to_jsonb(m.plan_ids)) as reply
        from unnest(changes) c join made m on m.change = c.change
    ), stored as (
        insert into plans.submissions (publisher, submission_id, site, content_hash, accepted, reply)
        select a.publisher, a.submission_id, a.site, a.content, true, a.reply from answered a
    ), sent as (
        insert into plans.outbox (subject, message_id, headers, body)
        select a.reply_subject, 'reply:' || a.publisher || ':' || a.submission_id, a.headers,
            convert_to(a.reply::text, 'UTF8')
        from answered a order by a.change
    )
    select a.change, a.reply, null::varchar from answered a;
end $$;
