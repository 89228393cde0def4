"""OVF202: the learning curve over data size: whether more training images would help, and how much."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.comparisons.base import BaseComparison, Measured, RunGroup, counted
from copilot.core.comparisons.inference import PowerLaw, fit_power_law
from copilot.core.comparisons.params import configuration, moves_with_size
from copilot.core.findings import Evidence, Outcome

SAME_SIZE = 0.1  # sizes closer than this, as a share, are one


class ScalingThresholds(Thresholds):
    """Gains are points of a score from 0 to 1, or shares of the loss."""

    min_runs: int = Field(4, ge=4, description="Runs below which no curve is fitted.")
    min_sizes: int = Field(3, ge=3, description="Different training-set sizes below which none is.")
    min_span: float = Field(2.0, gt=1, description="Largest over smallest size below which none is.")
    min_explained: float = Field(
        0.5, gt=0, lt=1, description="Share of the variance that a curve worth using explains."
    )
    alpha: float = Field(0.05, gt=0, lt=1, description="p-value of a flat line above which nothing is concluded.")
    gain_score: float = Field(0.01, gt=0, lt=1, description="Gain of a score from twice the data that counts.")
    gain_loss: float = Field(
        0.05, gt=0, description="Gain of a loss from twice the data that counts, as a share of it."
    )
    high_gain: float = Field(0.05, gt=0, lt=1, description="Gain of a score of medium severity.")


class DataScaling(BaseComparison):
    """Validation error that still falls with more training images.

    Runs that differ in the size of the training set (a parameter such as ``n_train``) and else in little give a
    learning curve ``a + b n^-c``: ``a`` is the error that no amount of data removes, ``c`` how fast the rest falls. It
    says the error to expect from twice the data, with an interval of 95 %.

    Why it matters: labelling is the dearest remedy. The curve tells beforehand whether the next thousand images would
    buy points, or whether the model, the labels or the task are what limits it.

    Source: C. Cortes et al., "Learning Curves: Asymptotic Values and Rate of Convergence", NeurIPS 1993; J. Hestness et
    al., "Deep Learning Scaling is Predictable, Empirically", arXiv 1712.00409, 2017, who find exponents from 0.07 to
    0.35 and a law that holds between guessing and the irreducible error. Intervals by profile likelihood (D. Bates and
    D. Watts, Nonlinear Regression Analysis, 1988).

    When it is wrong: far below or above the sizes tried; when the settings were tuned at one size only, or training was
    cut at the same number of steps; when the added images are of another kind. The law holds in the middle of the
    curve, not where a model still guesses.
    """

    code = "OVF202"
    title = "Learning curve over data size"
    Thresholds = ScalingThresholds

    def compare(self, group: RunGroup) -> Outcome:
        t, measured = self.thresholds, group.measured
        chosen = self._series(group) if measured is not None else np.zeros(0, int)
        if not chosen.size:
            return self.outcome(
                "not_applicable", "No run says how many images it was trained on: log a parameter such as n_train."
            )
        sizes, errors = group.n_train[chosen], measured.best[chosen]
        distinct = _distinct(sizes)
        have = f"{counted(len(sizes), 'comparable run')} of {counted(distinct, 'training-set size')}"
        if len(sizes) < t.min_runs or distinct < t.min_sizes or sizes.max() < t.min_span * sizes.min():
            return self.outcome(
                "not_applicable",
                f"From {have} no curve can be drawn: it takes {t.min_runs} runs of {t.min_sizes} "
                f"sizes that span a factor of {t.min_span:g}, equal in their other parameters.",
            )
        if errors.min() < 0:
            return self.outcome("not_applicable", f"A power law needs errors above zero; {measured.quantity} has none.")
        law = fit_power_law(sizes, errors, 2 * float(sizes.max()))
        return self._judge(measured, law, sizes, have)

    @staticmethod
    def _series(group: RunGroup) -> np.ndarray:
        """The runs that share their other parameters and have the most sizes."""
        alike: dict[tuple, list[int]] = defaultdict(list)
        usable = np.isfinite(group.n_train) & np.isfinite(group.measured.best)
        for i in np.flatnonzero(usable):
            alike[configuration(group.members[i].params, moves_with_size)].append(int(i))
        ranked = sorted(alike.values(), key=lambda own: (-_distinct(group.n_train[own]), -len(own)))
        return np.array(ranked[0] if ranked else [], dtype=int)

    def _judge(self, measured: Measured, law: PowerLaw, sizes: np.ndarray, have: str) -> Outcome:
        t, top, q = self.thresholds, float(sizes.max()), measured.quantity
        enough = measured.size(t.gain_score, t.gain_loss, law.now)
        evidence = self._evidence(measured, law, sizes)
        start = f"Over {have}"
        if law.gain_high < enough:
            text = (
                f"{start}, validation {q} hardly moves: twice the {top:.0f} images would gain at most "
                f"{measured.amount(law.gain_high)}. More data of this kind is not what helps."
            )
            return self.outcome(
                "passed", text, confidence=confidence_from(np.log(enough / max(law.gain_high, 1e-9))), evidence=evidence
            )
        if law.p > t.alpha or law.explained < t.min_explained:
            text = (
                f"No conclusion: {start.lower()}, a learning curve explains {percent(law.explained)} of the "
                f"differences in validation {q}. Repeat the sizes with other seeds, or try a smaller one."
            )
            return self.outcome("not_applicable", text, evidence=evidence)
        ends = _expected(measured, law.there_low, law.there_high)
        there, now = (_expected(measured, cost)[0] for cost in (law.there, law.now))
        between = " to ".join(_say(measured, e) for e in ends)
        text = (
            f"{start}, validation {q} improves as a power law. Twice the {top:.0f} images should bring it from "
            f"{_say(measured, now)} to {_say(measured, there)} (95 % interval {between})."
        )
        if law.gain < enough:
            text += f" That is {measured.amount(law.gain)}: hardly worth labelling for."
            return self.outcome(
                "passed", text, confidence=confidence_from(np.log(enough / max(law.gain, 1e-9))), evidence=evidence
            )
        sure = law.gain_low >= enough / 2
        if not sure:
            text += " The interval leaves open whether that is worth it."
        severity = severity_of(law.gain, t.high_gain, 1.0) if measured.bounded and sure else "low"
        confidence = confidence_from(np.log(max(law.gain_low / enough, 1.0)) + 0.3 * sure)
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    def _evidence(self, measured: Measured, law: PowerLaw, sizes: np.ndarray) -> list[Evidence]:
        q, unit, source = measured.quantity, measured.unit, "runs by training-set size"
        there, most = _expected(measured, law.there_low, law.there_high), 1.0 if measured.bounded else np.inf
        best, expected, now = (_expected(measured, cost)[0] for cost in (law.a, law.there, law.now))
        gains = law.gain_low, min(law.gain_high, most)

        def fact(name: str, value: float, unit: str = "", **more) -> Evidence:
            return self.fact(name, value, unit, source=source, **more)

        return [
            fact("expected_at_twice_the_data", expected, unit, quantity=q, between=(there[0], there[1])),
            fact("fitted_at_largest_size", now, unit, quantity=q),
            fact("gain_from_twice_the_data", law.gain, unit, quantity=q, between=gains),
            fact("largest_training_set", float(sizes.max()), "images"),
            fact("smallest_training_set", float(sizes.min()), "images"),
            fact("runs", len(sizes), "runs"),
            fact("training_set_sizes", _distinct(sizes), "sizes"),
            fact("exponent", law.c, between=(law.c_low, law.c_high)),
            fact("best_that_data_can_bring", best, unit, quantity=q),
            fact("variance_explained", law.explained * 100, "%"),
            fact("flat_line_p", law.p),
        ]


def _say(measured: Measured, value: float) -> str:
    """A value in the quantity's own direction, as people read it."""
    return percent(value, 1) if measured.bounded else f"{value:.3g}"


def _expected(measured: Measured, *costs: float) -> list[float]:
    """Fitted costs in the quantity's own direction, the smallest first, within its bounds."""
    values = sorted(measured.logged(cost) for cost in costs)
    return np.clip(values, 0.0, 1.0).tolist() if measured.bounded else values


def _distinct(sizes: np.ndarray) -> int:
    """Sizes that differ by more than `SAME_SIZE`: folds of 1,000 and 1,001 images are one."""
    logs = np.sort(np.log(sizes))
    return 1 + int((np.diff(logs) > np.log1p(SAME_SIZE)).sum()) if len(logs) else 0
