"""Measurements, run from the repository root: PYTHONPATH=. .venv/bin/python benchmarks/<name>.py."""
