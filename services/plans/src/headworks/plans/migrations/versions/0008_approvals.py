"""Plans that wait for a person's approval, apart from the plan tables."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.execute("create sequence plans.approval_id_seq")
    op.execute("""
        create table plans.approvals (
            approval_id integer not null default nextval('plans.approval_id_seq') constraint pk_approvals primary key,
            publisher varchar(64) not null, submission_id varchar(128) not null, site varchar(50) not null,
            content_hash varchar(64) not null, submission jsonb not null, over_bus boolean not null,
            asked_by varchar(200) not null, asked_at timestamptz not null, expires_at timestamptz not null,
            roles jsonb not null, state varchar(20) not null
                constraint ck_approvals_state check (state in ('WAITING', 'APPROVED', 'REJECTED', 'EXPIRED')),
            decided_by varchar(200), decided_at timestamptz, settled_by timestamptz,
            reason varchar(500) not null default '', reply jsonb,
            constraint uq_approvals_publisher_submission_id unique (publisher, submission_id),
            constraint ck_approvals_decided check ((state = 'WAITING') = (decided_at is null)))""")
    op.execute("create index ix_approvals_waiting on plans.approvals (expires_at) where state = 'WAITING'")
    op.execute("create index ix_approvals_unsettled on plans.approvals (settled_by) where reply is null")


def downgrade() -> None:
    """Remove it."""
    op.execute("drop table plans.approvals")
    op.execute("drop sequence plans.approval_id_seq")
