"""The one list of built-in checks, and their making from the settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from copilot.core.checks.base import BaseCheck, Check
from copilot.core.checks.generalisation_gap import GeneralisationGap
from copilot.core.checks.instability import Instability
from copilot.core.checks.learning_pattern import LearningPattern
from copilot.core.checks.plateau import Plateau
from copilot.core.checks.underfitting import Underfitting
from copilot.core.checks.validation_divergence import ValidationDivergence
from copilot.errors import ConfigError

BUILT_IN: tuple[type[BaseCheck], ...] = (
    GeneralisationGap,
    ValidationDivergence,
    Underfitting,
    Instability,
    Plateau,
    LearningPattern,
)


def load_checks(
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    thresholds: Mapping[str, float] | None = None,
    plugins: Iterable[type[BaseCheck]] = (),
    ignore: Iterable[str] = (),
) -> list[Check]:
    """Make every check with its thresholds.

    Parameters
    ----------
    overrides : mapping of code to mapping, optional
        ``detection.checks`` of the settings.
    thresholds : mapping of name to float, optional
        ``detection.thresholds``: names that checks declare as aliases of a threshold of theirs.
    plugins : iterable of check classes
        Checks of third parties, after the built-in ones.
    ignore : iterable of str
        Codes that ``detection.ignore`` names: those of curve checks must be known.

    Raises
    ------
    ConfigError
        A code, name or threshold is not known, or a value is out of its range.
    """
    return make_checks([*BUILT_IN, *plugins], overrides, thresholds, ignore)


def make_checks(
    classes: Sequence[type[BaseCheck]],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    thresholds: Mapping[str, float] | None = None,
    ignore: Iterable[str] = (),
) -> list[Any]:
    """Make these checks, of one run or of a group; parameters and errors as in `load_checks`."""
    values: dict[str, dict[str, Any]] = {c.code: {} for c in classes}
    homes = {alias: (c.code, field) for c in classes for alias, field in c.aliases.items()}
    for name, value in (thresholds or {}).items():
        _known("detection.thresholds", name, homes)
        code, field = homes[name]
        values[code][field] = value
    for code, given in (overrides or {}).items():
        _known("detection.checks", code, values)
        values[code].update(given)
    families = {c.code[:4] for c in classes}
    for code in ignore:
        if code[:4] in families or not re.fullmatch(r"OVF[2-9]\d\d", code):  # other families' tools know their codes
            _known("detection.ignore", code, values)
    named = {
        (c, field): f"detection.thresholds.{alias}"
        for alias, (c, field) in homes.items()
        if alias in (thresholds or {})
    }
    return [_make(c, values[c.code], named) for c in classes]


def _known(place: str, name: str, names: Mapping[str, Any]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        raise ConfigError(
            f"unknown key '{place}.{name}'; did you mean '{place}.{near[0]}'?", "See `mlops-copilot checks list`."
        )


def _make(check: type[BaseCheck], values: dict[str, Any], named: Mapping[tuple[str, str], str]) -> Check:
    try:
        return check(check.Thresholds(**values))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            _known(f"detection.checks.{check.code}", key, check.Thresholds.model_fields)
        place = named.get((check.code, key), f"detection.checks.{check.code}.{key}")
        raise ConfigError(
            f"{place}: {problem['msg']} (got {str(problem.get('input'))[:40]!r})",
            f"See `mlops-copilot checks explain {check.code}`.",
        ) from None
