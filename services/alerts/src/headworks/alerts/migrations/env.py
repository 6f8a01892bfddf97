"""Alembic's entry: runs the versions of this schema."""

from headworks.alerts.tables import metadata
from headworks.common.migrate import run_environment

run_environment(metadata)
