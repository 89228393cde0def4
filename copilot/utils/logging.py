"""Structured logging on the standard library's loggers: silent in a library's use, set up by entry points only."""

from __future__ import annotations

import logging
import os
import sys

import structlog

_ROOT = "copilot"
_SHARED = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event and key-value pairs: ``log.info("scan done", runs=12)``."""
    if not logging.getLogger(_ROOT).handlers:
        logging.getLogger(_ROOT).addHandler(logging.NullHandler())
    return structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    )


def set_up_logging(debug: bool = False) -> None:
    """Send log lines to stderr: readable on a terminal, JSON with ``MLOPS_COPILOT_LOG_FORMAT=json``."""
    as_json = os.environ.get("MLOPS_COPILOT_LOG_FORMAT") == "json"
    colours = sys.stderr.isatty()
    plain = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    renderer = structlog.processors.JSONRenderer() if as_json else plain
    processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    processors += [structlog.processors.format_exc_info, renderer] if as_json else [renderer]
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=processors, foreign_pre_chain=list(_SHARED)))
    own = logging.getLogger(_ROOT)
    own.handlers[:] = [handler]
    own.propagate = False
    own.setLevel(logging.DEBUG if debug else logging.WARNING)
    if not debug:  # other libraries' chatter is theirs to keep
        logging.getLogger().setLevel(logging.ERROR)


def no_telemetry() -> None:
    """Turn off the usage reports of every library that we start."""
    for name, value in {
        "ANONYMIZED_TELEMETRY": "False",
        "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "True",
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime starts it, and keeps a number of the machine, when it is imported
        "DO_NOT_TRACK": "true",
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    }.items():
        os.environ.setdefault(name, value)
