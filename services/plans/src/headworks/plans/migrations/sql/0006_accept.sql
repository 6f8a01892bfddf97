-- A checked submission, whole: one call, one transaction. Gives the reply, or the one given before to the same id (`known`
-- is then that one's content). pumps and generics are {"<actuator>": [interval, ...]}.
create function plans.accept(
    o plans.origin, content varchar, answer jsonb, reply_subject varchar, pumps json, generics json,
    out reply jsonb, out known varchar
) language plpgsql as $$
declare
    actuator record;
    plan_ids integer[] := '{}';
begin
    -- One writer an actuator at a time, until the transaction ends; always in the same order, so that none waits in a ring.
    for actuator in
        select name from (select json_object_keys(pumps) union select json_object_keys(generics)) a (name) order by name
    loop
        perform pg_advisory_xact_lock(hashtextextended(o.site || '/' || actuator.name, 0));
    end loop;

    select s.reply, s.content_hash into reply, known from plans.submissions s
    where s.publisher = o.publisher and s.submission_id = o.submission_id;
    if found then
        return;
    end if;

    for actuator in
        select key as name, value as intervals, true as pump from json_each(pumps)
        union all select key, value, false from json_each(generics)
        order by 1
    loop
        if actuator.pump then
            plan_ids := plan_ids || (plans.replace_pump_plans(o, actuator.name, actuator.intervals)).plan_ids;
        else
            plan_ids := plan_ids || (plans.replace_optimization_plans(o, actuator.name, actuator.intervals)).plan_ids;
        end if;
    end loop;
    reply := answer || jsonb_build_object('plan_ids', to_jsonb(plan_ids));
    insert into plans.submissions (publisher, submission_id, site, content_hash, accepted, reply)
    values (o.publisher, o.submission_id, o.site, content, true, reply);
    insert into plans.outbox (subject, message_id, headers, body)
    values (reply_subject, 'reply:' || o.publisher || ':' || o.submission_id, o.headers, convert_to(reply::text, 'UTF8'));
end $$;
