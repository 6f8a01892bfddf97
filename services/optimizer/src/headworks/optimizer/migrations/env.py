"""Alembic's entry: runs the versions of this schema."""

from headworks.common.migrate import run_environment
from headworks.optimizer.tables import metadata

run_environment(metadata)
