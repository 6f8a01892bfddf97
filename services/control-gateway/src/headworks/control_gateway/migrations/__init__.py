"""Alembic versions of the control gateway's schema."""
