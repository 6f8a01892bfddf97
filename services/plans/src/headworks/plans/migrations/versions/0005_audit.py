"""Who changed what, as a chain that can only grow, and the answers that are kept for a repeated request."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    op.execute("""
        create table plans.audit (
            sequence bigint constraint pk_audit primary key, hash varchar(64) not null, line text not null,
            write_id varchar(64) not null, answers boolean not null, at timestamptz not null, actor varchar(200) not null,
            station_id varchar(64), plan_id integer)""")
    op.execute("create index ix_audit_write_id on plans.audit (write_id)")
    op.execute("create index ix_audit_plan_id on plans.audit (plan_id) where plan_id is not null")
    op.execute("""
        create function plans.refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception 'plans.audit is append-only';
        end $$""")
    op.execute("""
        create trigger append_only before update or delete or truncate on plans.audit
        for each statement execute function plans.refuse_change()""")
    op.execute("""
        create table plans.idempotency_keys (
            caller varchar(200) not null, key varchar(255) not null, fingerprint varchar(64) not null,
            status integer, headers jsonb, body bytea, created_at timestamptz not null,
            constraint pk_idempotency_keys primary key (caller, key))""")
    op.execute("create index ix_idempotency_keys_created_at on plans.idempotency_keys (created_at)")


def downgrade() -> None:
    """Remove them."""
    op.execute("drop table plans.idempotency_keys")
    op.execute("drop table plans.audit")
    op.execute("drop function plans.refuse_change")
