"""What a Deepchecks check measured, as named numbers. Reads values only; Deepchecks itself is not imported."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from copilot.core.findings import Evidence
from copilot.utils.validators import clean_text

MAX_EVIDENCE = 12
Numbers = Iterable[tuple[Any, ...]]  # name, value, unit, and for some the bounds of its interval


def evidence_of(check: str, results: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """The numbers of one check.

    Parameters
    ----------
    check : str
        Class name of the check.
    results : mapping of str to object
        What the check gave on each split: ``train`` and ``test``, or "" for a check that compares the two.

    Returns
    -------
    tuple of Evidence
        At most ``MAX_EVIDENCE``, shared fairly by the splits.
    """
    reader = _READERS.get(check, _leaves)
    share = MAX_EVIDENCE // max(1, len(results))
    return tuple(
        Evidence(
            name=clean_text(f"{split} {name}" if split else name, 100),
            value=_plain(value),
            unit=unit,
            source=f"deepchecks:{check}",
            quantity=_quantity(name),
            low=_plain(bounds[0]) if bounds else None,
            high=_plain(bounds[1]) if bounds else None,
        )
        for split, result in results.items()
        for name, value, unit, *bounds in list(reader(result))[:share]
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value, 120)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def _quantity(name: str) -> str | None:
    return next((q for q in ("accuracy", "precision", "recall", "f1") if q in name.lower()), None)


def _class_performance(table: Any) -> Numbers:
    rows = table.to_dict("records")
    scores = {(row["Dataset"].lower(), row["Metric"].lower(), row["Class Name"]): row["Value"] for row in rows}
    metrics = sorted({metric for _, metric, _ in scores})
    for metric in metrics:
        for split in ("train", "test"):
            values = [v for (s, m, _), v in scores.items() if (s, m) == (split, metric) and v == v]
            yield f"{split} {metric}, mean of classes", np.mean(values) if values else math.nan, ""
    for metric in metrics:
        test = {name: v for (s, m, name), v in scores.items() if (s, m) == ("test", metric) and v == v}
        if test:
            worst = min(test, key=lambda name: test[name])
            yield f"lowest test {metric} of a class ({worst})", test[worst], ""
        train = {name: v for (s, m, name), v in scores.items() if (s, m) == ("train", metric) and v and v == v}
        falls = {name: (train[name] - test[name]) / train[name] for name in train.keys() & test.keys()}
        if falls:
            most = max(sorted(falls), key=lambda name: falls[name])
            yield f"largest relative fall of {metric} from train to test ({most})", falls[most], ""


def _single_performance(table: Any) -> Numbers:
    for metric, rows in table.groupby("Metric", sort=False):
        of_classes = metric.endswith("_macro") or len(rows) > 1
        name = metric.removesuffix("_macro").replace("_", " ")
        yield f"{name}, mean of classes" if of_classes else name, rows["Value"].mean(), ""


def _simple_model(table: Any) -> Numbers:
    for (model, metric), rows in sorted(table.groupby(["Model", "Metric"])):
        yield f"{metric}, mean of classes, {model.lower()}", rows["Value"].mean(), ""


def _drift(scores: Mapping[str, Any]) -> Numbers:
    for name, score in scores.items():
        if score["Drift score"] is not None:
            yield f"drift of {name.lower()} ({score['Method']})", score["Drift score"], ""


def _confusion(table: Any) -> Numbers:
    """Rows are the true classes, columns the predicted ones; of detection, "nothing" stands for no object or box."""
    matrix, counted = table.to_numpy(), table.index.name
    total = matrix.sum()
    yield counted, int(total), counted
    right = np.trace(matrix) / total if total else math.nan
    yield "accuracy" if counted == "images" else "share of objects and boxes that match in place and class", right, ""
    wrong = matrix - np.diag(np.diag(matrix))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:3]:
        true, given = np.unravel_index(place, wrong.shape)
        if wrong[true, given] > 0:
            name = f"{counted} of {table.index[true]} taken for {table.columns[given]}"
            yield name, int(wrong[true, given]), counted


def _weak_segments(value: Mapping[str, Any]) -> Numbers:
    if "weak_segments_list" not in value:
        yield "result", value.get("message", "none found"), ""
        return
    worst = value["weak_segments_list"].iloc[0]
    score = str(worst.index[0]).lower().replace("cross entropy", "negative cross entropy")
    score = score.removesuffix(" score").replace("negative negative", "negative")
    yield f"mean score ({score})", value["avg_score"], ""
    yield f"score of the weakest segment ({score})", worst.iloc[0], ""
    yield "share of images in the weakest segment", worst.get("% of Data", math.nan), "%"
    yield "weakest segment", " and ".join(_segment(worst)), ""


def _segment(row: Any) -> Iterable[str]:
    for feature in ("Feature1", "Feature2"):
        if isinstance(row.get(feature), str) and row[feature]:
            yield f"{row[feature].lower()} {_between(row[f'{feature} Range'])}"


def _between(limits: Any) -> str:
    if not (isinstance(limits, tuple | list) and len(limits) == 2):
        return str(limits)
    low, high = map(float, limits)
    if math.isinf(low) or math.isinf(high):
        return f"below {high:.4g}" if math.isinf(low) else f"above {low:.4g}"
    return f"from {low:.4g} to {high:.4g}"


def _new_labels(value: Mapping[str, Any]) -> Numbers:
    counted = value.get("counted", "images")
    yield f"test {counted} of a new class", sum(value["new_labels"].values()), counted
    yield f"test {counted}", value["all_labels_count"], counted
    for name, count in value["new_labels"].items():
        yield f"test {counted} of new class {name}", count, counted


def _dataset_drift(value: Mapping[str, Any]) -> Numbers:
    yield "AUC of a classifier that tells train from test", value["domain_classifier_auc"], ""
    yield "drift score", value["domain_classifier_drift_score"], ""
    weights = value["domain_classifier_feature_importance"]
    for name in sorted(weights, key=lambda name: -abs(weights[name])):
        if weights[name]:
            yield f"importance of {name.lower()}", abs(weights[name]), ""


def _heatmap(value: Mapping[str, Any]) -> Numbers:
    difference = np.asarray(value["diff"], dtype=float)
    yield "mean difference of the average images", difference.mean(), "grey levels"
    yield "largest difference of the average images", difference.max(), "grey levels"
    if "diff_bbox" in value:
        covered = np.asarray(value["diff_bbox"], dtype=float)
        yield "largest difference in how often a place lies in a box", covered.max(), "percentage points"


def _correlation_change(value: Mapping[str, Any]) -> Numbers:
    train = {name: _highest(scores["train"]) for name, scores in value.items()}
    falls = {name: _highest(scores["train-test difference"]) for name, scores in value.items()}
    for name in sorted(value, key=lambda name: (-falls[name], -train[name]))[:3]:
        yield f"predictive power of {name.lower()} in train", train[name], ""
        yield f"predictive power of {name.lower()} in train minus test", falls[name], ""


def _correlation(value: Mapping[str, Any]) -> Numbers:
    for name in sorted(value, key=lambda name: -value[name]):
        yield f"predictive power of {name.lower()}", value[name], ""


def _detection_scores(table: Any) -> Numbers:
    """Rows are sizes of objects, columns scores; Deepchecks calls them percent, but they lie from 0 to 1."""
    for size, row in table.iterrows():
        for column, score in row.items():
            if score >= 0:  # -1: no object of this size
                name = re.sub(r" \((avg\.)?%\)$", "", str(column))
                yield f"{name}, {str(size).partition(' ')[0].lower()} objects", score, ""


def _gaps(table: Any) -> Numbers:
    """The rows over all classes, then the classes with the widest gaps of the score."""
    whole = table["Class"] == "all classes"
    for row in table[whole].to_dict("records"):
        yield from _gap(row)
    first = table["Quantity"].iloc[0]
    classes = table[~whole & (table["Quantity"] == first)].sort_values("low", ascending=False, kind="stable")
    for row in classes.to_dict("records"):
        name = f"{first} of {row['Class']}, {_FALLS[first]}"
        yield name, row["gap"], _UNITS.get(first, ""), row["low"], row["high"]


_FALLS = {"loss": "test minus train"} | dict.fromkeys(("accuracy", "recall", "dice", "confidence"), "train minus test")
_UNITS = {"loss": "nats"}


def _gap(row: Mapping[str, Any]) -> Numbers:
    name, unit = row["Quantity"], _UNITS.get(row["Quantity"], "")
    yield f"train {name}", row["train"], unit
    yield f"test {name}", row["test"], unit
    yield f"{name}, {_FALLS[name]}", row["gap"], unit, row["low"], row["high"]


def _data_drift(table: Any) -> Numbers:
    for row in table.sort_values("Effect", ascending=False, kind="stable").to_dict("records"):
        is_label = row["Property"] == "Labels"
        yield f"drift of {row['Property'].lower()} ({_EFFECTS[is_label]})", row["Effect"], ""
    strongest = table.sort_values("Effect").iloc[-1]
    yield f"corrected p-value of {strongest['Property'].lower()}", strongest["p"], ""
    if strongest["Property"] != "Labels":
        for side in ("Train", "Test"):
            yield f"mean {strongest['Property'].lower()} of {side.lower()}", strongest[side], strongest["Unit"]


_EFFECTS = ("Kolmogorov-Smirnov", "Cramer's V")


def _highest(scores: Any) -> float:
    return max(scores.values(), default=math.nan) if isinstance(scores, Mapping) else float(scores)


def _outliers(value: Mapping[str, Any]) -> Numbers:
    """Counts only: Deepchecks repeats the identifiers once a property, so its list names other images."""
    for name, found in value.items():
        if isinstance(found, Mapping):
            yield f"images with unusual {name.lower()}", len(found["outliers_identifiers"]), "images"


def _leaves(value: Any, name: str = "value") -> Numbers:
    """Every number of a result whose form is not known."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, str(key) if name == "value" else f"{name}, {key}")
    elif isinstance(value, int | float | np.number):
        yield name, value, ""
    elif hasattr(value, "columns") and "Value" in value.columns:
        for row in value.to_dict("records"):
            words = [str(row[key]) for key in ("Dataset", "Model", "Metric", "Class Name") if key in row]
            yield ", ".join(words), row["Value"], ""


_READERS: dict[str, Callable[[Any], Numbers]] = {
    "ClassPerformance": _class_performance,
    "SingleDatasetPerformance": _single_performance,
    "SimpleModelComparison": _simple_model,
    "PredictionDrift": _drift,
    "LabelDrift": _drift,
    "ImagePropertyDrift": _drift,
    "ConfusionMatrixReport": _confusion,
    "WeakSegmentsPerformance": _weak_segments,
    "NewLabels": _new_labels,
    "ImageDatasetDrift": _dataset_drift,
    "HeatmapComparison": _heatmap,
    "PropertyLabelCorrelationChange": _correlation_change,
    "PropertyLabelCorrelation": _correlation,
    "ImagePropertyOutliers": _outliers,
    "LabelPropertyOutliers": _outliers,
    "MeanAveragePrecisionReport": _detection_scores,
    "MeanAverageRecallReport": _detection_scores,
    "OverfittingAnalysis": _gaps,
    "DataDriftDetection": _data_drift,
    "TrainTestLabelDrift": _drift,
    "TrainTestPredictionDrift": _drift,
}
