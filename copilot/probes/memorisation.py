"""OVF303: whether the losses of images tell which of them the model was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # its parts load when first used
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Picture
from copilot.core.statistics import wilson_interval
from copilot.probes.base import BaseProbe, Examined, Predict, Probed, Progress, Sample
from copilot.probes.samples import cannot_judge, class_word, number, unknown_certainty, unknown_classes
from copilot.probes.sheets import contact_sheet

_Z = 1.96
_SHEET, _PER_CLASS, _ASKED = 18, 3, 300  # images shown, of one class, and asked about
_MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))


class MemorisationThresholds(Thresholds):
    """The area is the chance that a training image has a lower loss than a validation image of its class."""

    sure: float = Field(0.55, gt=0.5, lt=1, description="The lower end of the area's interval must lie above this.")
    medium: float = Field(0.65, gt=0.5, lt=1, description="Area of medium severity.")
    high: float = Field(0.8, gt=0.5, lt=1, description="Area of high severity.")


@dataclass(frozen=True)
class Separation:
    """How well losses tell training images from validation images of the same class.

    ``area`` is the area under the ROC curve, ``low`` and ``high`` its 95 % interval; ``n_train`` and ``n_val`` count
    the images of the classes that both splits have.
    """

    area: float
    low: float
    high: float
    n_train: int
    n_val: int
    classes: int


class Memorisation(BaseProbe):
    """The loss of an image tells whether the model was trained on it.

    Membership inference by the loss: the area under the ROC curve, which is the chance that a training image drawn at
    random has a lower loss than a validation image of the same class; 0.5 where the model treats both alike. It is
    taken class by class and averaged with the weights of van Elteren's test, so that splits with another mix of
    classes do not look memorised. Equal losses count half. The 95 % interval is DeLong's within each class. An issue
    is an interval that lies above `sure`.

    The picture shows the training images that look learned by heart most, among those that the model is right about.
    Where the model can be asked, these lose most of their label's probability, on average, when the image is moved by
    one pixel to each side: what was understood bears that. Where only predictions were given, they are those that it
    is least sure of, which are learned last. At most three of a class are shown.

    Why it matters: A model that knows its training images one by one has spent its capacity on them; what it shows on
    them says little about others. Who can query it can also learn whether a given image was in the training set,
    which matters where images are of people.

    Source: S. Yeom et al., Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting, CSF 2018,
    arXiv:1709.01604, for the loss as the sign; E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Comparing the
    Areas under Two or More Correlated ROC Curves, Biometrics 44, 1988; P. van Elteren, On the Combination of
    Independent Two Sample Tests of Wilcoxon, Bulletin of the ISI 37, 1960; V. Feldman and C. Zhang, What Neural
    Networks Memorize and Why, NeurIPS 2020, arXiv:2008.03703, for memorising image by image; D. Arpit et al.,
    A Closer Look at Memorization in Deep Networks, ICML 2017, arXiv:1706.05394, for what is learned last. The limits
    are this project's own: `benchmarks/memorisation.py` finds areas of .47 to .53 on healthy networks, whose intervals
    end by .56, of .66 where accuracy falls by 25 points from training to validation, and of .91 to .94 on networks
    trained far too long.

    When it is wrong: Validation images from another source have higher losses without any memorising. Near-duplicates
    across the splits hide it. The loss is a weak sign: attacks with reference models (N. Carlini et al.,
    arXiv:2112.03570) find members where this area is near 0.5, so that a pass is no proof of privacy. The images
    shown are likely, not proven: an image at the edge of its class falls with a small move too. Predictions that hold
    only classes, or only the confidence in one, have no losses and are not judged.
    """

    code = "OVF303"
    title = "Memorisation"
    name = "memorisation"
    aliases: ClassVar[dict[str, str]] = {}
    Thresholds = MemorisationThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        if why := cannot_judge(examined):
            return Probed(self.outcome("not_applicable", why))
        if why := unknown_certainty(examined):
            return Probed(self.outcome("not_applicable", why))
        found = separation(examined.train, examined.val)
        if found is None:
            return Probed(self.outcome("not_applicable", "No class has two images or more in both splits."))
        t = self.thresholds
        issue = found.low > t.sure
        outcome = self.outcome(
            "issue" if issue else "passed",
            " ".join(filter(None, (self._words(found, issue), unknown_classes(examined)[1]))),
            severity=severity_of(found.area, t.medium, t.high) if issue else "none",
            confidence=confidence_from((found.low - t.sure) / max(found.high - found.low, 1e-3)),
            evidence=[
                number(self.name, "membership_auc", found.area, "", (found.low, found.high)),
                number(self.name, "train_loss", float(examined.train.losses.mean()), "nats"),
                number(self.name, "val_loss", float(examined.val.losses.mean()), "nats"),
                number(self.name, "train_images", found.n_train, "images"),
                number(self.name, "val_images", found.n_val, "images"),
                number(self.name, "classes_compared", found.classes, "classes"),
            ],
        )
        return Probed(outcome, _sheet(examined, self.code, progress) if issue else ())

    def _words(self, found: Separation, issue: bool) -> str:
        chance = f"{percent(found.area, 1)} ({found.low * 100:.1f} to {found.high * 100:.1f})"
        told = f"A training image has a lower loss than a validation image of its class with a chance of {chance}"
        if issue:
            return (
                f"{told}: the model knows images that it was trained on. A chance of 50 % would say that it does not."
            )
        limit = f"{self.thresholds.sure * 100:g} %"
        if found.low > 0.5:
            return f"{told}: more than the 50 % of a model that treats both alike, but not surely above {limit}."
        if found.high < 0.5:
            return (
                f"{told}: less than the 50 % of a model that treats both alike, so that training images are the harder "
                "ones. That is no memorisation; wrong labels, or heavy augmentation that these images have too, do it."
            )
        return f"{told}: not to be told from the 50 % of a model that treats both alike."


def separation(train: Sample, val: Sample) -> Separation | None:
    """The stratified area under the ROC curve of the loss, with its interval; None where no class can be compared.

    Classes need two images in each split, since DeLong's variance does. Where the losses of the splits do not overlap
    at all that variance is 0, and Wilson's interval over the smaller split stands in for it.
    """
    strata = []
    losses_train, losses_val = train.losses, val.losses
    for index in np.intersect1d(train.labels, val.labels):
        a, b = losses_train[train.labels == index], losses_val[val.labels == index]
        if min(len(a), len(b)) >= 2:
            strata.append((len(a), len(b), *_delong(a, b)))
    if not strata:
        return None
    m, n, areas, variances = (np.array(column, dtype=float) for column in zip(*strata, strict=True))
    weights = m * n / (m + n + 1)
    weights /= weights.sum()
    area, deviation = float(weights @ areas), math.sqrt(float(weights**2 @ variances))
    low, high = area - _Z * deviation, area + _Z * deviation
    if deviation == 0:
        low, high = wilson_interval(area, int(min(m.sum(), n.sum())))
    return Separation(area, max(low, 0.0), min(high, 1.0), int(m.sum()), int(n.sum()), len(strata))


def _delong(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Chance that a value of `a` is below one of `b`, equals counting half, and its variance (DeLong, by ranks)."""
    m, n = len(a), len(b)
    ranks = scipy.stats.rankdata(np.concatenate([a, b]))
    above_a = 1 - (ranks[:m] - scipy.stats.rankdata(a)) / n  # share of b above each a
    below_b = (ranks[m:] - scipy.stats.rankdata(b)) / m  # share of a below each b
    return float(above_a.mean()), float(above_a.var(ddof=1) / m + below_b.var(ddof=1) / n)


