"""Entry points: how third parties add checks and probes. Broken plugins are named in the log and left out."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from copilot.core.checks import BUILT_IN
from copilot.utils.logging import get_logger

CHECKS, PROBES = "mlops_copilot.checks", "mlops_copilot.probes"
_PARTS = ("code", "title", "aliases", "Thresholds")


def third_party_checks() -> list[Any]:
    """Check classes that installed packages offer under the entry-point group ``mlops_copilot.checks``."""
    return _offered(CHECKS, [c.code for c in BUILT_IN], (*_PARTS, "measure", "judge"), "check")


def third_party_probes() -> list[Any]:
    """Probe classes that installed packages offer under ``mlops_copilot.probes``; OVF350 to OVF399 are theirs."""
    from copilot.probes import BUILT_IN as PROBES_OF_OURS  # brings in OpenCV

    needed = (*_PARTS, "name", "needs", "probe")
    return _offered(PROBES, [p.code for p in PROBES_OF_OURS], needed, "probe")


def versions_of(group: str) -> dict[str, str]:
    """Name and version of what installed packages offer under an entry-point group."""
    return {point.name: point.dist.version if point.dist else "" for point in entry_points(group=group)}


def _offered(group: str, taken: list[str], needed: tuple[str, ...], what: str) -> list[Any]:
    found: list[Any] = []
    for point in entry_points(group=group):
        try:
            offered = point.load()
            _fits(offered, {*taken, *(other.code for other in found)}, needed, what)
            found.append(offered)
        except Exception as error:
            get_logger(__name__).warning("plugin could not be loaded", plugin=point.name, reason=str(error)[:200])
    return found


def _fits(offered: Any, taken: set[str], needed: tuple[str, ...], what: str) -> None:
    missing = [name for name in needed if not hasattr(offered, name)]
    if missing or not isinstance(offered, type):
        raise TypeError(f"it is no {what} class: {', '.join(missing) or 'not a class'}")
    if offered.code in taken:
        raise ValueError(f"the code {offered.code} is taken")
