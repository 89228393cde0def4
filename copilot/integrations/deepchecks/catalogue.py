"""The suites by name and the code of every Deepchecks check. Light: nothing of Deepchecks is imported."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from copilot.utils.validators import clean_text

# Name of the check's class -> (code, title). Codes are stable: never give one to another check.
CHECKS: dict[str, tuple[str, str]] = {
    "ClassPerformance": ("OVF501", "Performance by class, train against test"),
    "SingleDatasetPerformance": ("OVF502", "Performance on train and on test"),
    "SimpleModelComparison": ("OVF503", "Gain over a trivial model"),
    "PredictionDrift": ("OVF504", "Drift of the predictions"),
    "ConfusionMatrixReport": ("OVF505", "Confusion between classes"),
    "WeakSegmentsPerformance": ("OVF506", "Kinds of images with weak performance"),
    "MeanAveragePrecisionReport": ("OVF507", "Mean average precision"),
    "MeanAverageRecallReport": ("OVF508", "Mean average recall"),
    "TrainTestPredictionDrift": ("OVF509", "Drift of the predictions (old name)"),
    "NewLabels": ("OVF511", "Classes that only the test set has"),
    "LabelDrift": ("OVF512", "Drift of the labels"),
    "ImagePropertyDrift": ("OVF513", "Drift of image properties"),
    "ImageDatasetDrift": ("OVF514", "Train and test images can be told apart"),
    "HeatmapComparison": ("OVF515", "Average train and test image"),
    "PropertyLabelCorrelationChange": ("OVF516", "Image properties that give the label away in train only"),
    "TrainTestLabelDrift": ("OVF517", "Drift of the labels (old name)"),
    "ImagePropertyOutliers": ("OVF521", "Images with unusual properties"),
    "LabelPropertyOutliers": ("OVF522", "Labels with unusual properties"),
    "PropertyLabelCorrelation": ("OVF523", "Image properties that give the label away"),
    "OverfittingAnalysis": ("OVF541", "Overfitting analysis"),
    "DataDriftDetection": ("OVF542", "Data drift detection"),
}

# Checks of ours that the settings may name (`deepchecks.custom_checks`) -> their class in `custom_checks.py`.
CUSTOM_CHECKS: dict[str, str] = {
    "overfitting_analysis": "OverfittingAnalysis",
    "data_drift_detection": "DataDriftDetection",
}

# What says how the suite itself ended, where it did not end well.
SUITE_CODE, SUITE_TITLE = "OVF500", "Deepchecks suite"

_INTEGRITY = ("ImagePropertyOutliers", "LabelPropertyOutliers", "PropertyLabelCorrelation")
_VALIDATION = (
    "NewLabels",
    "HeatmapComparison",
    "LabelDrift",
    "ImagePropertyDrift",
    "ImageDatasetDrift",
    "PropertyLabelCorrelationChange",
)
_EVALUATION = (
    "ClassPerformance",
    "MeanAveragePrecisionReport",
    "MeanAverageRecallReport",
    "PredictionDrift",
    "SimpleModelComparison",
    "ConfusionMatrixReport",
    "WeakSegmentsPerformance",
)

# Suite -> names of its checks. All but the first hold what Deepchecks' suites of these names hold.
SUITES: dict[str, tuple[str, ...]] = {
    "computer_vision": ("SingleDatasetPerformance", *_EVALUATION, *_VALIDATION),
    "data_integrity": _INTEGRITY,
    "train_test_validation": _VALIDATION,
    "model_evaluation": _EVALUATION,
    "full": (*_EVALUATION, *_VALIDATION, *_INTEGRITY),
}

# The condition (a method `add_condition_...`, with its own default limits) that each check gets in every suite: those
# that Deepchecks' suites set, that of ImageDatasetDrift, which they leave without one, and those of our checks.
CONDITIONS: dict[str, str] = {
    "ClassPerformance": "train_test_relative_degradation_less_than",
    "MeanAveragePrecisionReport": "average_mean_average_precision_greater_than",
    "PredictionDrift": "drift_score_less_than",
    "SimpleModelComparison": "gain_greater_than",
    "WeakSegmentsPerformance": "segments_relative_performance_greater_than",
    "NewLabels": "new_label_ratio_less_or_equal",
    "LabelDrift": "drift_score_less_than",
    "ImagePropertyDrift": "drift_score_less_than",
    "ImageDatasetDrift": "drift_score_less_than",
    "PropertyLabelCorrelationChange": "property_pps_difference_less_than",
    "OverfittingAnalysis": "gap_less_than",
    "DataDriftDetection": "drift_less_than",
}

NEED_PREDICTIONS = frozenset(
    {*_EVALUATION, "SingleDatasetPerformance", "TrainTestPredictionDrift", CUSTOM_CHECKS["overfitting_analysis"]}
)
_OTHERS = range(550, 600)


def codes_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Code and title of each check; one that is in no table gets OVF550 to OVF599 by its name."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(set(names)):
        taken = {code for code, _ in found.values()}
        start = zlib.crc32(name.encode()) % len(_OTHERS)
        free = (f"OVF{_OTHERS[(start + step) % len(_OTHERS)]}" for step in range(len(_OTHERS)))
        found[name] = CHECKS.get(name) or (next(code for code in free if code not in taken), clean_text(name, 80))
    return found
