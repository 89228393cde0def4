"""OVF205: whether runs are worse than a baseline run, beyond noise."""

from __future__ import annotations

import numpy as np
import scipy
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, severity_of
from copilot.core.comparisons.base import BaseComparison, Measured, RunGroup, listed
from copilot.core.comparisons.inference import binomial_error
from copilot.core.findings import Evidence, Outcome
from copilot.core.statistics import tail_length

MAX_RUNS = 10  # runs whose numbers become evidence, the worst first


class RegressionThresholds(Thresholds):
    """Sizes are points of a score from 0 to 1, or shares of the baseline's loss."""

    alpha: float = Field(0.05, gt=0, lt=0.5, description="Chance of a false alarm among all runs compared.")
    drop_score: float = Field(0.01, gt=0, lt=1, description="Drop of the best score that counts.")
    drop_loss: float = Field(0.05, gt=0, description="Rise of the best loss that counts, as a share.")
    gap_score: float = Field(0.05, gt=0, lt=1, description="Growth of the final score gap that counts.")
    gap_loss: float = Field(0.25, gt=0, description="Growth of the final loss gap that counts, as a share of the loss.")
    medium: float = Field(2.0, gt=1, description="Times the size that counts from which severity is medium.")
    high: float = Field(5.0, gt=1, description="Times the size that counts from which severity is high.")


