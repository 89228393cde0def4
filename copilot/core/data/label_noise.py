"""OVF403: labels that are wrong, how many, and which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.data.noise_model import NoiseFit
from copilot.core.findings import Evidence, Outcome

_SPLITS = {"train": "training", "val": "validation"}


class LabelNoiseThresholds(Thresholds):
    """How many wrong labels matter, and how well they must be told."""

    rate: float = Field(0.02, ge=0, lt=1, description="Share of wrong labels, by the interval's low end, that counts.")
    medium_rate: float = Field(0.08, gt=0, lt=1, description="Share of wrong labels of medium severity.")
    high_rate: float = Field(0.2, gt=0, lt=1, description="Share of wrong labels of high severity.")
    doubt: float = Field(
        0.2,
        ge=0,
        description="Part of the true classes that the classifier cannot tell by which the rate may be off either way.",
    )
    widest: float = Field(
        0.1, gt=0, le=1, description="Half width of the interval beyond which the rate is not told as a number."
    )
    suspicion: float = Field(
        0.5, gt=0, lt=1, description="Probability of a wrong label from which an image is counted as suspicious."
    )
    min_images: int = Field(200, ge=20, description="Images below which nothing is judged.")


@dataclass(frozen=True)
class SplitNoise:
    """What was estimated on the images of one set.

    Attributes
    ----------
    split : {"train", "val"}
    places : ndarray of int64, shape (n,)
        Which images of the set.
    labels : ndarray of int64, shape (n,)
    suggested : ndarray of int64, shape (n,)
        The likeliest other class.
    suspicion : ndarray of float64, shape (n,)
        Probability that the label is wrong.
    bias, spread : float
        What refits to labels drawn from the model overstate the rate by, and the standard deviation of their rates.
    fit : NoiseFit
        It may cover images of other sets too.
    source : str
        Whose predictions were used.
    confident_rate : float
        Confident learning's own estimate on the same predictions, to compare.
    """

    split: str
    places: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    suspicion: np.ndarray
    bias: float
    spread: float
    fit: NoiseFit
    source: str
    confident_rate: float

    def rate(self) -> float:
        """Share of wrong labels in this set, without the bias."""
        return float(np.clip(self.suspicion.mean() - self.bias, 0.0, 1.0))

    def interval(self, doubt: float) -> tuple[float, float]:
        """Bounds of the rate: chance, fits that are as good, and what the classifier cannot tell."""
        rate = self.rate()
        chance = 1.96 * math.hypot(self.spread, math.sqrt(max(rate * (1 - rate), 1e-4) / len(self.labels)))
        half = chance + doubt * (1 - self.fit.sharpness)
        low, high = self.fit.rate - self.fit.lowest, self.fit.highest - self.fit.rate
        return max(rate - half - low, 0.0), min(rate + half + high, 1.0)


class LabelNoise(BaseCheck):
    """Labels are wrong, so that a model that fits them all learns by heart what it cannot learn by rule.

    Each image gets class probabilities from a classifier that has not seen it with its label: by cross-validation on
    classical features (edges, layout, colours, texture) or embeddings that were given, or from held-out predictions.
    Confident learning counts how often a class is confidently taken for another; these counts start a model of the
    labels in which a true class, told by the classifier as well as it can, becomes the given label with the transition
    probabilities that make the labels likeliest. It says for each image how probable it is that its label is wrong,
    and which class it may be. The share of wrong labels is corrected by what the same procedure finds on labels that
    are drawn from the model. Its interval holds chance, other fits that are as good, and a part (`doubt`) of what the
    classifier cannot tell. Where the interval is wider than `widest` to either side, the rate is not told as a number.

    Why it matters: A network with room enough fits wrong labels too. Training accuracy then passes what the
    validation images allow, and the gap grows with each epoch in which the wrong labels are learned. Wrong validation
    labels hide which model is better.

    Source: C. G. Northcutt, L. Jiang and I. L. Chuang, Confident Learning, JAIR 70, 2021, arXiv:1911.00068, by the
    cleanlab library; J. Bootkrajang and A. Kabán, Label-Noise Robust Logistic Regression, ECML 2012, for the model of
    labels; C. Gourieroux, A. Monfort and E. Renault, Indirect Inference, Journal of Applied Econometrics 8, 1993, for
    the correction. Confident learning alone counts the mistakes of a weak classifier as wrong labels:
    `benchmarks/label_noise.py` measures both.

    When it is wrong: People mislabel the images that are hard to tell, and on these a weak classifier cannot tell a
    wrong label from a hard image; the rate is then too low or too high by several points, which the interval is to
    cover. Two classes that always look alike cannot be told from one class with wrong labels; nor can a class that is
    always mistaken for the same other one, by a classifier that has learned just that. Predictions on images that the
    model was trained on repeat their labels and must not be used.
    """

    code = "OVF403"
    title = "Label noise"
    name: ClassVar[str] = "label_noise"
    scope: ClassVar[str] = "images"
    Thresholds = LabelNoiseThresholds

    def judge(
        self, found: Sequence[SplitNoise], class_names: Sequence[str], *, why_not: str = "", notes: Sequence[str] = ()
    ) -> Outcome:
        """The outcome of what was estimated.

        Parameters
        ----------
        found : sequence of SplitNoise
            Of sets that could be estimated.
        class_names : sequence of str
            Cleaned for showing.
        why_not : str
            Why there is nothing, where `found` is empty.
        notes : sequence of str
            Sentences to add, such as what was left out.
        """
        if not found:
            return self.outcome("not_applicable", why_not or "There are no class labels to judge.")
        limits = self.thresholds
        bounds = [split.interval(limits.doubt) for split in found]
        worst = max(range(len(found)), key=lambda i: (bounds[i][0], found[i].rate()))
        low, rate = bounds[worst][0], found[worst].rate()
        evidence = [item for split, bound in zip(found, bounds, strict=True) for item in self._counts(split, bound)]
        evidence += _mistaken(found[worst], class_names)
        words = [self._sentence(split, bound) for split, bound in zip(found, bounds, strict=True)]
        words += [_most(found[worst], class_names) if low > limits.rate else "", *notes]
        issue = low > limits.rate
        margin = math.log(max(low, 1e-6) / max(limits.rate, 1e-6)) if issue else max(limits.rate - rate, 0) * 20
        return self.outcome(
            "issue" if issue else "passed",
            " ".join(filter(None, words)),
            severity=severity_of(rate, limits.medium_rate, limits.high_rate) if issue else "none",
            confidence=confidence_from(margin),
            evidence=evidence,
        )

    def _sentence(self, split: SplitNoise, bound: tuple[float, float]) -> str:
        low, high = bound
        who = f"of the {_SPLITS[split.split]} labels"
        if low <= self.thresholds.rate:
            told = f"Wrong {_SPLITS[split.split]} labels cannot be told from hard images; at most {percent(high)} are."
        elif max(high - split.rate(), split.rate() - low) > self.thresholds.widest:
            told = f"Between {percent(low)} and {percent(high)} {who} are wrong; the {split.source} cannot tell closer."
        else:
            told = f"About {percent(split.rate())} {who} are wrong ({percent(low)} to {percent(high)})."
        return told

    def _counts(self, split: SplitNoise, bound: tuple[float, float]) -> list[Evidence]:
        suspicious = int((split.suspicion >= self.thresholds.suspicion).sum())
        name, source = split.split, split.source
        return [
            Evidence(
                name=f"noise_rate_{name}",
                value=round(split.rate(), 6),
                unit="fraction",
                low=round(bound[0], 6),
                high=round(bound[1], 6),
                source=source,
            ),
            Evidence(name=f"suspicious_labels_{name}", value=suspicious, unit="images", source=source),
            Evidence(
                name=f"confident_learning_rate_{name}",
                value=round(split.confident_rate, 6),
                unit="fraction",
                source=source,
            ),
            Evidence(
                name=f"classifier_sharpness_{name}",
                value=round(split.fit.sharpness, 6),
                unit="fraction",
                source=source,
            ),
            Evidence(name=f"labels_judged_{name}", value=len(split.labels), unit="images", source=source),
        ]


def _pairs(split: SplitNoise, most: int = 5) -> list[tuple[int, int, float]]:
    """True class, label and share of the true class's images, those first that concern the most images."""
    size = split.fit.true.mean(0)[:, None] * split.fit.transition
    np.fill_diagonal(size, 0)
    places = np.stack(np.unravel_index(np.argsort(-size, axis=None, kind="stable")[:most], size.shape), 1).tolist()
    return [(i, j, float(split.fit.transition[i, j])) for i, j in places if i != j]


def _mistaken(split: SplitNoise, class_names: Sequence[str]) -> list[Evidence]:
    return [
        Evidence(
            name="labelled_as", value=round(share, 6), unit="fraction", source=f"{class_names[i]} -> {class_names[j]}"
        )
        for i, j, share in _pairs(split)
        if share >= 0.005
    ]


def _most(split: SplitNoise, class_names: Sequence[str]) -> str:
    pairs = _pairs(split, 1)
    if not pairs:
        return ""
    i, j, share = pairs[0]
    return f"The most frequent mistake: {percent(share)} of {class_names[i]} are labelled {class_names[j]}."
