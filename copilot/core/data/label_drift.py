"""OVF409: shares of the classes that differ between two sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome
from copilot.core.statistics import difference_interval

Names = tuple[str, str]
_CELLS = 20_000_000  # random counts held at a time, at most
_TOLD = 3


class LabelDriftThresholds(Thresholds):
    """How far and how surely the shares must move to count."""

    alpha: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm, over both tests.")
    moved: float = Field(0.05, gt=0, lt=1, description="Total variation distance from which shares count as moved.")
    factor: float = Field(1.2, gt=1, description="Times by which the share of one class must change to count alone.")
    medium: float = Field(0.1, gt=0, lt=1, description="Total variation distance of medium severity.")
    high: float = Field(0.25, gt=0, lt=1, description="Total variation distance of high severity.")
    min_images: int = Field(20, ge=5, description="Labelled images that each set needs.")
    draws: int = Field(4999, ge=99, description="Random tables of the tests, and resamples of the interval.")


@dataclass(frozen=True)
class MovedLabels:
    """What `LabelDrift.find` found. Arrays are by class, shape (classes,).

    ``p_all`` is that of the chi-squared statistic, ``p_one`` that of the class that moved most.
    """

    before: np.ndarray
    after: np.ndarray
    distance: float
    low: float
    high: float
    p_all: float
    p_one: float
    residuals: np.ndarray
    classes: tuple[str, ...]
    names: Names

    @property
    def most(self) -> np.ndarray:
        """Classes, that which moved most beyond chance first."""
        return np.argsort(-np.abs(self.residuals), kind="stable")

    @property
    def p_value(self) -> float:
        """Of both tests together (Bonferroni)."""
        return min(1.0, 2 * min(self.p_all, self.p_one))


class LabelDrift(BaseCheck):
    """The classes have other shares in one set than in the other.

    Total variation is half the sum of the absolute differences of the shares, with a bootstrap interval from which the
    bias is taken. Two statistics say whether chance explains it: chi-squared over all classes, and the largest
    standardised difference of one class. Both are compared with random tables of the same totals, so that the p-values
    hold for small counts too. With many images the distance decides: `moved` over all classes, or a share that changed
    by `factor`.

    Why it matters: A score is an average over classes. Where the shares differ, it changes without any change of the
    model, and a model that learned the training shares leans to classes that were frequent there.

    Source: Z. C. Lipton, Y.-X. Wang and A. Smola, Detecting and Correcting for Label Shift with Black Box Predictors,
    ICML 2018, arXiv:1802.03916; W. M. Patefield, Applied Statistics 30, 1981, for random tables. Limits are this
    project's own; `benchmarks/drift.py` measures them.

    When it is wrong: A set that was balanced on purpose differs, as it should. Where labels come in groups (all frames
    of a video), chance explains more than the test knows.
    """

    code = "OVF409"
    title = "Label shares that moved"
    name: ClassVar[str] = "label_drift"
    scope: ClassVar[str] = "images"
    Thresholds = LabelDriftThresholds

    def find(
        self,
        labels_a: np.ndarray,
        labels_b: np.ndarray,
        classes: Sequence[str],
        names: Names = ("training", "validation"),
        *,
        seed: int = 0,
    ) -> MovedLabels:
        """Compare the shares.

        Parameters
        ----------
        labels_a, labels_b : ndarray of int, shape (n_a,) and (n_b,)
            Indices into `classes`; those below 0 are passed over. `a` is the reference.
        classes : sequence of str
        names : (str, str)
            What the sets are called in sentences.
        seed : int, default 0
        """
        before, after = (np.bincount(x[x >= 0], minlength=len(classes)) for x in (labels_a, labels_b))
        if not before.sum() or not after.sum():
            nothing = np.zeros(len(classes))
            return MovedLabels(before, after, 0.0, 0.0, 0.0, 1.0, 1.0, nothing, tuple(classes), names)
        rng = np.random.default_rng(seed)
        draws = int(np.clip(_CELLS // len(before), 199, self.thresholds.draws))
        chi, residuals = _statistics(before[None], before + after)
        chis, others = _statistics(rng.multivariate_hypergeometric(before + after, before.sum(), draws), before + after)
        largest = np.abs(others).max(1)
        distance, low, high = _variation_interval(before, after, draws, rng)
        return MovedLabels(
            before,
            after,
            distance,
            low,
            high,
            _share_above(chis, chi[0]),
            _share_above(largest, np.abs(residuals[0]).max()),
            -residuals[0],
            tuple(classes),
            names,
        )

    def judge(self, found: MovedLabels) -> Outcome:
        """The outcome of what `find` found."""
        limits = self.thresholds
        n_a, n_b = int(found.before.sum()), int(found.after.sum())
        if min(n_a, n_b) < limits.min_images:
            few = f"There are {n_a:,} and {n_b:,} labelled images; {limits.min_images} are needed of each."
            return self.outcome("not_applicable", few)
        if ((found.before + found.after) > 0).sum() < 2:
            return self.outcome("not_applicable", "There is only one class.")
        top = int(found.most[0])
        shares = found.before / n_a, found.after / n_b
        factor = _factor(shares[0][top], shares[1][top])
        evidence = self._evidence(found, top, factor)
        sure = found.p_value < limits.alpha
        alone = factor >= limits.factor and 2 * found.p_one < limits.alpha
        if not (sure and (found.distance >= limits.moved or alone)):
            return self._passed(found, evidence)
        gone = [found.classes[i] for i in np.flatnonzero((found.after == 0) & (shares[0] * n_b >= 5))]
        lost = f" No image of {_listed(gone)} is in {found.names[1]}." if gone else ""
        moved = "; ".join(self._class(found, int(i)) for i in found.most[:_TOLD] if found.residuals[i])
        return self.outcome(
            "issue",
            f"The shares of the classes differ between {found.names[0]} and {found.names[1]} (total variation "
            f"{found.distance:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f}): {moved}.{lost}",
            severity="high" if gone else severity_of(found.distance, limits.medium, limits.high),
            confidence=confidence_from(math.log(limits.alpha / found.p_value)),
            evidence=evidence,
        )

    def _passed(self, found: MovedLabels, evidence: list[Evidence]) -> Outcome:
        limits = self.thresholds
        why = "as chance explains" if found.p_value >= limits.alpha else "too little to matter"
        return self.outcome(
            "passed",
            f"The shares of the classes in {found.names[0]} and {found.names[1]} differ by {found.distance:.3f} (total "
            f"variation), {why}.",
            confidence=confidence_from(math.log(max(limits.high / max(found.high, 1e-3), 1.0))),
            evidence=evidence,
        )

    def _class(self, found: MovedLabels, place: int) -> str:
        n_a, n_b = found.before.sum(), found.after.sum()
        share_a, share_b = found.before[place] / n_a, found.after[place] / n_b
        low, high = difference_interval(share_b, int(n_b), share_a, int(n_a))
        return (
            f"{found.classes[place]} {percent(share_a, 1)} against {percent(share_b, 1)} "
            f"({low * 100:+.1f} to {high * 100:+.1f} points)"
        )

    def _evidence(self, found: MovedLabels, top: int, factor: float) -> list[Evidence]:
        n_a, n_b = found.before.sum(), found.after.sum()
        low, high = round(found.low, 6), round(found.high, 6)
        return [
            Evidence(name="total_variation", value=round(found.distance, 6), unit="fraction", low=low, high=high),
            Evidence(name="p_value", value=found.p_value),
            Evidence(name="most_moved_class", value=found.classes[top]),
            Evidence(name="share_before", value=round(float(found.before[top] / n_a), 6), unit="fraction"),
            Evidence(name="share_after", value=round(float(found.after[top] / n_b), 6), unit="fraction"),
            Evidence(name="share_factor", value=factor if math.isfinite(factor) else None, unit="times"),
        ]


def _statistics(first: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chi-squared, shape (t,), and standardised residuals, shape (t, k), of tables of two rows given the first one."""
    n, n_a = total.sum(), first[0].sum()
    share = n_a / n
    apart = first - total * share
    variance = total * share * (1 - share)
    safe = np.maximum(variance, 1e-12)
    single = safe * np.maximum(1 - total / n, 1e-12) * n / max(n - 1, 1)
    return (apart**2 / safe).sum(1), np.where(variance > 0, apart / np.sqrt(single), 0.0)


def _share_above(values: np.ndarray, limit: float) -> float:
    return float((1 + (values >= limit * (1 - 1e-9)).sum()) / (len(values) + 1))


def _variation_interval(
    before: np.ndarray, after: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Total variation and its 95 % interval: bootstrap quantiles, from which the bootstrap's own bias is taken."""
    n_a, n_b = before.sum(), after.sum()
    distance = float(np.abs(before / n_a - after / n_b).sum() / 2)
    a, b = (rng.multinomial(n, counts / n, draws) / n for n, counts in ((n_a, before), (n_b, after)))
    again = np.abs(a - b).sum(1) / 2
    low, high = np.quantile(again, (0.025, 0.975)) - (again.mean() - distance)
    return distance, float(np.clip(low, 0.0, distance)), float(np.clip(high, distance, 1.0))


def _factor(a: float, b: float) -> float:
    low, high = sorted((a, b))
    return high / low if low > 0 else math.inf


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
