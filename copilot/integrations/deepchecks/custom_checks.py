"""Checks of ours for Deepchecks: overfitting class by class, drift of images and labels.

They run in any Deepchecks suite of computer vision, beside its own checks::

    from deepchecks.vision import Suite
    from copilot.integrations.deepchecks.custom_checks import DataDriftDetection, OverfittingAnalysis

    suite = Suite(
        "mine",
        OverfittingAnalysis().add_condition_gap_less_than(0.05),
        DataDriftDetection().add_condition_drift_less_than(max_ks=0.3),
    )
    suite.run(train_vision_data, test_vision_data)

Imported only where Deepchecks is (15 s, and AGPL-3.0); in the app that is the supervised child.
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pandas as pd
import plotly.express as px
from deepchecks.core import CheckResult, ConditionCategory, ConditionResult, DatasetKind
from deepchecks.core.errors import DeepchecksNotSupportedError, NotEnoughSamplesError
from deepchecks.vision.base_checks import TrainTestCheck
from deepchecks.vision.vision_data import TaskType

from copilot.core.data.two_samples import kolmogorov_smirnov
from copilot.integrations.deepchecks.batches import NO_CLASS_NAME
from copilot.integrations.deepchecks.drift import (
    PROPERTIES,
    corrected,
    cramers_v,
    population_stability,
    properties_of,
)
from copilot.integrations.deepchecks.gaps import dice_by_class, gap_between, objects_found, of_classification

_SIDES = (DatasetKind.TRAIN, DatasetKind.TEST)
_BY_TASK = {
    TaskType.CLASSIFICATION: ("accuracy", "loss", "confidence"),
    TaskType.OBJECT_DETECTION: ("recall", "confidence"),
    TaskType.SEMANTIC_SEGMENTATION: ("dice",),
}
_SCORES = ("accuracy", "recall", "dice")
ALL = "all classes"
LABELS = "Labels"


class OverfittingAnalysis(TrainTestCheck):
    """How much worse the model is on test than on train, over all classes and in each, with intervals.

    Classification: accuracy, cross-entropy (nats) and confidence (highest probability) by the true class. Detection:
    share of objects that a box of their class overlaps by an IoU of 0.5 or more, and the score of the boxes. Semantic
    segmentation: Dice of each class in each image. The value is a table with a row a quantity and class: means, gap
    (positive where test is worse), its 95 % interval, widened in the rows of classes for their number (Bonferroni).

    Objects and boxes of one image are taken for independent, which makes their intervals a little too narrow.

    Parameters
    ----------
    min_samples : int, default 10
        Classes with fewer samples in a split are left out.
    alpha : float, default 0.05
        Share of intervals that may miss.
    min_score : float, default 0.3
        Of detection: boxes with a lower score do not count, as in Deepchecks' confusion matrix.
    n_samples : int, optional
        Images of a split to use; default: all.
    """

    def __init__(
        self,
        min_samples: int = 10,
        alpha: float = 0.05,
        min_score: float = 0.3,
        n_samples: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.min_samples, self.alpha, self.min_score, self.n_samples = min_samples, alpha, min_score, n_samples

    def initialize_run(self, context: Any) -> None:
        """Forget earlier runs."""
        context.assert_task_type(*_BY_TASK)
        if not all(data.has_labels and data.has_predictions for data in (context.train, context.test)):
            raise DeepchecksNotSupportedError("Check needs labels and predictions of both datasets")
        self._seen: dict[Any, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {k: defaultdict(list) for k in _SIDES}

    def update(self, context: Any, batch: Any, dataset_kind: DatasetKind) -> None:
        """Take in one batch."""
        seen, labels, given = self._seen[dataset_kind], batch.numpy_labels, batch.numpy_predictions
        if context.task_type == TaskType.CLASSIFICATION:
            labels = np.asarray(labels, dtype=int)
            for quantity, values in of_classification(np.asarray(given, dtype=float), labels).items():
                seen[quantity].append((labels, values))
        elif context.task_type == TaskType.OBJECT_DETECTION:
            for boxes, objects in zip(given, labels, strict=True):
                boxes, objects = boxes.reshape(-1, 6), objects.reshape(-1, 5)
                boxes = boxes[boxes[:, 4] >= self.min_score]
                seen["recall"].append((objects[:, 0].astype(int), objects_found(boxes, objects)))
                seen["confidence"].append((boxes[:, 5].astype(int), boxes[:, 4]))
        else:
            free = [k for k, name in context.train.label_map.items() if name == NO_CLASS_NAME]
            for channels, mask in zip(given, labels, strict=True):
                classes, dice = dice_by_class(channels.argmax(axis=0), mask.astype(int))
                kept = ~np.isin(classes, free)
                seen["dice"].append((classes[kept], dice[kept]))

    def compute(self, context: Any) -> CheckResult:
        """The table of gaps."""
        rows = [row for quantity in _BY_TASK[context.task_type] for row in self._rows(quantity, context)]
        if not rows:
            raise NotEnoughSamplesError(f"Check needs at least {self.min_samples} samples of each dataset")
        table = pd.DataFrame(rows)
        return CheckResult(table, header="Overfitting Analysis", display=_gap_display(table, context))

    def _rows(self, quantity: str, context: Any) -> list[dict[str, Any]]:
        sides = [_joined(self._seen[kind][quantity]) for kind in _SIDES]
        enough = [
            k for k in np.unique(sides[0][0]) if min(int((own == k).sum()) for own, _ in sides) >= self.min_samples
        ]
        groups = [(ALL, [values for _, values in sides], self.alpha)] + [
            (context.train.label_map[k], [values[own == k] for own, values in sides], self.alpha / len(enough))
            for k in enough
        ]
        return [
            {
                "Quantity": quantity,
                "Class": name,
                **vars(gap_between(*values, sign=-1 if quantity == "loss" else 1, alpha=alpha)),
                "n_train": len(values[0]),
                "n_test": len(values[1]),
            }
            for name, values, alpha in groups
            if min(map(len, values)) >= self.min_samples
        ]

    def add_condition_gap_less_than(self, max_gap: float = 0.1) -> OverfittingAnalysis:
        """Add condition: the gap of the score (accuracy, recall or Dice) is less than `max_gap`.

        It fails where the lower end of the interval over all classes is above, and warns where that of a class is.
        """
        return self._condition("score", _SCORES, max_gap)

    def add_condition_loss_gap_less_than(self, max_gap: float) -> OverfittingAnalysis:
        """Add condition: the gap of the loss, in nats, is less than `max_gap`; for classification."""
        return self._condition("loss", ("loss",), max_gap)

    def add_condition_confidence_gap_less_than(self, max_gap: float = 0.1) -> OverfittingAnalysis:
        """Add condition: the confidence falls by less than `max_gap`; for classification and detection."""
        return self._condition("confidence", ("confidence",), max_gap)

    def _condition(self, what: str, quantities: tuple[str, ...], max_gap: float) -> OverfittingAnalysis:
        def judged(table: pd.DataFrame) -> ConditionResult:
            rows = table[table["Quantity"].isin(quantities)]
            over = rows[rows["low"] > max_gap]
            if rows.empty:
                return ConditionResult(ConditionCategory.PASS, f"There is no {what} to compare.")
            worst = (rows if over.empty else over).sort_values("low").iloc[-1]
            whole = over[over["Class"] == ALL]
            told = worst if whole.empty else whole.iloc[0]
            details = f"The gap of {told['Quantity']} ({told['Class']}) is {told['gap']:.3g}, {_interval(told)}"
            if not over.empty:
                details += f"; classes above the limit: {int((over['Class'] != ALL).sum())}"
            category = ConditionCategory.WARN if whole.empty else ConditionCategory.FAIL
            return ConditionResult(ConditionCategory.PASS if over.empty else category, details)

        return self.add_condition(f"The gap of the {what} from train to test is less than {max_gap:g}", judged)


class DataDriftDetection(TrainTestCheck):
    """Whether test images and labels differ from those of train, property by property.

    Brightness, contrast, sharpness, colour, size and aspect ratio are compared by the Kolmogorov-Smirnov distance and
    the population stability index, labels (of classification: images, of detection: objects, of segmentation: images
    with the class) by Cramer's V. P-values are corrected for the number of comparisons. The value is a table with a row
    a property.

    Parameters
    ----------
    n_samples : int, optional
        Images of a split to use; default: all.
    """

    def __init__(self, n_samples: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_samples = n_samples

    def initialize_run(self, context: Any) -> None:
        """Forget earlier runs."""
        if not context.train.has_images:
            raise DeepchecksNotSupportedError("Check needs images")
        self._images: dict[Any, dict[str, list[float]]] = {kind: defaultdict(list) for kind in _SIDES}
        self._labels: dict[Any, Counter[int]] = {kind: Counter() for kind in _SIDES}

    def update(self, context: Any, batch: Any, dataset_kind: DatasetKind) -> None:
        """Take in one batch."""
        for image in batch.numpy_images:
            for name, value in properties_of(image).items():
                self._images[dataset_kind][name].append(value)
        for label in batch.numpy_labels or ():
            self._labels[dataset_kind].update(_classes_in(label, context.task_type))

    def compute(self, context: Any) -> CheckResult:
        """The table of properties."""
        rows = [self._row(name) for name in PROPERTIES]
        if any(self._labels.values()):
            effect, p = cramers_v(*(self._labels[kind] for kind in _SIDES))
            rows.append({"Property": LABELS, "Unit": "", "Effect": effect, "p": p})
        table = pd.DataFrame(rows)
        table["p"] = corrected(table["p"].to_numpy())
        return CheckResult(table, header="Data Drift Detection", display=_drift_display(table, context))

    def _row(self, name: str) -> dict[str, Any]:
        train, test = (np.array(self._images[kind][name]) for kind in _SIDES)
        found = kolmogorov_smirnov(train, test)
        means = {"Train": train.mean(), "Test": test.mean()}
        psi = population_stability(train, test)
        return {
            "Property": name,
            "Unit": PROPERTIES[name],
            "Effect": found.distance,
            "PSI": psi,
            "p": found.p_value,
            **means,
        }

    def add_condition_drift_less_than(
        self, max_ks: float = 0.2, max_psi: float = 0.25, max_label_drift: float = 0.15, alpha: float = 0.05
    ) -> DataDriftDetection:
        """Add condition: no property and not the labels drift by more than the limits.

        Parameters
        ----------
        max_ks : float, default 0.2
            Kolmogorov-Smirnov distance of an image property.
        max_psi : float, default 0.25
            Population stability index of an image property.
        max_label_drift : float, default 0.15
            Cramer's V of the labels.
        alpha : float, default 0.05
            Corrected p-value from which on a difference is taken for chance.
        """

        def judged(table: pd.DataFrame) -> ConditionResult:
            is_label = table["Property"] == LABELS
            limit = np.where(is_label, max_label_drift, max_ks)
            over = (table["p"] < alpha) & ((table["Effect"] > limit) | (table["PSI"] > max_psi))
            if over.any():
                told = [f"{row.Property} by {row.Effect:.2g}" for row in _strongest(table[over])]
                return ConditionResult(ConditionCategory.FAIL, f"These drift: {', '.join(told)}")
            top = next(_strongest(table))
            return ConditionResult(
                ConditionCategory.PASS, f"The largest drift is that of {top.Property}: {top.Effect:.2g}"
            )

        limits = f"image properties {max_ks:g} (PSI {max_psi:g}), labels {max_label_drift:g}"
        return self.add_condition(f"Drift is less than its limits: {limits}", judged)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    if not parts:
        return np.zeros(0, int), np.zeros(0)
    return np.concatenate([own for own, _ in parts]), np.concatenate([values for _, values in parts])


def _classes_in(label: Any, task: TaskType) -> list[int]:
    if task == TaskType.CLASSIFICATION:
        return [int(label)]
    if task == TaskType.OBJECT_DETECTION:
        return label.reshape(-1, 5)[:, 0].astype(int).tolist()
    return np.unique(label).astype(int).tolist() if task == TaskType.SEMANTIC_SEGMENTATION else []


def _strongest(table: pd.DataFrame) -> Any:
    return table.sort_values("Effect", ascending=False).itertuples()


def _interval(row: Any) -> str:
    return f"interval {row['low']:.3g} to {row['high']:.3g}"


def _gap_display(table: pd.DataFrame, context: Any) -> list[Any] | None:
    if not context.with_display:
        return None
    shown = table.assign(Class=[html.escape(str(name)) for name in table["Class"]])
    scores = shown[shown["Quantity"].isin(_SCORES)]
    errors = {"error_y": scores["high"] - scores["gap"], "error_y_minus": scores["gap"] - scores["low"]}
    figure = px.scatter(scores, x="Class", y="gap", title="Train minus test score, with intervals", **errors)
    return [figure, shown.round(4)]


def _drift_display(table: pd.DataFrame, context: Any) -> list[Any] | None:
    if not context.with_display:
        return None
    figure = px.bar(table, x="Property", y="Effect", title="Kolmogorov-Smirnov distance; of labels: Cramer's V")
    return [figure, table.round(4)]
