"""OVF410: two sets that a classifier can tell apart by features of their images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.data.set_classifier import Classified, classify_sets, group_shares
from copilot.core.data.two_samples import Strata, strata
from copilot.core.findings import Evidence, Outcome

Names = tuple[str, str]


class EmbeddingDriftThresholds(Thresholds):
    """How well the classifier must tell the sets apart to count."""

    alpha: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm.")
    moved: float = Field(0.55, gt=0.5, lt=1, description="Area under the ROC curve from which sets count as apart.")
    medium: float = Field(0.65, gt=0.5, lt=1, description="Area of medium severity.")
    high: float = Field(0.8, gt=0.5, lt=1, description="Area of high severity.")
    ridge: float = Field(0.3, gt=0, description="Added to the eigenvalues of the features' correlation matrix.")
    permutations: int = Field(499, ge=99, description="Permutations of the test.")
    images: int = Field(2000, ge=50, description="Images of each set at most, a sample by content.")
    min_images: int = Field(50, ge=20, description="Images that each set needs.")


@dataclass(frozen=True)
class MovedEmbeddings:
    """What `EmbeddingDrift.find` found. ``classified`` is None where there are too few images.

    ``features`` says what the features are; ``groups`` how many there are of each kind, in order.
    """

    classified: Classified | None
    strata: Strata
    images: tuple[int, int]
    names: Names
    features: str
    groups: Mapping[str, int]


class EmbeddingDrift(BaseCheck):
    """A classifier can tell which of two sets an image is from, by features of images of the same class.

    The features are those of the person's model where one is given, else of a network whose weights lie on disk, else
    classical ones (edges, layout, colours, texture). They are centred in each class, so that other shares of the
    classes do not count. A linear discriminant with a ridge is fitted to four fifths of the images and asked about the
    rest; the share of pairs, one image of each set, that it puts in the right order is the area under the ROC curve:
    0.5 where the sets are alike, 1 where they can be told apart without fail. The p-value permutes which set an image
    is from, within its class. For classical features it is said which kind of them tells the sets apart.

    Why it matters: What a linear classifier can tell apart, a network sees too. Its score on the second set then
    measures something else than its score on the first, and a gap between them need not be overfitting.

    Source: S. Rabanser, S. Günnemann and Z. C. Lipton, Failing Loudly, NeurIPS 2019, arXiv:1810.11953; D. Lopez-Paz and
    M. Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017, arXiv:1610.06545; E. R. DeLong et al., Biometrics 44,
    1988, and C. Nadeau and Y. Bengio, Machine Learning 52, 2003, for the interval. Limits are this project's own;
    `benchmarks/drift.py` measures them on planted shifts.

    When it is wrong: Features of a model that was trained on the first set differ on any other, since it has seen these
    images: take features of another network to compare the data. Small changes that no one sees, such as another
    compression or resizing, are told as well. Images in groups (frames of a video) make chance look sure. Two sets that
    differ in how much they vary, and not on average, are told apart poorly.
    """

    code = "OVF410"
    title = "Embeddings that moved"
    name: ClassVar[str] = "embedding_drift"
    scope: ClassVar[str] = "images"
    Thresholds = EmbeddingDriftThresholds

    def find(
        self,
        a: np.ndarray,
        b: np.ndarray,
        labels_a: np.ndarray,
        labels_b: np.ndarray,
        names: Names = ("training", "validation"),
        *,
        features: str = "features of the images",
        groups: Mapping[str, int] | None = None,
        seed: int = 0,
    ) -> MovedEmbeddings:
        """Fit the classifier.

        Parameters
        ----------
        a, b : ndarray of float, shape (n_a, d) and (n_b, d)
            Features; `a` is the reference.
        labels_a, labels_b : ndarray of int, shape (n_a,) and (n_b,)
            Of the same classes; below 0 where there is none.
        names : (str, str)
            What the sets are called in sentences.
        features : str
            What the features are, for a sentence.
        groups : mapping of str to int, optional
            Kinds of features in order, with how many there are of each.
        seed : int, default 0
        """
        limits = self.thresholds
        pairs = strata(labels_a, labels_b)
        images = (int((pairs.a >= 0).sum()), int((pairs.b >= 0).sum()))
        found = None
        if min(images) >= limits.min_images:
            options = {"ridge": limits.ridge, "permutations": limits.permutations, "seed": seed}
            found = classify_sets(a, b, pairs, **options)
        return MovedEmbeddings(found, pairs, images, names, features, groups or {})

    def judge(self, found: MovedEmbeddings) -> Outcome:
        """The outcome of what `find` found."""
        limits, result = self.thresholds, found.classified
        if result is None:
            few = f"There are {found.images[0]:,} and {found.images[1]:,} images to compare"
            return self.outcome("not_applicable", f"{few}; {limits.min_images} are needed of each.")
        auc, low, high = (round(value, 4) for value in (result.auc, result.low, result.high))
        evidence = [
            Evidence(name="domain_auc", value=auc, low=low, high=high),
            Evidence(name="p_value", value=round(result.p_value, 6)),
            Evidence(name="images_compared", value=sum(found.images), unit="images"),
            Evidence(name="features", value=found.features),
        ]
        of = " of the same class" if found.strata.matched else ""
        told = (
            f"a linear classifier on {found.features} finds which of two images{of} is from {found.names[1]} in "
            f"{percent(result.auc, 1)} of pairs (95 % interval {percent(result.low, 1)} to {percent(result.high, 1)}; "
            "50 % is chance)"
        )
        if result.p_value > limits.alpha or result.auc < limits.moved:
            margin = math.log(max((limits.high - 0.5) / max(result.high - 0.5, 1e-3), 1.0))
            words = f"The images of {found.names[0]} and of {found.names[1]} cannot be told apart: {told}."
            return self.outcome("passed", words, confidence=confidence_from(margin), evidence=evidence)
        kinds = self._kinds(found, result)
        evidence += [Evidence(name=f"share_of_{_key(k)}", value=round(v, 4), unit="fraction") for k, v in kinds.items()]
        by = ", ".join(f"{kind} ({percent(share)})" for kind, share in list(kinds.items())[:2] if share >= 0.1)
        return self.outcome(
            "issue",
            f"The images of {found.names[0]} and of {found.names[1]} can be told apart: {told}."
            + (f" What tells them apart is mostly {by}." if by else ""),
            severity=severity_of(result.auc, limits.medium, limits.high),
            confidence=confidence_from(math.log((result.auc - 0.5) / (limits.moved - 0.5)) + 1),
            evidence=evidence,
        )

    def _kinds(self, found: MovedEmbeddings, result: Classified) -> dict[str, float]:
        """Kinds of features by their share in the classifier's mean difference, the largest first."""
        if sum(found.groups.values()) != len(result.parts):
            return {}
        shares = dict(zip(found.groups, group_shares(result.parts, list(found.groups.values())), strict=True))
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _key(kind: str) -> str:
    return kind.split()[0]
