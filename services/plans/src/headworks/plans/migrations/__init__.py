"""Alembic versions of the plans schema."""
