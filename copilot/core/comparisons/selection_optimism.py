"""OVF204: a validation set tuned against so often that the best run's lead may be luck."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent
from copilot.core.comparisons.base import BaseComparison, Measured, RunGroup, counted
from copilot.core.comparisons.folds import fold_numbers
from copilot.core.comparisons.inference import binomial_error, expected_maximum, modified_z
from copilot.core.comparisons.params import configuration, plain_name
from copilot.core.findings import Outcome

MIN_REPEATS = 3  # degrees of freedom that the spread between seeds needs


class OptimismThresholds(Thresholds):
    min_runs: int = Field(5, ge=3, description="Runs to choose from below which nothing is said.")
    failed_z: float = Field(3.5, gt=0, description="Modified z-score above which a run failed and was no choice.")
    share: float = Field(0.5, gt=0, lt=1, description="Expected optimism over the lead of the best run that counts.")
    high_share: float = Field(0.8, gt=0, le=1, description="Share of medium severity.")
    least_score: float = Field(0.005, gt=0, lt=1, description="Optimism of a score below which it does not matter.")
    least_loss: float = Field(0.02, gt=0, description="Optimism of a loss, as a share, below which it does not.")


@dataclass(frozen=True)
class _Choice:
    """The runs that one was chosen from, and the noise of their scores."""

    best: np.ndarray
    noise: float
    source: str
    images: float | None


class SelectionOptimism(BaseComparison):
    """The best of many runs looks better than it is.

    Whoever picks the best of N runs by a validation score picks good luck too. The luck to expect is the expected
    maximum of N normal numbers times the noise of a score: its binomial error where the size of the validation set is
    known (``n_val``), else the spread between repeated seeds. Where the runs truly differ, only the part of their
    spread that noise explains counts (shrinkage of a normal mean). It is an issue where that is a good part of the lead
    of the best run over the median run.

    Why it matters: the chosen model will do worse on new images than its validation score says, and a reported gain may
    be nothing but the number of tries.

    Source: G. Cawley and N. Talbot, "On Over-fitting in Model Selection", JMLR 11, 2010; J. Dodge et al., "Show Your
    Work", EMNLP 2019 (arXiv 1909.03004), for the expected best of N; shrinkage as in B. Efron, "Tweedie's Formula and
    Selection Bias", JASA 106, 2011.

    When it is wrong: models that err on the same images share their luck, so that less is left to pick from and the
    optimism is smaller. Looks at the set that no run records (by hand, in other experiments) and the choice of the best
    epoch make it larger. Different validation sets of one size are taken for one. Folds are left out, for each has its
    own.
    """

    code = "OVF204"
    title = "Validation set used for choosing"
    Thresholds = OptimismThresholds

    def compare(self, group: RunGroup) -> Outcome:
        t, measured = self.thresholds, group.measured
        if measured is None:
            return self.outcome("not_applicable", "No run logged a validation metric.")
        choice = self._choice(group, measured)
        if isinstance(choice, str):
            return self.outcome("not_applicable", choice)
        n, lead, optimism, spread = len(choice.best), *_optimism(choice.best, choice.noise)
        share = optimism / lead if lead > 0 else 0.0
        least = measured.size(t.least_score, t.least_loss, float(np.median(choice.best)))
        q, unit = measured.quantity, measured.unit
        evidence = [
            self.fact("expected_optimism", optimism, unit, source=choice.source, quantity=q),
            self.fact("lead_over_median", lead, unit, source="runs", quantity=q),
            self.fact("optimism_share", share * 100, "%", source="runs", quantity=q),
            self.fact("runs_to_choose_from", n, "runs"),
            self.fact("score_noise", choice.noise, unit, source=choice.source, quantity=q),
            self.fact("spread_of_better_half", spread, unit, source="runs", quantity=q),
            self.fact("expected_maximum", expected_maximum(n), "times", source="standard normal"),
        ]
        if choice.images:
            evidence.append(self.fact("validation_images", choice.images, "images"))
        text = (
            f"The best of {n} runs leads the median by {measured.amount(lead)} of validation {q}; choosing the best of "
            f"so many makes it look about {measured.amount(optimism)} better than it is ({percent(share)} of the lead)."
        )
        confidence = confidence_from(np.log(max(share, 1e-3) / t.share))
        if share < t.share or optimism < least:
            return self.outcome("passed", text, confidence=confidence, evidence=evidence)
        severity = "medium" if share >= t.high_share else "low"
        text += " Score the chosen model once on images that no choice was made on."
        return self.outcome("issue", text, severity=severity, confidence=confidence, evidence=evidence)

    def _choice(self, group: RunGroup, measured: Measured) -> _Choice | str:
        """The comparable runs with their noise, or what is missing."""
        folds, least = fold_numbers(group), self.thresholds.min_runs
        single = np.array([i not in folds for i in range(len(group.members))], dtype=bool)
        usable = np.flatnonzero(single & np.isfinite(measured.best))
        if len(usable) < least:
            have = counted(len(usable), "run")
            return f"It takes {least} runs to choose from; {have} with validation {measured.quantity}, folds left out."
        sizes = group.n_val[usable]
        if measured.bounded and np.isfinite(sizes).any():
            size, times = Counter(sizes[np.isfinite(sizes)].tolist()).most_common(1)[0]  # one validation set
            if times >= least:
                best = self._serious(measured.best[usable[sizes == size]])
                return _Choice(best, _binomial_noise(best, size), "binomial error of the score", size)
        noise = _seed_noise(group, measured, usable)
        if noise is None:
            return (
                "The noise of a validation score is not known: log the size of the validation set (n_val), or repeat a "
                "configuration with other seeds (a parameter `seed`)."
            )
        return _Choice(self._serious(measured.best[usable]), noise, "spread between seeds", None)

    def _serious(self, best: np.ndarray) -> np.ndarray:
        """Without runs that failed: far worse than the rest, they were never to be chosen."""
        kept = best[modified_z(best) <= self.thresholds.failed_z]
        return kept if len(kept) >= self.thresholds.min_runs else best


def _optimism(best: np.ndarray, noise: float) -> tuple[float, float, float]:
    """Lead of the best run over the median, expected optimism of the best, spread of the better half.

    The spread is taken of the better half, around the median: failed runs say nothing of the choice. Of the best run's
    distance, ``noise^2 / spread^2`` is luck; where the spread is below the noise, all of it. Never more than the lead.
    """
    middle = float(np.median(best))
    better = best[best <= middle] - middle
    spread = float(np.sqrt(np.mean(better**2)))
    lead = middle - float(best.min())
    if spread == 0:
        return lead, 0.0, 0.0
    return lead, min(expected_maximum(len(best)) * min(noise, spread) ** 2 / spread, lead), spread


def _binomial_noise(best: np.ndarray, images: float) -> float:
    """Binomial error where the best run truly is: its score less the optimism that the median's error would give."""
    first = float(binomial_error(1 - np.median(best), images))
    return float(binomial_error(1 - best.min() - _optimism(best, first)[1], images))


def _seed_noise(group: RunGroup, measured: Measured, usable: np.ndarray) -> float | None:
    """Pooled standard deviation between runs of one configuration that differ in their seed."""
    alike: dict[tuple, list[int]] = defaultdict(list)
    for i in usable:
        params = group.members[i].params
        if any(plain_name(name).rpartition("_")[2] == "seed" for name in params):
            alike[configuration(params)].append(int(i))
    repeated = [measured.best[own] for own in alike.values() if len(own) > 1]
    freedom = sum(len(own) - 1 for own in repeated)
    if freedom < MIN_REPEATS:
        return None
    return float(np.sqrt(sum(((own - own.mean()) ** 2).sum() for own in repeated) / freedom))
