"""The chain of decisions and audit events, to which only adding is possible."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it. The body is text, as JSONB would not keep it as it was hashed."""
    op.execute("""
        create table control_gateway.audit_chain (
            chain varchar(100) not null, sequence bigint not null, previous varchar(64) not null,
            hash varchar(64) not null, kind varchar(20) not null, body text not null,
            category varchar(20), at timestamptz not null, shipped_at timestamptz not null default now(),
            constraint pk_audit_chain primary key (chain, sequence))""")
    op.execute("create index ix_audit_chain_category_at on control_gateway.audit_chain (category, at)")
    op.execute("""
        create function control_gateway.refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception '% on %.% refused: its rows are added and never changed',
                tg_op, tg_table_schema, tg_table_name;
        end $$""")
    op.execute("""
        create trigger tr_audit_chain_only_added before update or delete or truncate on control_gateway.audit_chain
        for each statement execute function control_gateway.refuse_change()""")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop table control_gateway.audit_chain")
    op.execute("drop function control_gateway.refuse_change()")
