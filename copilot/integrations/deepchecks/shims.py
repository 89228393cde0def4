"""What Deepchecks 0.19 needs to run here: names that NumPy 2 dropped, places that pandas 3 no longer takes for labels,
and sizes of objects that a set does not have.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from deepchecks.core import ConditionCategory, ConditionResult
from deepchecks.vision.checks import MeanAveragePrecisionReport, MeanAverageRecallReport
from deepchecks.vision.metrics_utils import ObjectDetectionAveragePrecision

_NAMES = {"NINF": -np.inf, "NaN": np.nan}


def install() -> None:
    """Mend Deepchecks in this process; a second call changes nothing."""
    for name, value in _NAMES.items():
        if not hasattr(np, name):
            setattr(np, name, value)
    _wrap(ObjectDetectionAveragePrecision, "get_classes_scores_at", _nan_for_no_object)
    for check in (MeanAveragePrecisionReport, MeanAverageRecallReport):
        _wrap(check, "compute", _without_empty_rows)
    MeanAveragePrecisionReport.add_condition_mean_average_precision_greater_than = _lowest_score_greater_than
    MeanAverageRecallReport.add_condition_test_average_recall_greater_than = _lowest_score_greater_than


def _wrap(owner: type, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    current = getattr(owner, name)
    if not hasattr(current, "__wrapped__"):
        setattr(owner, name, around(current))


def _nan_for_no_object(score: Callable[..., Any]) -> Callable[..., Any]:
    """It divides by the number of classes that have an object of the size."""

    @functools.wraps(score)
    def scored(*args: Any, **kwargs: Any) -> Any:
        try:
            return score(*args, **kwargs)
        except ZeroDivisionError:
            return np.nan

    return scored


def _without_empty_rows(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Sizes without objects leave the table, since conditions take its lowest score."""

    @functools.wraps(compute)
    def computed(*args: Any, **kwargs: Any) -> Any:
        result = compute(*args, **kwargs)
        result.value = result.value.dropna(how="all")
        return result

    return computed


def _lowest_score_greater_than(self: Any, min_score: float) -> Any:
    """Add condition: the lowest score of the table is greater. Theirs looks it up by place, a KeyError in pandas 3."""

    def judged(table: Any) -> ConditionResult:
        scores = table.stack()
        (area, column), score = scores.idxmin(), scores.min()
        category = ConditionCategory.PASS if score > min_score else ConditionCategory.FAIL
        return ConditionResult(category, f"Found lowest score of {score:.3g} for area {area} and {column}")

    return self.add_condition(f"Scores are greater than {min_score:g}", judged)
