"""OVF307: images that the model is given otherwise than it was trained on."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Outcome
from copilot.probes.base import BaseProbe, Examined, Probed, Progress
from copilot.probes.changes import LOADER, changes_for
from copilot.probes.paired import SPLITS, Asked, Tried, ask_changed, changed_sheet, evidence_of, holm


class AugmentationThresholds(Thresholds):
    """Gains are differences of accuracy, from 0 to 1."""

    min_gain: float = Field(0.03, gt=0, lt=1, description="Gain of validation accuracy by a change that counts.")
    high_gain: float = Field(0.1, gt=0, lt=1, description="Gain of high severity.")
    significance: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm over all changes.")
    max_images: int = Field(400, ge=30, description="Images of each split that are changed, at most.")
    budget_s: float = Field(120.0, gt=0, description="Seconds that the probe may take; fewer images are asked if less.")


class Augmentation(BaseProbe):
    """The model is better on changed validation images than on those it is given.

    A sample of both splits is changed in ways that loaders do by mistake (red and blue swapped, intensities inverted,
    grey, halved range, upside down) and in milder ways (mirrored, moved by a sixteenth, zoomed in and out by 10 and
    25 %). Each image is compared with itself before the change. Validation accuracy that rises by `min_gain` says that
    the model meets images prepared otherwise than in training. Where training accuracy rises too, it is not the
    validation set but the way in which images are given to the model here. Chance is ruled out by McNemar's exact
    test, on validation corrected for the number of changes (Holm), on training for the strongest of them.

    Why it matters: Swapped channels or another crop cost points that look like a generalisation gap, and are repaired
    in a line.

    Source: Q. McNemar, Psychometrika 12, 1947, for the test on pairs; S. Holm, Scandinavian Journal of Statistics 6,
    1979; H. Touvron et al., Fixing the train-test resolution discrepancy, NeurIPS 2019, arXiv:1906.06423, for zoom.
    The limits are this project's own.

    When it is wrong: A validation set that is darker, mirrored or farther away by nature is better when changed, and
    then it is a shift of the data and no fault of the loader. Small gains need many images: on 400 a gain below two
    points cannot be told from chance. Mistakes that no listed change undoes, such as a wrong mean, stay unseen.
    """

    code = "OVF307"
    title = "Augmentation and preprocessing"
    name = "augmentation"
    needs = "predict"
    Thresholds = AugmentationThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        train, val, t = examined.train, examined.val, self.thresholds
        if train.images is None or val.images is None or min(len(train), len(val)) < 10:
            return Probed(self.outcome("not_applicable", "Ten images of each split or more are needed."))
        rng = np.random.default_rng([examined.seed, 307])
        changes = changes_for(val.images.shape)
        asked = ask_changed(examined, changes, t.max_images, t.budget_s, rng, progress)
        outcome, told = self._judged(asked, rng)
        if not told:
            return Probed(outcome)
        return Probed(
            outcome, (changed_sheet(told, val, asked.rows["validation"][0], changes, "validation", self.code),)
        )

    def _judged(self, asked: Asked, rng: np.random.Generator) -> tuple[Outcome, list[Tried]]:
        t = self.thresholds
        better = [x for x in holm(asked.tried, "validation", 1, t.significance) if x.gain("validation") >= t.min_gain]
        better.sort(key=lambda x: -x.gain("validation"))
        evidence = evidence_of(asked, better, rng, SPLITS)
        if better:
            gain = better[0].gain("validation")
            return self.outcome(
                "issue",
                _mismatch(better[0], t) + asked.cut,
                severity=severity_of(gain, t.high_gain / 2, t.high_gain),
                confidence=confidence_from(np.log(gain / t.min_gain)),
                evidence=evidence,
            ), better
        best = max(asked.tried, key=lambda x: x.gain("validation"))
        text = (
            f"No change makes the model better on {len(best.before['validation'])} validation images (the best, "
            f"{best.name}, {best.gain('validation') * 100:+.1f} points).{asked.cut}"
        )
        margin = float(np.log(max(best.gain("validation"), 1e-3) / t.min_gain))
        return self.outcome("passed", text, confidence=confidence_from(min(margin, 0.0)), evidence=evidence), []


def _mismatch(first: Tried, t: AugmentationThresholds) -> str:
    before, val = first.before["validation"].mean(), first.gain("validation")
    what = "prepared otherwise than in training" if first.name in LOADER else "of another size or side than in training"
    return (
        f"Validation images seem to be {what}: {first.name} raises accuracy from {percent(before, 1)} to "
        f"{percent(before + val, 1)} on {len(first.before['validation'])} of them; {_whose(first, t)}."
    )


def _whose(first: Tried, t: AugmentationThresholds) -> str:
    """Whether training images gain too: tested, since a point on a few images says neither."""
    points = f"{first.gain('training') * 100:+.1f} points"
    if first.chance("training", 1) <= t.significance:
        return f"training images gain too ({points}), so that it is how images are given to the model here"
    if first.interval("training")[1] < max(t.min_gain, first.gain("validation") / 2):
        return f"training images do not ({points}), so that it is the validation images"
    return f"whether training images gain too ({points}) cannot be told on {len(first.before['training'])} of them"
