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
    "NewLabels": ("OVF511", "Classes that only the test set has"),
    "LabelDrift": ("OVF512", "Drift of the labels"),
    "ImagePropertyDrift": ("OVF513", "Drift of image properties"),
    "ImageDatasetDrift": ("OVF514", "Train and test images can be told apart"),
    "HeatmapComparison": ("OVF515", "Average train and test image"),
    "PropertyLabelCorrelationChange": ("OVF516", "Image properties that give the label away in train only"),
    "ImagePropertyOutliers": ("OVF521", "Images with unusual properties"),
    "LabelPropertyOutliers": ("OVF522", "Labels with unusual properties"),
    "PropertyLabelCorrelation": ("OVF523", "Image properties that give the label away"),
}

# Suite -> names of its checks; None: the suite of that name as Deepchecks ships it.
SUITES: dict[str, tuple[str, ...] | None] = {
    "computer_vision": (
        "ClassPerformance",
        "SingleDatasetPerformance",
        "SimpleModelComparison",
        "PredictionDrift",
        "ConfusionMatrixReport",
        "WeakSegmentsPerformance",
        "NewLabels",
        "LabelDrift",
        "ImagePropertyDrift",
        "ImageDatasetDrift",
        "HeatmapComparison",
        "PropertyLabelCorrelationChange",
    ),
    "data_integrity": None,
    "train_test_validation": None,
    "model_evaluation": None,
}

# Checks of ours that the settings may name (`deepchecks.custom_checks`).
CUSTOM_CHECKS: dict[str, tuple[str, str]] = {
    "overfitting_analysis": ("OVF541", "Overfitting analysis"),
    "data_drift_detection": ("OVF542", "Data drift detection"),
}
_OTHERS = range(550, 600)


def codes_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Code and title of each check; one that is in no table gets OVF550 to OVF599 by its name."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(set(names)):
        taken = {code for code, _ in found.values()}
        start = zlib.crc32(name.encode()) % len(_OTHERS)
        free = (f"OVF{_OTHERS[(start + step) % len(_OTHERS)]}" for step in range(len(_OTHERS)))
        known = CHECKS.get(name) or CUSTOM_CHECKS.get(name)
        found[name] = known or (next(code for code in free if code not in taken), clean_text(name, 80))
    return found
