"""Alembic versions of the alerts schema."""
