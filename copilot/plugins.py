"""Entry points: how third parties add checks. Broken plugins are named in the log and left out."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from copilot.core.checks import BUILT_IN
from copilot.utils.logging import get_logger

CHECKS = "mlops_copilot.checks"
_NEEDED = ("code", "title", "aliases", "Thresholds", "measure", "judge")


def third_party_checks() -> list[Any]:
    """Check classes that installed packages offer under the entry-point group ``mlops_copilot.checks``."""
    found: list[Any] = []
    for point in entry_points(group=CHECKS):
        try:
            check = point.load()
            _fits(check, {c.code for c in (*BUILT_IN, *found)})
            found.append(check)
        except Exception as error:
            get_logger(__name__).warning("plugin could not be loaded", plugin=point.name, reason=str(error)[:200])
    return found


def _fits(check: Any, taken: set[str]) -> None:
    missing = [name for name in _NEEDED if not hasattr(check, name)]
    if missing or not isinstance(check, type):
        raise TypeError(f"it is no check class: {', '.join(missing) or 'not a class'}")
    if check.code in taken:
        raise ValueError(f"the code {check.code} is taken")
