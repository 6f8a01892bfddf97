-- What keeps history as it is, and how a partition is made.

create function plans.keep_history() returns trigger language plpgsql as $$
begin
    raise exception 'plan % of %/% is history: only plan_status, superseded_by, plan_updated_at and active_until of an '
        'active plan change, once; a change is a new version', old.plan_id, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end $$;

-- Retention alone deletes, and says so by `set local plans.retention = 'on'`.
create function plans.refuse_delete() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and coalesce(current_setting('plans.retention', true), '') = 'on' then
        return null;
    end if;
    raise exception 'plans of %.% are history and not deleted; cancel a plan instead', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end $$;

-- Makes a partition that holds rows. A plan_id is unique in it: over all of them it is so by the sequence, which no row goes round.
create function plans.add_partition(plans text, name text, parent text, bounds text) returns void language plpgsql as $$
begin
    execute format('create table plans.%I partition of plans.%I %s', name, parent, bounds);
    execute format('create unique index %I on plans.%I (plan_id)', 'uq_' || name || '_plan_id', name);
    execute format('create trigger history_is_kept before delete on plans.%I for each statement '
        'execute function plans.refuse_delete()', name);
    execute format('create trigger history_is_not_cut before truncate on plans.%I for each statement '
        'execute function plans.refuse_delete()', name);
end $$;

-- Makes the partition of superseded plans made in this month, if there is none; what the default partition holds of it moves in.
create function plans.add_month(plans text, month timestamptz) returns void language plpgsql as $$
declare
    first constant timestamptz := date_trunc('month', month, 'UTC');
    last constant timestamptz := date_add(first, interval '1 month', 'UTC');
    name constant text := plans || '_' || to_char(first at time zone 'UTC', 'YYYY_MM');
begin
    if to_regclass('plans.' || name) is not null then
        return;
    end if;
    perform set_config('plans.retention', 'on', true);
    execute format('create temporary table moving on commit drop as select * from plans.%I '
        'where plan_created_at >= %L and plan_created_at < %L', plans || '_other', first, last);
    execute format('delete from plans.%I where plan_created_at >= %L and plan_created_at < %L',
        plans || '_other', first, last);
    perform plans.add_partition(plans, name, plans || '_superseded',
        format('for values from (%L) to (%L)', first, last));
    execute format('insert into plans.%I select * from moving', name);
    drop table moving;
    perform set_config('plans.retention', 'off', true);
end $$;
