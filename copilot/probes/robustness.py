"""OVF306: how much of its accuracy the model loses when images are changed as cameras and web pages change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome, Picture
from copilot.probes.asking import Asker, batch_size, mean_interval, some
from copilot.probes.base import BaseProbe, Examined, Probed, Progress, Steps
from copilot.probes.corruptions import CORRUPTIONS, STRENGTHS, corrupted
from copilot.probes.sheets import contact_sheet

_MILD = 2  # strengths up to this are everyday


class RobustnessThresholds(Thresholds):
    """Losses are shares of what the model knew: its accuracy above that of always naming the most frequent class."""

    mild_loss: float = Field(0.15, gt=0, lt=1, description="Mean loss at strengths 1 and 2 that counts.")
    high_loss: float = Field(0.4, gt=0, lt=1, description="Mean loss at strengths 1 and 2 of high severity.")
    fragile_loss: float = Field(0.333, gt=0, lt=1, description="Loss by which a corruption is said to break the model.")
    min_known: float = Field(0.1, gt=0, lt=1, description="Accuracy above guessing below which nothing can be lost.")
    max_images: int = Field(400, ge=30, description="Validation images that are corrupted, at most.")
    budget_s: float = Field(180.0, gt=0, description="Seconds that the probe may take; fewer images are asked if less.")


@dataclass(frozen=True)
class Falls:
    """What was measured: whether each image was right, bool of shape (corruptions, strengths, n), and before, (n,)."""

    right: np.ndarray
    before: np.ndarray
    known: float
    strengths: tuple[int, ...]
    wanted: int  # images that were to be asked about; more than n where the budget cut them

    @property
    def each(self) -> str:
        """Of what the numbers are, for their sources: the images, and of how many where time cut them."""
        n = len(self.before)
        return f"validation, {n} images" if n == self.wanted else f"validation, {n} of {self.wanted} images"

    @property
    def strengths_told(self) -> str:
        if self.strengths == STRENGTHS:
            return f"strengths {STRENGTHS[0]} to {STRENGTHS[-1]}"
        return f"strengths {', '.join(map(str, self.strengths[:-1]))} and {self.strengths[-1]}"

    @property
    def losses(self) -> np.ndarray:
        """Share of the knowledge that each image's change costs, shape (corruptions, strengths, n)."""
        return (self.before[None, None].astype(float) - self.right) / self.known

    @property
    def mild(self) -> np.ndarray:
        """Mean loss of each image at mild strengths, shape (corruptions, n)."""
        chosen = [i for i, strength in enumerate(self.strengths) if strength <= _MILD]
        return self.losses[:, chosen].mean(axis=1)


class Robustness(BaseProbe):
    """Mild changes of the image cost the model much of its accuracy.

    A sample of the validation images is changed by Gaussian noise, blur, brightness, contrast, JPEG compression, small
    shifts and small rotations in five strengths each, and the model is asked again. The loss is what accuracy falls,
    as a share of the accuracy above that of naming the most frequent class. It counts when the mean loss over all
    corruptions at strengths 1 and 2 is beyond `mild_loss`, or when one corruption costs `fragile_loss` at those
    strengths, each with the lower end of its interval beyond half of the limit. Intervals are bootstrapped over
    images, each compared with itself. For each corruption the first strength is told at which `fragile_loss` is lost.
    Where the model is too slow for `budget_s`, fewer images and then strengths 1, 2 and 4 alone are asked about; the
    summary and the sources then say so.

    Why it matters: Validation images that were taken, cut and compressed like the training images hide a model that
    has learned these very pixels. The next camera, a phone's compression or a shift by two pixels shows it.

    Source: D. Hendrycks and T. Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations, ICLR 2019, arXiv:1903.12261, for the corruptions and the mean over them; A. Azulay and Y. Weiss, Why
    do deep convolutional networks generalize so poorly to small image transformations?, JMLR 20, 2019,
    arXiv:1805.12177, for shifts; B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993. The strengths and
    the limits are this project's own.

    When it is wrong: A change may take away what the class is: brightness where classes differ by it, a rotation where
    direction is the label, blur where texture is all there is. Strengths follow the size that the model takes, not
    that of the camera: an image that was made much smaller beforehand has lost its noise already. A model that is
    asked about few images has wide intervals, and small losses are then not told.
    """

    code = "OVF306"
    title = "Robustness to common corruptions"
    name = "robustness"
    needs = "predict"
    Thresholds = RobustnessThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        val, t = examined.val, self.thresholds
        if val.images is None or len(val) < 10:
            return Probed(self.outcome("not_applicable", "Ten validation images or more are needed."))
        rng = np.random.default_rng([examined.seed, 306])
        ask = Asker(examined.predict, t.budget_s)
        ask.warm_up(val.images)
        wanted = some(val, t.max_images, rng)
        chosen, strengths = _plan(ask, wanted, rng)
        images, labels = val.images[chosen], val.labels[chosen]
        before = ask(images).argmax(axis=1) == labels
        known = float(before.mean() - np.bincount(labels).max() / len(labels))
        if known < t.min_known:
            text = f"The model is right on {percent(before.mean())} of {len(chosen)} images: too little to lose any."
            return Probed(self.outcome("not_applicable", text))
        right = _asked(ask, images, labels, strengths, examined.seed, progress)
        falls = Falls(right, before, known, strengths, len(wanted))
        outcome = self._judged(falls, rng)
        return Probed(outcome, (_picture(falls, images, examined.seed, self.code),) if outcome.state == "issue" else ())

    def _judged(self, falls: Falls, rng: np.random.Generator) -> Outcome:
        t, names = self.thresholds, list(CORRUPTIONS)
        loss, low = float(falls.mild.mean()), mean_interval(falls.mild.mean(axis=0), rng)[0]
        by_name = falls.mild.mean(axis=1)
        lows = np.array([mean_interval(values, rng)[0] for values in falls.mild])
        breaking = [i for i in np.argsort(-by_name) if by_name[i] >= t.fragile_loss and lows[i] >= t.fragile_loss / 2]
        evidence = self._evidence(falls, rng)
        worst = [names[i] for i in (breaking or np.argsort(-by_name)[:1])]
        text = _summary(falls, loss, worst, [by_name[names.index(name)] for name in worst]) + self._cut(falls)
        wide = loss >= t.mild_loss and low >= t.mild_loss / 2
        margin = max(loss / t.mild_loss, by_name.max() / t.fragile_loss, 1e-3)
        if not wide and not breaking:
            return self.outcome("passed", text, confidence=confidence_from(min(np.log(margin), 0.0)), evidence=evidence)
        severity = severity_of(loss, t.high_loss / 2, t.high_loss)
        return self.outcome(
            "issue", text, severity=severity, confidence=confidence_from(max(np.log(margin), 0.0)), evidence=evidence
        )

    def _evidence(self, falls: Falls, rng: np.random.Generator) -> list[Evidence]:
        n, each = len(falls.before), falls.each
        mean = falls.right.mean(axis=(0, 1))
        items = [
            _number("mean_corruption_accuracy", mean, f"{each}, {falls.strengths_told}", rng),
            _number("mild_loss", falls.mild.mean(axis=0), each, rng),
            _number("accuracy_before", falls.before.astype(float), each, rng),
            Evidence(name="images_corrupted", value=n, unit="images", source="validation"),
        ]
        for name, values, losses in zip(CORRUPTIONS, falls.right, falls.losses.mean(axis=2), strict=True):
            fall = falls.before.astype(float) - values.mean(axis=0)
            items.append(_number("accuracy_fall", fall, f"{name}, {each}", rng))
            lost = [s for s, loss in zip(falls.strengths, losses, strict=True) if loss >= self.thresholds.fragile_loss]
            if lost:
                source = f"{name}, loss of {percent(self.thresholds.fragile_loss)}, {each}"
                items.append(Evidence(name="breaks_at_strength", value=lost[0], unit="strength of 5", source=source))
        return items

    def _cut(self, falls: Falls) -> str:
        """What the budget left out, in a sentence; empty where it allowed all."""
        n = len(falls.before)
        if n == falls.wanted and falls.strengths == STRENGTHS:
            return ""
        images = f"{n} of {falls.wanted} images"
        return f" The {self.thresholds.budget_s:g} s of `budget_s` allowed {images} at {falls.strengths_told}."


