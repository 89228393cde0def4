"""Readers of MLflow stores, none of which changes what it reads: SQLite files, folders, tracking servers."""
