"""The Probe protocol: what a probe gets of a model and its images, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from copilot.core.checks.base import BaseCheck
from copilot.core.findings import Outcome, Picture

Predict = Callable[[np.ndarray], np.ndarray]
Attribute = Callable[[np.ndarray, np.ndarray], np.ndarray]
Progress = Callable[[float, str], None]
Certainty = Literal["probabilities", "confidence", "classes"]


@dataclass(frozen=True)
class Sample:
    """Images of one split with what the model says of them.

    ``images`` is uint8 of shape (n, h, w, c), in the size and channels that the model takes; None where only
    predictions were given. ``labels`` is int64 of shape (n,), an index into the class names of `Examined`.
    ``probabilities`` is
    float64 of shape (n, classes), rows sum to 1. ``names`` are cleaned for showing. ``total`` counts the images of the
    whole split, of which these are a random sample. ``certainty`` is what ``probabilities`` were made from: the model's
    own, or the predicted class with its confidence, or that class alone, which then looks certain without being so.
    """

    images: np.ndarray | None
    labels: np.ndarray
    names: tuple[str, ...]
    probabilities: np.ndarray
    total: int
    certainty: Certainty = "probabilities"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def correct(self) -> np.ndarray:
        """Whether the likeliest class is the label, bool of shape (n,)."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def label_probabilities(self) -> np.ndarray:
        """Probability of each image's label, shape (n,); 0 for labels beyond the classes that the model knows."""
        known = self.labels < self.probabilities.shape[1]
        picked = self.probabilities[np.arange(len(self)), np.where(known, self.labels, 0)]
        return np.where(known, picked, 0.0)

    @property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each image in nats, shape (n,); at most 27.6, where the label's probability is 0."""
        return -np.log(np.clip(self.label_probabilities, 1e-12, 1.0))


@dataclass(frozen=True)
class Examined:
    """A classifier and a sample of its training and validation images.

    ``predict`` takes uint8 (n, h, w, c) and gives probabilities (n, classes); None where only predictions were given.
    ``attribute`` takes images and classes (n,) and gives float64 (n, h, w): how much each pixel speaks for the class,
    by integrated gradients; None where the model has no gradients. ``module`` is the PyTorch module, if it is one.
    """

    train: Sample
    val: Sample
    class_names: tuple[str, ...]
    predict: Predict | None = None
    attribute: Attribute | None = None
    module: Any = None
    seed: int = 0


@dataclass(frozen=True)
class Probed:
    """The outcome of a probe, and pictures that show it."""

    outcome: Outcome
    pictures: tuple[Picture, ...] = ()


class Probe(Protocol):
    """Looks at a model through its images. Its docstring is its page, as that of a check (`core.checks.describe`)."""

    code: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[dict[str, str]]
    thresholds: Any
    scope: ClassVar[str]
    needs: ClassVar[str]

    def probe(self, examined: Examined, progress: Progress) -> Probed: ...


class BaseProbe(BaseCheck):
    """What every probe shares; `BaseCheck` makes its outcomes.

    ``needs`` is what it cannot do without: ``predictions`` (all have these), ``predict`` or ``module``.
    """

    scope: ClassVar[str] = "model and images"
    needs: ClassVar[str] = "predictions"
    name: ClassVar[str] = ""

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        raise NotImplementedError


@dataclass
class Steps:
    """Progress of a probe whose parts are counted: ``steps.done("3 of 40 corruptions")``."""

    progress: Progress
    total: int
    count: int = field(default=0)

    def done(self, line: str) -> None:
        self.count += 1
        self.progress(min(self.count / max(self.total, 1), 1.0), line)