def _plan(ask: Asker, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    """Which images and strengths fit into the time: fewer images first, down to 60, then strengths 1, 2 and 4 alone."""
    for strengths in (STRENGTHS, (1, 2, 4)):
        n = ask.fitting(len(rows), len(CORRUPTIONS) * len(strengths) + 1)
        if n >= min(60, len(rows)):
            break
    return np.sort(rng.permutation(rows)[:n]), strengths


def _asked(
    ask: Asker, images: np.ndarray, labels: np.ndarray, strengths: tuple[int, ...], seed: int, progress: Progress
) -> np.ndarray:
    """Whether each changed image is right, bool of shape (corruptions, strengths, n)."""
    step = batch_size(images)
    starts = range(0, len(images), step)
    jobs = [(name, strength, i) for name in CORRUPTIONS for strength in strengths for i in starts]
    steps = Steps(progress, len(CORRUPTIONS) * len(strengths))
    right = []

    def batches() -> Iterator[np.ndarray]:
        for name, strength, i in jobs:
            yield corrupted(images[i : i + step], name, strength, seed + i)

    for (name, strength, i), answer in zip(jobs, ask.each(batches()), strict=True):
        right.append(answer.argmax(axis=1) == labels[i : i + step])
        if i == starts[-1]:
            steps.done(f"{name}, strength {strength}")
    return np.concatenate(right).reshape(len(CORRUPTIONS), len(strengths), len(images))


def _number(name: str, values: np.ndarray, source: str, rng: np.random.Generator) -> Evidence:
    low, high = mean_interval(values, rng)
    return Evidence(name=name, value=float(values.mean()), unit="fraction", source=source, low=low, high=high)


def _summary(falls: Falls, loss: float, worst: list[str], losses: list[float]) -> str:
    told = " and ".join(f"{name} {percent(value)}" for name, value in list(zip(worst, losses, strict=True))[:3])
    return (
        f"Accuracy is {percent(falls.before.mean(), 1)} on {len(falls.before)} validation images and "
        f"{percent(falls.right.mean(), 1)} on the mean over their corruptions ({falls.strengths_told}). Mild ones "
        f"(strengths 1 and 2) cost {percent(loss)} of what the model knew; the worst: {told}."
    )


def _picture(falls: Falls, images: np.ndarray, seed: int, code: str) -> Picture:
    """One image that is right before, under each corruption at strength 2, with the accuracy there."""
    i = int(np.argmax(falls.before * (falls.right.shape[1] - falls.right.mean(axis=(0, 1)))))
    at = falls.strengths.index(_MILD)
    shown = [images[i], *(corrupted(images[i : i + 1], name, _MILD, seed)[0] for name in CORRUPTIONS)]
    shares = [falls.before.mean(), *falls.right[:, at].mean(axis=1)]
    words = [f"{name}: {percent(share)}" for name, share in zip(["unchanged", *CORRUPTIONS], shares, strict=True)]
    return contact_sheet(
        shown,
        words,
        title="Mild corruptions and what they leave",
        caption="A validation image at strength 2 of 5, and the share of the asked images that are right there.",
        code=code,
        columns=4,
    )
