"""The one list of built-in checks, and their making from the settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from copilot.core.checks.base import BaseCheck, Check
from copilot.core.checks.generalisation_gap import GeneralisationGap
from copilot.core.checks.instability import Instability
from copilot.core.checks.plateau import Plateau
from copilot.core.checks.underfitting import Underfitting
from copilot.core.checks.validation_divergence import ValidationDivergence
from copilot.errors import ConfigError

BUILT_IN: tuple[type[BaseCheck], ...] = (GeneralisationGap, ValidationDivergence, Underfitting, Instability, Plateau)


def load_checks(
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    thresholds: Mapping[str, float] | None = None,
    plugins: Iterable[type[BaseCheck]] = (),
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

    Raises
    ------
    ConfigError
        A code, name or threshold is not known, or a value is out of its range.
    """
    classes = [*BUILT_IN, *plugins]
    values: dict[str, dict[str, Any]] = {c.code: {} for c in classes}
    homes = {alias: (c.code, field) for c in classes for alias, field in c.aliases.items()}
    for name, value in (thresholds or {}).items():
        _known("detection.thresholds", name, homes)
        code, field = homes[name]
        values[code][field] = value
    for code, given in (overrides or {}).items():
        _known("detection.checks", code, values)
        values[code].update(given)
    return [_make(c, values[c.code]) for c in classes]


def _known(place: str, name: str, names: Mapping[str, Any]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        raise ConfigError(
            f"unknown key '{place}.{name}'; did you mean '{place}.{near[0]}'?", "See `mlops-copilot checks list`."
        )


def _make(check: type[BaseCheck], values: dict[str, Any]) -> Check:
    try:
        return check(check.Thresholds(**values))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            _known(f"detection.checks.{check.code}", key, check.Thresholds.model_fields)
        raise ConfigError(
            f"detection.checks.{check.code}.{key}: {problem['msg']} (got {str(problem.get('input'))[:40]!r})",
            f"See `mlops-copilot checks explain {check.code}`.",
        ) from None
