"""The registry of vendors. Written out rather than made from the tables: a version must not change when the code does."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make it."""
    op.execute("""
        create table plans.vendors (
            name varchar(64) constraint pk_vendors primary key, sites varchar(64)[] not null,
            submissions_per_hour integer not null, intervals_per_submission integer not null,
            intervals_per_day integer not null, max_priority integer not null, shadow boolean not null,
            preflight boolean not null, added_by varchar(128) not null, added_at timestamptz not null,
            revoked_at timestamptz)""")
    op.execute("""
        create table plans.vendor_keys (
            public_key varchar(56) constraint pk_vendor_keys primary key,
            vendor varchar(64) not null constraint fk_vendor_keys_vendor_vendors references plans.vendors (name),
            added_at timestamptz not null, ended_at timestamptz)""")
    op.execute("create unique index ix_vendor_keys_valid on plans.vendor_keys (vendor) where ended_at is null")
    op.execute("""
        create table plans.vendor_changes (
            change_id bigserial constraint pk_vendor_changes primary key,
            vendor varchar(64) not null constraint fk_vendor_changes_vendor_vendors references plans.vendors (name),
            at timestamptz not null, by varchar(128) not null, change varchar(20) not null, content jsonb not null)""")
    op.execute("create index ix_vendor_changes_vendor on plans.vendor_changes (vendor)")
    op.execute("""
        create table plans.vendor_intake (
            vendor varchar(64) constraint fk_vendor_intake_vendor_vendors references plans.vendors (name),
            submission_id varchar(128), at timestamptz not null, intervals integer not null,
            constraint pk_vendor_intake primary key (vendor, submission_id))""")
    op.execute("create index ix_vendor_intake_at on plans.vendor_intake (vendor, at)")


def downgrade() -> None:
    """Remove it."""
    for table in ("vendor_intake", "vendor_changes", "vendor_keys", "vendors"):
        op.execute(f"drop table plans.{table}")
