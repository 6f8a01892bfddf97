-- One plan table of Strategy B. @plans@, @resource@, @columns@, @definitions@ and @content@ stand for what differs between
-- pump_plans and optimization_plans. See docs/how-to/plans.md for the meanings and docs/decisions/0013 for the partitions.

create table plans.@plans@ (
    plan_id integer not null default nextval('plans.plan_id_seq'),
    station_id varchar(50) not null,
    @resource@ varchar(50) not null,
    interval_start timestamptz not null,
    interval_end timestamptz not null,
    @definitions@,
    plan_created_at timestamptz not null default now(),
    plan_updated_at timestamptz not null default now(),
    plan_version integer not null default 1,
    optimization_run_id varchar(128),
    plan_priority integer not null default 1,
    plan_status varchar(20) not null default 'ACTIVE',
    superseded_by integer,
    publisher varchar(64) not null,
    submission_id varchar(128) not null,
    reason varchar(500) not null default '',
    content_hash varchar(64) not null,
    active_from timestamptz not null default now(),
    active_until timestamptz,
    constraint ck_@plans@_status check (plan_status in ('ACTIVE', 'SUPERSEDED', 'CANCELLED')),
    constraint ck_@plans@_interval check (interval_end > interval_start),
    constraint ck_@plans@_superseded_by check ((plan_status = 'SUPERSEDED') = (superseded_by is not null)),
    constraint ck_@plans@_active_until check ((plan_status = 'ACTIVE') = (active_until is null)),
    constraint fk_@plans@_actuators foreign key (station_id, @resource@) references plans.actuators (station_id, resource_id)
) partition by list (plan_status);

create index ix_@plans@_history on plans.@plans@ (station_id, @resource@, plan_id);

-- What is active lies together, small and often changed. Its dead rows are cleared early.
select plans.add_partition('@plans@', '@plans@_active', '@plans@', 'for values in (''ACTIVE'')');
alter table plans.@plans@_active set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- The rule: no two active plans of one publisher overlap for an actuator. The hash only leads the index: four times as fast
-- as text first, and two actuators of one hash are still told apart by their names.
alter table plans.@plans@_active add constraint ex_@plans@_no_overlap exclude using gist (
    hashtextextended(station_id || '/' || @resource@ || '/' || publisher, 0) with =,
    tstzrange(interval_start, interval_end) with &&,
    station_id with =, @resource@ with =, publisher with =);
create index ix_@plans@_active on plans.@plans@_active (station_id, @resource@, interval_end, interval_start);

-- Few are cancelled. They are looked at when a version is numbered, so they lie together as well.
select plans.add_partition('@plans@', '@plans@_cancelled', '@plans@', 'for values in (''CANCELLED'')');
create index ix_@plans@_cancelled on plans.@plans@_cancelled (station_id, @resource@, interval_end);

-- The bulk, by the month of its making. What no month has been made for lies in _other, so nothing is ever refused for that.
create table plans.@plans@_superseded partition of plans.@plans@ for values in ('SUPERSEDED')
    partition by range (plan_created_at);
select plans.add_partition('@plans@', '@plans@_other', '@plans@_superseded', 'default');

-- By the columns that an update names, rather than by what it changes: nothing is compared on the write path.
create trigger history_stays before update of
    plan_id, station_id, @resource@, interval_start, interval_end, @columns@, plan_created_at, plan_version,
    optimization_run_id, plan_priority, publisher, submission_id, reason, content_hash, active_from
on plans.@plans@ for each row execute function plans.keep_history();
create trigger ended_stays before update on plans.@plans@ for each row when (old.plan_status <> 'ACTIVE')
    execute function plans.keep_history();
create trigger history_is_kept before delete on plans.@plans@ for each statement execute function plans.refuse_delete();
create trigger history_is_not_cut before truncate on plans.@plans@ for each statement execute function plans.refuse_delete();
create trigger history_is_kept before delete on plans.@plans@_superseded
    for each statement execute function plans.refuse_delete();
create trigger history_is_not_cut before truncate on plans.@plans@_superseded
    for each statement execute function plans.refuse_delete();