class BaselineRegression(BaseComparison):
    """A run that does worse than the baseline.

    Compares the best validation score and the final gap of each run with those of the baseline. A difference counts
    when it is large enough to matter and beyond its noise: the binomial error of both scores where the runs log the
    size of their sets (``n_val``), else the point-to-point noise of the curves.

    Why it matters: a change that costs two points should stop a merge, and a difference within the noise should not.

    Source: the test of two proportions (A. Agresti, Categorical Data Analysis, 2013, section 3.1) at a level divided by
    the number of runs (O. J. Dunn, JASA 56, 1961); noise of curves as in T. Gasser et al., Biometrika 73, 1986.

    When it is wrong: where both runs saw the same validation images, their errors go together and the test is more
    careful than it need be. Where sizes are unknown, the noise of a curve knows nothing of another seed: train the
    baseline with several. Runs on different validation sets are compared all the same; look at the data first.
    """

    code = "OVF205"
    title = "Regression against the baseline"
    Thresholds = RegressionThresholds

    def compare(self, group: RunGroup) -> Outcome:
        measured, at = group.measured, group.reference
        if group.baseline is None:
            return self.outcome(
                "not_applicable", "No baseline was named: `mlops-copilot compare --baseline ID RUN...`."
            )
        if at is None or measured is None or not np.isfinite(measured.best[at]):
            return self.outcome("not_applicable", "The baseline has no validation metric that other runs have too.")
        noise_best, noise_gap = self._noise(group, measured, at)
        drop, wider = measured.best - measured.best[at], measured.gap_end - measured.gap_end[at]
        other = np.arange(len(group.members)) != at
        judged = np.flatnonzero(other & np.isfinite(drop) & np.isfinite(noise_best))
        if not judged.size:
            return self.outcome(
                "not_applicable",
                "No noise is known to compare with: log the size of the validation set (n_val), or five epochs.",
            )
        cut = float(scipy.stats.norm.isf(self.thresholds.alpha / judged.size))
        scale = float(measured.best[at])
        worse = self._times(measured, drop, noise_best, cut, "drop", scale)
        opened = self._times(measured, wider, noise_gap, cut, "gap", scale)
        beyond = np.maximum(worse, opened)
        order = judged[np.argsort(-beyond[judged], kind="stable")]
        bad = [int(i) for i in order if beyond[i] >= 1]
        shown = order[:MAX_RUNS].tolist()
        best = _best(judged, drop)
        if not bad and best not in shown:  # the sentence names it
            shown.append(best)
        evidence = self._evidence(group, measured, at, shown, drop, wider, noise_best, cut)
        first = int(order[0])
        confidence = confidence_from(np.log(max(float(beyond[first]), 1e-3)))
        evidence += [self.fact("runs_compared", judged.size, "runs"), self.fact("runs_worse", len(bad), "runs")]
        if not bad:
            text = self._fine(group, measured, at, best, drop)
            return self.outcome("passed", text, confidence=confidence, evidence=evidence)
        text = self._bad(group, measured, at, bad, drop, wider, worse)
        severity = severity_of(float(beyond[first]), self.thresholds.medium, self.thresholds.high)
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    @staticmethod
    def _noise(group: RunGroup, measured: Measured, at: int) -> tuple[np.ndarray, np.ndarray]:
        """Standard errors of the difference to the baseline, of the best value and of the final gap; NaN if unknown."""
        curve = measured.noise
        points = np.array([max(tail_length(m.history.n_epochs), 1) for m in group.members], dtype=float)
        tails = curve / np.sqrt(points)
        if measured.bounded:
            val = binomial_error(1 - measured.best, group.n_val)
            train = np.nan_to_num(binomial_error(1 - measured.best, group.n_train))
            curve = np.where(np.isfinite(val), val, curve)
            tails = np.where(np.isfinite(val), np.hypot(val, train), tails)
        return np.hypot(curve, curve[at]), np.hypot(tails, tails[at])

    def _times(
        self, measured: Measured, difference: np.ndarray, noise: np.ndarray, cut: float, name: str, scale: float
    ) -> np.ndarray:
        """How many times beyond what counts a difference lies; 0 where its noise explains it."""
        points, share = (getattr(self.thresholds, f"{name}_{kind}") for kind in ("score", "loss"))
        size = measured.size(points, share, scale)
        real = difference > cut * noise
        return np.where(
            real & np.isfinite(difference), difference / size, np.minimum(np.nan_to_num(difference) / size, 0.99)
        )

    def _bad(
        self,
        group: RunGroup,
        measured: Measured,
        at: int,
        bad: list[int],
        drop: np.ndarray,
        wider: np.ndarray,
        worse: np.ndarray,
    ) -> str:
        i, q, base = bad[0], measured.quantity, group.labels[at]
        name = group.labels[i]
        if worse[i] >= 1:
            text = (
                f"{name} reaches {measured.say(measured.best[i])} validation {q}, {measured.amount(drop[i])} worse "
                f"than {base} at {measured.say(measured.best[at])}, beyond the noise."
            )
        else:
            text = (
                f"The final gap of {name} is {measured.amount(wider[i])} wider than that of {base}, beyond the noise."
            )
        if len(bad) > 1:
            text += f" {len(bad)} runs are worse than the baseline: {listed([group.labels[j] for j in bad])}."
        return text

    def _fine(self, group: RunGroup, measured: Measured, at: int, best: int, drop: np.ndarray) -> str:
        base = group.labels[at]
        value = f"{measured.say(measured.best[at])} validation {measured.quantity}"
        text = f"No run is worse than {base} ({value}) beyond noise."
        if drop[best] < 0:
            text += f" The best, {group.labels[best]}, is {measured.amount(-drop[best])} better."
        return text

    def _evidence(
        self,
        group: RunGroup,
        measured: Measured,
        at: int,
        shown: list[int],
        drop: np.ndarray,
        wider: np.ndarray,
        noise: np.ndarray,
        cut: float,
    ) -> list[Evidence]:
        q, unit, base = measured.quantity, measured.unit, group.labels[at]
        items = []
        for i in shown:
            name = group.labels[i]
            versus, epoch = f"{name} against {base}", float(measured.epoch[i])
            reach = cut * noise[i]
            items.append(
                self.fact(
                    "worse_by", drop[i], unit, source=versus, quantity=q, between=(drop[i] - reach, drop[i] + reach)
                )
            )
            items.append(
                self.fact("best_value", measured.logged(measured.best[i]), unit, source=name, quantity=q, epoch=epoch)
            )
            if np.isfinite(wider[i]):
                items.append(self.fact("gap_wider_by", wider[i], unit, source=versus, quantity=q))
        best = measured.logged(measured.best[at])
        items.append(self.fact("baseline_value", best, unit, source=base, quantity=q, epoch=float(measured.epoch[at])))
        return items


def _best(judged: np.ndarray, drop: np.ndarray) -> int:
    """The judged run that lies farthest above the baseline, or least below."""
    return int(judged[np.argmin(drop[judged])])
