"""OVF309: training images that the model knows only as they were."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent
from copilot.core.findings import Outcome
from copilot.probes.base import BaseProbe, Examined, Probed, Progress
from copilot.probes.changes import MILD, changes_for
from copilot.probes.paired import Asked, Tried, ask_changed, changed_sheet, evidence_of, holm

_SPLITS = ("training", "validation")


class InvarianceThresholds(Thresholds):
    """Losses are shares of what the model knew: its accuracy above that of always naming the most frequent class."""

    train_fall: float = Field(
        0.2, gt=0, lt=1, description="Share of its knowledge that training loses by a mild change."
    )
    val_share: float = Field(
        0.5, gt=0, lt=1, description="Of that, what validation may lose for the change to be mild."
    )
    significance: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm over all changes.")
    min_known: float = Field(0.1, gt=0, lt=1, description="Accuracy above guessing below which a fall is not judged.")
    max_images: int = Field(400, ge=30, description="Images of each split that are changed, at most.")
    budget_s: float = Field(60.0, gt=0, description="Seconds that the probe may take; fewer images are asked if less.")


class Invariance(BaseProbe):
    """The model knows its training images only as they were.

    A sample of the training images is mirrored, moved by a sixteenth of the side, and zoomed in and out by 10 %; each
    is compared with itself before the change. Training accuracy that loses `train_fall` of its knowledge by a change,
    while validation loses less than half as much (`val_share`), says that the training images are known by heart
    rather than by what stays when they are moved or mirrored. Chance is ruled out by McNemar's exact test, corrected
    for the number of changes (Holm). Validation images are asked about for comparison alone: a change that costs them
    as much, as mirroring does for digits, does not keep labels and is not told.

    Why it matters: A model that loses its training images by a shift of two pixels has not learned what they show. It
    gains from augmentation by these very changes.

    Source: Q. McNemar, Psychometrika 12, 1947, for the test on pairs; S. Holm, Scandinavian Journal of Statistics 6,
    1979; A. Azulay and Y. Weiss, Why do deep convolutional networks generalize so poorly to small image
    transformations?, JMLR 20, 2019, arXiv:1805.12177; C. Shorten and T. M. Khoshgoftaar, A survey on Image Data
    Augmentation for Deep Learning, Journal of Big Data 6, 2019. The limits are this project's own.

    When it is wrong: A model that is little better than guessing on validation has little to lose there, so that a
    change which breaks labels looks mild; below `min_known` nothing is judged. Images whose object touches the edge
    lose a part of it when moved. A model that was trained with these changes can know images by heart all the same.
    """

    code = "OVF309"
    title = "Invariance to mild changes"
    name = "invariance"
    needs = "predict"
    Thresholds = InvarianceThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        train, val, t = examined.train, examined.val, self.thresholds
        if train.images is None or val.images is None or min(len(train), len(val)) < 10:
            return Probed(self.outcome("not_applicable", "Ten images of each split or more are needed."))
        rng = np.random.default_rng([examined.seed, 309])
        changes = {name: change for name, change in changes_for(train.images.shape).items() if name in MILD}
        asked = ask_changed(examined, changes, t.max_images, t.budget_s, rng, progress)
        if min(asked.known.values()) < t.min_known:
            text = "On a split the model is hardly better than naming the most frequent class: too little to lose."
            return Probed(self.outcome("not_applicable", text + asked.cut))
        outcome, told = self._judged(asked, rng)
        if not told:
            return Probed(outcome)
        return Probed(outcome, (changed_sheet(told, train, asked.rows["training"][0], changes, "training", self.code),))

    def _judged(self, asked: Asked, rng: np.random.Generator) -> tuple[Outcome, list[Tried]]:
        t = self.thresholds
        fragile = self._fragile(asked)
        evidence = evidence_of(asked, fragile, rng, _SPLITS)
        worst = fragile[0] if fragile else min(asked.tried, key=lambda x: x.gain("training"))
        fall = -worst.gain("training") / asked.known["training"]
        margin = float(np.log(max(fall, 1e-3) / t.train_fall))
        if fragile:
            text, confidence = _by_heart(worst), confidence_from(margin)
            return self.outcome(
                "issue", text + asked.cut, severity="low", confidence=confidence, evidence=evidence
            ), fragile
        claim = "Mild changes leave the training images known"
        if fall >= t.train_fall:  # validation loses too, as where a change breaks labels, or chance explains it
            claim = "No mild change surely costs training images far more than validation images"
        text = (
            f"{claim}: {worst.name} costs them the most, "
            f"{percent(max(fall, 0.0))} of what the model knew, and validation images "
            f"{percent(max(-worst.gain('validation') / asked.known['validation'], 0.0))}.{asked.cut}"
        )
        return self.outcome("passed", text, confidence=confidence_from(min(margin, 0.0)), evidence=evidence), []

    def _fragile(self, asked: Asked) -> list[Tried]:
        """The changes that cost much of the training accuracy and little of that of validation."""
        t, found = self.thresholds, []
        for change in holm(asked.tried, "training", -1, t.significance):
            train, val = (-change.gain(split) / asked.known[split] for split in _SPLITS)
            if train >= t.train_fall and val <= t.val_share * train:
                found.append(change)
        return sorted(found, key=lambda x: x.gain("training"))


def _by_heart(first: Tried) -> str:
    before, val = first.before["training"].mean(), first.gain("validation")
    return (
        f"Training images are known as they are and not when changed: {first.name} lowers training accuracy from "
        f"{percent(before, 1)} to {percent(before + first.gain('training'), 1)} on {len(first.before['training'])} "
        f"images, and changes validation accuracy by {val * 100:+.1f} points."
    )
