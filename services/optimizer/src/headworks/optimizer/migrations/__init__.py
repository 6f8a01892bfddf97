"""Alembic versions of the optimizer's schema."""
