"""The one list of comparison checks, which judge a group of runs; and the making of every check from the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from copilot.core.checks import BUILT_IN as CURVE_CHECKS
from copilot.core.checks import make_checks
from copilot.core.checks.base import BaseCheck, Check
from copilot.core.comparisons.base import BaseComparison, ComparisonCheck
from copilot.core.comparisons.baseline_regression import BaselineRegression
from copilot.core.comparisons.data_scaling import DataScaling
from copilot.core.comparisons.fold_stability import FoldStability
from copilot.core.comparisons.hyperparameters import HyperparameterAssociation
from copilot.core.comparisons.selection_optimism import SelectionOptimism

BUILT_IN: tuple[type[BaseComparison], ...] = (
    FoldStability,
    DataScaling,
    HyperparameterAssociation,
    SelectionOptimism,
    BaselineRegression,
)


def load_all_checks(
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    thresholds: Mapping[str, float] | None = None,
    plugins: Iterable[type[BaseCheck]] = (),
    ignore: Iterable[str] = (),
) -> tuple[list[Check], list[ComparisonCheck]]:
    """Make the checks of one run, plugins among them, and the checks of a group; parameters as in `load_checks`.

    Raises
    ------
    ConfigError
        A code, name or threshold is not known, or a value is out of its range.
    """
    curve = [*CURVE_CHECKS, *plugins]
    made = make_checks([*curve, *BUILT_IN], overrides, thresholds, ignore)
    return made[: len(curve)], made[len(curve) :]
