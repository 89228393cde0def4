"""OVF307: images that the model is given otherwise than it was trained on, or that it knows only as they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.stats import binom

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome, Picture
from copilot.probes.asking import Asker, mean_interval, some
from copilot.probes.base import BaseProbe, Examined, Probed, Progress, Sample, Steps
from copilot.probes.changes import LOADER, MILD, Change, changes_for
from copilot.probes.sheets import contact_sheet


class AugmentationThresholds(Thresholds):
    """Gains and falls are differences of accuracy; a fall is also told as a share of the accuracy above guessing."""

    min_gain: float = Field(0.03, gt=0, lt=1, description="Gain of validation accuracy by a change that counts.")
    high_gain: float = Field(0.1, gt=0, lt=1, description="Gain of high severity.")
    train_fall: float = Field(
        0.2, gt=0, lt=1, description="Share of its knowledge that training loses by a mild change."
    )
    val_share: float = Field(
        0.5, gt=0, lt=1, description="Of that, what validation may lose for the change to be mild."
    )
    significance: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm over all changes.")
    min_known: float = Field(0.1, gt=0, lt=1, description="Accuracy above guessing below which a fall is not judged.")
    max_images: int = Field(400, ge=30, description="Images of each split that are changed, at most.")
    budget_s: float = Field(90.0, gt=0, description="Seconds that the probe may take; fewer images are asked if less.")


@dataclass(frozen=True)
class Tried:
    """One change: whether each image was right before and after it, bool of shape (n,), in each split."""

    name: str
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]

    def gains(self, split: str) -> np.ndarray:
        """1 where the change made an image right, -1 where wrong, shape (n,)."""
        return self.after[split].astype(float) - self.before[split]

    def gain(self, split: str) -> float:
        return float(self.gains(split).mean())

    def chance(self, split: str, sign: int) -> float:
        """One-sided exact p-value of McNemar's test that accuracy did not move in the direction of `sign`."""
        gains = sign * self.gains(split)
        moved = int((gains != 0).sum())
        return float(binom.sf((gains > 0).sum() - 1, moved, 0.5)) if moved else 1.0


