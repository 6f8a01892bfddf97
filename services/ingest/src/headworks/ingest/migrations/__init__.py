"""Alembic versions of the ingest schema."""
