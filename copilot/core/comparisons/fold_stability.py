"""OVF201: whether the folds of a cross-validation agree, and whether they can rank models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from
from copilot.core.comparisons.base import BaseComparison, Measured, RunGroup, say_p
from copilot.core.comparisons.folds import FoldSet, fold_sets
from copilot.core.comparisons.inference import Mean, binomial_error, corrected_mean, modified_z, outlier_p
from copilot.core.findings import Evidence, Outcome
from copilot.utils.validators import clean_text

MAX_SETS = 5  # cross-validations whose numbers become evidence, the worst first


class FoldThresholds(Thresholds):
    """Sizes are points of a score from 0 to 1, or shares of the loss."""

    min_folds: int = Field(3, ge=3, description="Folds below which nothing is said.")
    outlier_z: float = Field(3.5, gt=0, description="Modified z-score of a fold that stands apart.")
    outlier_p: float = Field(0.05, gt=0, lt=1, description="p-value of Grubbs' test below which it does.")
    outlier_score: float = Field(0.03, gt=0, lt=1, description="Distance from the median score that matters.")
    outlier_loss: float = Field(0.15, gt=0, description="Distance from the median loss that matters, as a share of it.")
    wide_score: float = Field(0.05, gt=0, lt=1, description="Half width of the mean score's interval that is too wide.")
    wide_loss: float = Field(0.25, gt=0, description="Half width of the mean loss's interval, as a share of the mean.")


@dataclass(frozen=True)
class _Spread:
    """One cross-validation, measured; costs run downwards."""

    folds: FoldSet
    labels: tuple[str, ...]
    best: np.ndarray
    deviation: float
    mean: Mean
    gap: Mean | None
    by_chance: float | None  # standard deviation that the size of the validation sets explains
    width: float  # half width of the interval over the limit
    outlier: int | None
    away: float
    z: float
    enough: float  # the outlier's distance over the limit


class FoldStability(BaseComparison):
    """Folds of a cross-validation that disagree.

    The best validation score of each fold, their mean with an interval of 95 % by the corrected resampled t-test, the
    mean gap between training and validation tested against zero by the same, a fold that stands apart, and, where two
    configurations were trained on the same folds, whether the better one is better. Folds are told by a parameter or
    tag such as ``fold``, by the parent run, or by names such as ``net-fold-3``.

    Why it matters: one split can flatter or punish a model by several points. A mean whose interval is wider than the
    differences between models cannot rank them, and a single odd fold points at images that the other folds lack.

    Source: variance over folds times 1/k + n_test/n_train from C. Nadeau and Y. Bengio, "Inference for the
    Generalization Error", Machine Learning 52, 2003; a fold stands apart by the modified z-score of B. Iglewicz and
    D. Hoaglin, How to Detect and Handle Outliers, 1993, and the test of F. E. Grubbs, 1950, together, which keeps false
    alarms at five folds below 5 %.

    When it is wrong: folds that share patients, videos or scenes agree too well; this check cannot see that. With three
    folds the interval is wide whatever the model. Two odd folds among five hide each other from Grubbs' test and show
    in the width of the interval instead.
    """

    code = "OVF201"
    title = "Fold stability"
    Thresholds = FoldThresholds

    def compare(self, group: RunGroup) -> Outcome:
        found, measured = fold_sets(group), group.measured
        if not found or measured is None:
            return self.outcome(
                "not_applicable",
                "No folds of a cross-validation were found: log a parameter `fold`, or end run names in -fold-1, ...",
            )
        spreads = [self._measure(group, measured, s) for s in found if self._usable(measured, s)]
        if not spreads:
            least = self.thresholds.min_folds
            return self.outcome(
                "not_applicable", f"It takes {least} folds with validation {measured.quantity} or more."
            )
        spreads.sort(key=lambda s: -self._badness(s))
        worst, better = spreads[0], self._better(measured, spreads)
        evidence = [e for s in spreads[:MAX_SETS] for e in self._evidence(measured, s)]
        text = self._text(measured, worst)
        if len(spreads) > 1:
            text += f" It is the least steady of {len(spreads)} cross-validations."
            evidence.append(self.fact("cross_validations", len(spreads), "cross-validations"))
        if better:
            text += f" {better[0]}"
            evidence.extend(better[1])
        confidence = confidence_from(np.log(max(self._badness(worst), 1e-3)))
        if self._badness(worst) < 1:
            return self.outcome("passed", text, confidence=confidence, evidence=evidence)
        severity = "medium" if worst.outlier is not None or worst.width >= 2 else "low"
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    def _usable(self, measured: Measured, folds: FoldSet) -> bool:
        return int(np.isfinite(folds.array(measured.best)).sum()) >= self.thresholds.min_folds

    def _measure(self, group: RunGroup, measured: Measured, folds: FoldSet) -> _Spread:
        t, best = self.thresholds, folds.array(measured.best)
        kept = np.isfinite(best)
        best, middle = best[kept], float(np.median(best[kept]))
        n_train, n_val = (folds.array(n)[kept] for n in (group.n_train, group.n_val))
        sized = bool(np.isfinite(n_train).all() and np.isfinite(n_val).all())
        ratio = float(n_val.mean() / n_train.mean()) if sized else 1 / (folds.n_folds - 1)
        mean, gaps = corrected_mean(best, ratio), folds.array(measured.gap)[kept]
        z, limit = modified_z(best), measured.size(t.outlier_score, t.outlier_loss, middle)
        odd = (np.abs(z) >= t.outlier_z) & (outlier_p(best) <= t.outlier_p) & (np.abs(best - middle) >= limit)
        at = int(np.abs(z).argmax())
        chance = (
            binomial_error(1 - best.mean(), n_val.mean()) if measured.bounded and np.isfinite(n_val).all() else None
        )
        labels = tuple(f"fold {n}" for n, keep in zip(folds.folds, kept, strict=True) if keep)
        return _Spread(
            folds=folds,
            labels=labels,
            best=best,
            deviation=float(best.std(ddof=1)),
            mean=mean,
            gap=corrected_mean(gaps, ratio) if np.isfinite(gaps).all() else None,
            by_chance=None if chance is None else float(chance),
            width=mean.half / measured.size(t.wide_score, t.wide_loss, mean.value),
            outlier=at if odd[at] else None,
            away=float(best[at] - middle),
            z=float(z[at]),
            enough=float(abs(best[at] - middle) / limit),
        )

    @staticmethod
    def _badness(spread: _Spread) -> float:
        """Above 1 where the folds disagree."""
        return max(spread.width, spread.enough if spread.outlier is not None else 0.0)

    def _text(self, measured: Measured, s: _Spread) -> str:
        name, interval = clean_text(s.folds.label, 60), measured.amount(s.mean.half)
        text = (
            f"{name}: best validation {measured.quantity} over {len(s.best)} folds is {measured.say(s.mean.value)} on "
            f"average, give or take {interval} (95 % interval)."
        )
        if s.outlier is not None:
            side = "worse" if s.away > 0 else "better"
            text += (
                f" {s.labels[s.outlier].capitalize()} stands apart at {measured.say(s.best[s.outlier])}, "
                f"{measured.amount(abs(s.away))} {side} than the median."
            )
        if s.width >= 1:
            text += " That is too wide to rank models."
            if s.by_chance is not None and s.deviation <= 1.5 * s.by_chance:
                text += " Validation sets of this size differ that much by chance alone."
        elif s.gap is not None and s.gap.low > 0:
            text += f" The gap to training is {measured.amount(s.gap.value)} ({say_p(s.gap.p)})."
        return text

    def _evidence(self, measured: Measured, s: _Spread) -> list[Evidence]:
        q, unit, label = measured.quantity, measured.unit, s.folds.label
        ends = sorted((measured.logged(s.mean.low), measured.logged(s.mean.high)))
        ends = np.clip(ends, 0.0, 1.0).tolist() if measured.bounded else ends
        items = [
            self.fact(
                "fold_mean", measured.logged(s.mean.value), unit, source=label, quantity=q, between=(ends[0], ends[1])
            ),
            self.fact("interval_half_width", s.mean.half, unit, source=label, quantity=q),
            self.fact("fold_deviation", s.deviation, unit, source=label, quantity=q),
            self.fact("folds", len(s.best), "folds", source=label),
        ]
        if s.by_chance is not None:
            items.append(self.fact("deviation_by_chance", s.by_chance, unit, source=label, quantity=q))
        if s.gap is not None:
            between = (s.gap.low, s.gap.high)
            items.append(self.fact("fold_gap", s.gap.value, unit, source=label, quantity=q, between=between))
            items.append(self.fact("fold_gap_p", s.gap.p, source=label, quantity=q))
        if s.outlier is not None:
            place = f"{label}, {s.labels[s.outlier]}"
            items.append(self.fact("outlying_fold", measured.logged(s.best[s.outlier]), unit, source=place, quantity=q))
            items.append(self.fact("distance_from_median", abs(s.away), unit, source=place, quantity=q))
            items.append(self.fact("modified_z", s.z, "times", source=place))
        return items

    def _better(self, measured: Measured, spreads: Sequence[_Spread]) -> tuple[str, list[Evidence]] | None:
        """The two best cross-validations over the same folds, compared fold by fold."""
        ranked = sorted(spreads, key=lambda s: s.mean.value)
        if len(ranked) < 2 or ranked[0].labels != ranked[1].labels:
            return None
        first, second = ranked[:2]
        lead = corrected_mean(second.best - first.best, 1 / (first.folds.n_folds - 1))
        a, b = (clean_text(s.folds.label, 60) for s in (first, second))
        size, source, unit = measured.amount(lead.value), f"{a} over {b}", measured.unit
        if lead.low > 0:
            text = f"The best, {a}, is {size} better than {b} ({say_p(lead.p)})."
        else:
            text = f"The two best, {a} and {b}, differ by {size}: too little to tell ({say_p(lead.p)})."
        return text, [
            self.fact(
                "lead", lead.value, unit, source=source, quantity=measured.quantity, between=(lead.low, lead.high)
            ),
            self.fact("lead_p", lead.p, source=source, quantity=measured.quantity),
        ]