class Augmentation(BaseProbe):
    """The model is better on changed validation images, or knows its training images only as they were.

    A sample of both splits is changed in ways that loaders do by mistake (red and blue swapped, intensities inverted,
    grey, halved range, upside down) and in ways that keep most labels (mirrored, moved by a sixteenth, zoomed in and
    out by 10 and 25 %). Each image is compared with itself before the change. First, validation accuracy that rises by
    `min_gain` says that the model meets images prepared otherwise than in training; where training accuracy rises too,
    it is not the validation set but the way in which images are given to the model here. Second, training accuracy
    that loses `train_fall` of its knowledge by a mild change, while validation loses less than half as much, says that
    the training images are known by heart rather than by what stays when they are moved or mirrored. Chance is ruled
    out by McNemar's exact test, corrected for the number of changes (Holm). A change that costs validation much, as
    mirroring does for digits, does not keep labels and is not told.

    Why it matters: Swapped channels or another crop cost points that look like a generalisation gap, and are repaired
    in a line. A model that loses its training images by a shift of two pixels gains from augmentation.

    Source: Q. McNemar, Psychometrika 12, 1947, for the test on pairs; S. Holm, Scandinavian Journal of Statistics 6,
    1979; H. Touvron et al., Fixing the train-test resolution discrepancy, NeurIPS 2019, arXiv:1906.06423, for zoom; C.
    Shorten and T. M. Khoshgoftaar, A survey on Image Data Augmentation for Deep Learning, Journal of Big Data 6, 2019.
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
        ask = Asker(examined.predict, t.budget_s)
        ask.warm_up(val.images)
        changes = changes_for(val.images.shape)
        n = max(ask.affordable(2 * t.max_images * (len(changes) + 1)) // (2 * (len(changes) + 1)), 10)
        splits = {"validation": val, "training": train}
        chosen = {name: some(sample, min(n, t.max_images), rng) for name, sample in splits.items()}
        tried = _asked(ask, splits, chosen, changes, progress)
        known = {name: _known(sample.labels[chosen[name]], tried[0].before[name]) for name, sample in splits.items()}
        outcome, told = self._judged(tried, known, rng)
        pictures = (_picture(told, val.images[chosen["validation"][0]], changes, self.code),) if told else ()
        return Probed(outcome, pictures)

    def _judged(
        self, tried: list[Tried], known: dict[str, float], rng: np.random.Generator
    ) -> tuple[Outcome, list[Tried]]:
        t = self.thresholds
        better = [x for x in _holm(tried, "validation", 1, t.significance) if x.gain("validation") >= t.min_gain]
        better.sort(key=lambda x: -x.gain("validation"))
        evidence = _evidence(tried, better, rng)
        if better:
            gain = better[0].gain("validation")
            return self.outcome(
                "issue",
                _mismatch(better, self.thresholds),
                severity=severity_of(gain, t.high_gain / 2, t.high_gain),
                confidence=confidence_from(np.log(gain / t.min_gain)),
                evidence=evidence,
            ), better
        if fragile := self._fragile(tried, known):
            fall = -fragile[0].gain("training") / known["training"]
            return self.outcome(
                "issue",
                _unlearned(fragile),
                severity="low",
                confidence=confidence_from(np.log(fall / t.train_fall)),
                evidence=_evidence(tried, fragile, rng),
            ), fragile
        best = max(tried, key=lambda x: x.gain("validation"))
        text = (
            f"No change makes the model better on {len(best.before['validation'])} validation images (the best, "
            f"{best.name}, {best.gain('validation') * 100:+.1f} points), and mild ones keep its training images."
        )
        margin = float(np.log(max(best.gain("validation"), 1e-3) / t.min_gain))
        return self.outcome("passed", text, confidence=confidence_from(min(margin, 0.0)), evidence=evidence), []

    def _fragile(self, tried: list[Tried], known: dict[str, float]) -> list[Tried]:
        """Mild changes that cost much of the training accuracy and little of that of validation."""
        t = self.thresholds
        if min(known.values()) < t.min_known:
            return []
        mild = [x for x in tried if x.name in MILD]
        found = []
        for change in _holm(mild, "training", -1, t.significance):
            train, val = (-change.gain(split) / known[split] for split in ("training", "validation"))
            if train >= t.train_fall and val <= t.val_share * train:
                found.append(change)
        return sorted(found, key=lambda x: x.gain("training"))


def _asked(
    ask: Asker,
    splits: dict[str, Sample],
    chosen: dict[str, np.ndarray],
    changes: dict[str, Change],
    progress: Progress,
) -> list[Tried]:
    steps = Steps(progress, len(changes) + 1)

    def right(change: Change | None) -> dict[str, np.ndarray]:
        found = {}
        for name, sample in splits.items():
            images = sample.images[chosen[name]]
            changed = images if change is None else np.ascontiguousarray(change(images))
            found[name] = ask(changed).argmax(axis=1) == sample.labels[chosen[name]]
        return found

    before, tried = right(None), []
    steps.done("unchanged")
    for name, change in changes.items():
        tried.append(Tried(name, before, right(change)))
        steps.done(name)
    return tried


def _known(labels: np.ndarray, right: np.ndarray) -> float:
    """Accuracy above that of naming the most frequent class."""
    return float(right.mean() - np.bincount(labels).max() / len(labels))


def _holm(tried: list[Tried], split: str, sign: int, significance: float) -> list[Tried]:
    """The changes that move accuracy in one direction beyond chance, corrected for their number."""
    kept: list[Tried] = []
    for change in sorted(tried, key=lambda x: x.chance(split, sign)):
        if change.chance(split, sign) > significance / (len(tried) - len(kept)):
            break
        kept.append(change)
    return kept


def _evidence(tried: list[Tried], first: list[Tried], rng: np.random.Generator) -> list[Evidence]:
    """Differences of accuracy by each change, those in `first` in front; then how many images."""
    items = []
    for change in [*first, *(x for x in tried if x not in first)]:
        for split in ("validation", "training"):
            low, high = mean_interval(change.gains(split), rng)
            items.append(
                Evidence(
                    name="accuracy_change",
                    value=change.gain(split),
                    unit="fraction",
                    source=f"{change.name}, {split}",
                    low=low,
                    high=high,
                )
            )
    for split, right in tried[0].before.items():
        items.append(Evidence(name="accuracy_before", value=float(right.mean()), unit="fraction", source=split))
        items.append(Evidence(name="images_changed", value=len(right), unit="images", source=split))
    return items


def _mismatch(better: list[Tried], t: AugmentationThresholds) -> str:
    first = better[0]
    val, train = first.gain("validation"), first.gain("training")
    before = first.before["validation"].mean()
    what = "prepared otherwise than in training" if first.name in LOADER else "of another size or side than in training"
    where = (
        "training images gain too, so that it is how images are given to the model here"
        if train >= t.min_gain
        else f"training images do not ({train * 100:+.1f}), so that it is the validation images"
    )
    return (
        f"Validation images seem to be {what}: {first.name} raises accuracy from {percent(before, 1)} to "
        f"{percent(before + val, 1)} on {len(first.before['validation'])} of them; {where}."
    )


def _unlearned(fragile: list[Tried]) -> str:
    first = fragile[0]
    train, val = first.before["training"].mean(), first.gain("validation")
    return (
        f"Training images are known as they are and not when changed: {first.name} lowers training accuracy from "
        f"{percent(train, 1)} to {percent(train + first.gain('training'), 1)} on {len(first.before['training'])} "
        f"images, and changes validation accuracy by {val * 100:+.1f} points."
    )


def _picture(told: list[Tried], image: np.ndarray, changes: dict[str, Change], code: str) -> Picture:
    shown = told[:5]
    images = [image, *(np.ascontiguousarray(changes[change.name](image[None]))[0] for change in shown)]
    words = [f"{change.name}: {change.gain('validation') * 100:+.1f} points" for change in shown]
    return contact_sheet(
        images,
        ["as it is", *words],
        title="What changes do to accuracy",
        caption="A validation image, changed, and what the change does to validation accuracy.",
        code=code,
    )
