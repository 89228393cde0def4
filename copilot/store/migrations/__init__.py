"""Alembic scripts of the store. ``HEAD`` is the newest: an up-to-date store opens without importing Alembic."""

HEAD = "0001"
