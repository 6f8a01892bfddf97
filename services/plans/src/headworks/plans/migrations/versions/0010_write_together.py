"""Many submissions in one call, an exclusion constraint on numbers alone, and no index of history on what is active.

See docs/decisions/0013. The planner took the index of history where the one of active plans is meant, and it is one less to keep.
"""

from alembic import op

from headworks.plans.migrations.scripts import KINDS, run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The write path anew; the rule against overlaps by two hashes of who plans what, in place of one and the names."""
    _drop_before()
    for kind in KINDS:
        _no_overlap(kind, ", ".join(_hash(kind, seed) for seed in (0, 1)))
        _history(kind, of=f"{kind['plans']}_superseded")
    run("0010_types.sql", {})
    run("0010_horizons.sql", {})
    for kind in KINDS:
        run("0010_plan_table.sql", kind)
    run("0010_replace.sql", {})
    run("0010_accept.sql", {})


def downgrade() -> None:
    """One submission a call again."""
    op.execute("drop function plans.accept, plans.replace, plans.horizons_of")
    for kind in KINDS:
        table = kind["plans"]
        op.execute(f"drop function plans.insert_{table}, plans.supersede_{table}")
        names = ("station_id", kind["resource"], "publisher")
        _no_overlap(kind, ", ".join([_hash(kind, 0), *(f"{name} with =" for name in names)]))
        _history(kind, of=table)
    op.execute("drop type plans.touched, plans.horizon, plans.change")
    run("0006_origin.sql", {})
    for kind in KINDS:
        run("0006_replace.sql", kind)
    run("0006_accept.sql", {})


def _drop_before() -> None:
    op.execute("drop function plans.accept")
    for kind in KINDS:
        op.execute(f"drop function plans.replace_{kind['plans']}, plans.supersede_{kind['plans']}")
    op.execute("drop type plans.origin")


def _hash(kind: dict[str, str], seed: int) -> str:
    return f"hashtextextended(station_id || '/' || {kind['resource']} || '/' || publisher, {seed}) with ="


def _no_overlap(kind: dict[str, str], who: str) -> None:
    table = kind["plans"]
    op.execute(f"alter table plans.{table}_active drop constraint ex_{table}_no_overlap")
    op.execute(f"""alter table plans.{table}_active add constraint ex_{table}_no_overlap exclude using gist (
        {who}, tstzrange(interval_start, interval_end) with &&)""")


def _history(kind: dict[str, str], of: str) -> None:
    op.execute(f"drop index plans.ix_{kind['plans']}_history")
    op.execute(f"create index ix_{kind['plans']}_history on plans.{of} (station_id, {kind['resource']}, plan_id)")
