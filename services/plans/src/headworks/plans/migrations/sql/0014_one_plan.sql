-- The rule between the two plan tables: where @plans@ gets an active plan, @others@ has none of the same publisher. Within a table
-- the exclusion constraint holds it. After each statement, not each row: a day plan asks once. Whoever goes past our functions takes
-- the actuators' locks here, as those do before, so two writers at once see each other; and a snapshot older than the lock sees
-- nothing, so it may not be one.
create function plans.one_plan_@plans@() returns trigger language plpgsql set enable_seqscan = off set enable_hashjoin = off
    set enable_mergejoin = off as $$
declare
    held record;
begin
    perform pg_advisory_xact_lock(hashtextextended(a.actuator, 0)) from (
        select distinct (f.station_id || '/' || f.@resource@) collate "C" as actuator
        from fresh f where f.plan_status = 'ACTIVE' order by 1) a;
    if not found then
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'active plans are written in a transaction that is READ COMMITTED, not %',
            upper(current_setting('transaction_isolation')) using errcode = 'invalid_transaction_state';
    end if;

    perform from (
        select f.station_id, f.@resource@, f.publisher, min(f.interval_start) as first, max(f.interval_end) as last
        from fresh f where f.plan_status = 'ACTIVE' group by f.station_id, f.@resource@, f.publisher
    ) h join plans.@others@ o on o.station_id = h.station_id and o.@other_resource@ = h.@resource@
        and o.plan_status = 'ACTIVE' and o.interval_end > h.first and o.interval_start < h.last and o.publisher = h.publisher;
    if not found then
        return null;
    end if;

    select f.*, o.plan_id as other_id, o.interval_start as other_start, o.interval_end as other_end into held
    from fresh f join plans.@others@ o on o.station_id = f.station_id and o.@other_resource@ = f.@resource@
        and o.plan_status = 'ACTIVE' and o.interval_end > f.interval_start and o.interval_start < f.interval_end
        and o.publisher = f.publisher
    where f.plan_status = 'ACTIVE' limit 1;
    if found then
        raise exception 'plan % of @plans@ overlaps plan % of @others@: % has one active plan of %/% at a time',
                held.plan_id, held.other_id, held.publisher, held.station_id, held.@resource@
            using errcode = 'exclusion_violation', schema = 'plans', table = '@plans@', constraint = 'one_plan',
                detail = format('%s to %s overlaps %s to %s', held.interval_start, held.interval_end,
                    held.other_start, held.other_end),
                hint = 'Submit through the service or plans.replace, which supersede in both tables.';
    end if;
    return null;
end $$;

create trigger one_plan after insert on plans.@plans@ referencing new table as fresh
    for each statement execute function plans.one_plan_@plans@();
create trigger one_plan after insert on plans.@plans@_active referencing new table as fresh
    for each statement execute function plans.one_plan_@plans@();
