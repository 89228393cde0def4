"""Entry points: how third parties add checks. Broken plugins are named in the log and left out."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from copilot.utils.logging import get_logger

CHECKS = "mlops_copilot.checks"


def third_party_checks() -> list[Any]:
    """Check classes that installed packages offer under the entry-point group ``mlops_copilot.checks``."""
    found = []
    for point in entry_points(group=CHECKS):
        try:
            found.append(point.load())
        except Exception as error:
            get_logger(__name__).warning("plugin could not be loaded", plugin=point.name, reason=str(error)[:200])
    return found
