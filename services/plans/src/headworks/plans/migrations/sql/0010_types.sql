-- Who makes new versions: by what submission and run, with what priority and why, at which instant of the plant's clock; what
-- the event says of it (kind, made_by), its subject with * for the actuator, and the trace that goes with it.
create type plans.change as (
    change integer, site varchar, publisher varchar, submission_id varchar, run_id varchar, priority integer, reason varchar,
    at timestamptz, kind varchar, made_by varchar, event_subject varchar, headers jsonb);

-- A change's new versions for one actuator, as json, with their ids, starts and ends in order of time; numbered, and from the
-- instant that they hold from. `pumps` and `generics` count what is active there now.
create type plans.horizon as (
    horizon integer, change integer, site varchar, publisher varchar, resource varchar, pump boolean, intervals json,
    new_ids integer[], starts timestamptz[], ends timestamptz[], first timestamptz, last timestamptz,
    version integer, at timestamptz, pumps bigint, generics bigint, event_id text);

-- What a horizon did to the plans before it: those superseded, and the copies that go on outside it.
create type plans.touched as (horizon integer, ended integer[], copy_ids integer[], copies json[]);
