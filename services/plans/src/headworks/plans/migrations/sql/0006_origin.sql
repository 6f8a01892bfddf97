-- Who makes new versions: by what submission and run, with what priority and why, at which instant of the plant's clock; what
-- the event says of it (change, made_by), its subject with * for the actuator, and the trace that goes with it.
create type plans.origin as (
    site varchar, publisher varchar, submission_id varchar, run_id varchar, priority integer, reason varchar, at timestamptz,
    change varchar, made_by varchar, event_subject varchar, headers jsonb);