def by_heart(examined: Examined, progress: Progress = lambda fraction, line: None) -> np.ndarray:
    """How much each training image looks learned by heart, shape (n,), from -1 to 1; NaN where that is not known.

    Where the model can be asked: what the probability of the label falls by when the image is moved by a pixel, for at
    most 300 of the images it is right about. Otherwise: what that probability lacks to 1, for all it is right about.
    """
    train = examined.train
    scores, right = np.full(len(train), np.nan), np.flatnonzero(train.correct)
    if examined.predict is None or train.images is None:
        scores[right] = 1 - train.label_probabilities[right]
    elif len(right):
        asked = np.sort(np.random.default_rng(examined.seed).permutation(right)[:_ASKED])
        moved = _moved(examined.predict, train.images[asked], train.labels[asked], progress)
        scores[asked] = train.label_probabilities[asked] - moved
    return scores


def _moved(predict: Predict, images: np.ndarray, labels: np.ndarray, progress: Progress) -> np.ndarray:
    """Mean probability of the label over the images moved by one pixel to each side, edges repeated."""
    padded, (h, w) = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge"), images.shape[1:3]
    rows, said = np.arange(len(images)), []
    for step, (y, x) in enumerate(_MOVES):
        said.append(np.asarray(predict(padded[:, 1 + y : 1 + y + h, 1 + x : 1 + x + w]))[rows, labels])
        progress(0.2 + 0.2 * (step + 1), "images moved by a pixel")
    return np.mean(said, axis=0)


def _sheet(examined: Examined, code: str, progress: Progress) -> tuple[Picture, ...]:
    train = examined.train
    if train.images is None:
        return ()
    scores = by_heart(examined, progress)
    chosen = to_show(scores, train.labels)
    if not chosen:
        return ()
    captions = [
        f"{class_word(examined, int(train.labels[i]), 20)}: {_told(train.label_probabilities[i], scores[i], examined)}"
        for i in chosen
    ]
    if examined.predict is None:
        caption = "Training images that the model is right about and least sure of: learned last."
    else:
        caption = "How sure the model is of their label, and how sure when the image is moved by one pixel."
    picture = contact_sheet(
        [train.images[i] for i in chosen],
        captions,
        title="Training images that look learned by heart",
        caption=f"{caption} Wrong labels are often among them.",
        code=code,
    )
    return (picture,)


def to_show(scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """The images of the highest scores above 0, few of each class so that one hard class does not fill the sheet."""
    chosen: list[int] = []
    shown: dict[int, int] = {}
    for i in np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable"):
        label = int(labels[i])
        if scores[i] > 0 and shown.get(label, 0) < _PER_CLASS and len(chosen) < _SHEET:
            chosen.append(int(i))
            shown[label] = shown.get(label, 0) + 1
    return chosen


def _told(sure: float, score: float, examined: Examined) -> str:
    return percent(sure) if examined.predict is None else f"{percent(sure)}, moved {percent(sure - score)}"
