"""Structured logging, set up by entry points (command line, dashboard, worker) and never at import."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event and key-value pairs: ``log.info("scan done", runs=12)``."""
    return structlog.get_logger(name)


def set_up_logging(debug: bool = False) -> None:
    """Send log lines to stderr: readable on a terminal, JSON with ``MLOPS_COPILOT_LOG_FORMAT=json``."""
    level = logging.DEBUG if debug else logging.WARNING
    as_json = os.environ.get("MLOPS_COPILOT_LOG_FORMAT") == "json"
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if not debug:  # other libraries' chatter is theirs to keep
        logging.getLogger().setLevel(logging.ERROR)


def no_telemetry() -> None:
    """Turn off the usage reports of every library that we start."""
    for name, value in {
        "ANONYMIZED_TELEMETRY": "False",
        "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "True",
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    }.items():
        os.environ.setdefault(name, value)
