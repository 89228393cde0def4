"""OVF302: whether the model is surer of validation images than it is right, and was not so on training images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # its parts load when first used
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Picture
from copilot.core.statistics import wilson_interval
from copilot.probes.base import BaseProbe, Examined, Probed, Progress, Sample
from copilot.probes.samples import cannot_judge, class_word, number, only_guesses, unknown_certainty, unknown_classes
from copilot.probes.sheets import MOST_IMAGES, contact_sheet

_BINS, _BIN_IMAGES, _DRAWS = 15, 20, 200
_Z = 1.96


class CalibrationThresholds(Thresholds):
    """Over-confidence is mean confidence minus accuracy, on a scale of 0 to 1."""

    over: float = Field(0.05, gt=0, lt=1, description="Over-confidence on validation that counts.")
    sure: float = Field(0.02, ge=0, lt=1, description="The lower end of its interval must lie above this.")
    medium: float = Field(0.1, gt=0, lt=1, description="Over-confidence of medium severity.")
    high: float = Field(0.2, gt=0, lt=1, description="Over-confidence of high severity.")


@dataclass(frozen=True)
class _Split:
    """Calibration of one split; ``over`` is confidence minus accuracy with its 95 % interval."""

    n: int
    confidence: float
    accuracy: float
    low: float
    high: float
    nll: float

    @property
    def over(self) -> float:
        return self.confidence - self.accuracy


class Calibration(BaseProbe):
    """The model is surer of validation images than it is right.

    Confidence is the probability of the likeliest class; over-confidence is its mean minus the accuracy, with a 95 %
    interval. An issue is over-confidence on validation beyond the limit that is greater than that on training: the
    certainty was learned by heart with the images. Over-confidence that is alike on both splits is told, and is no
    issue. The expected calibration error of validation is taken over up to 15 bins of equally many images, and stands
    beside the error that a calibrated model would show by chance (95th percentile of labels drawn from the model's
    own confidence), and beside the root mean square error without its bias. The temperature is the one by which to
    divide the logits so that the loss on validation is least: above 1, the model is too sure.

    Why it matters: An overfitted classifier often keeps its accuracy while its validation loss rises: it grows sure
    of its mistakes. Thresholds and rankings built on its probabilities then fail in use. A temperature mends the
    probabilities without training; it does not mend the mistakes.

    Source: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, for the error and the
    temperature; A. Kumar, P. Liang and T. Ma, Verified Uncertainty Calibration, NeurIPS 2019, arXiv:1909.10155, for
    equally filled bins and the error without bias; J. Bröcker and L. A. Smith, Increasing the Reliability of
    Reliability Diagrams, Weather and Forecasting 22, 2007, for the error by chance; G. Y. Zou and A. Donner,
    Construction of Confidence Intervals about Effect Measures, Statistics in Medicine 27, 2008, for the interval of a
    difference. The limits are this project's own.

    When it is wrong: Label smoothing, mixup and focal loss make models less sure on purpose and hide it. Wrong labels
    in validation look like over-confidence. A temperature that was fitted on these very images makes validation look
    calibrated. Training images that the model was augmented with in other forms are a little harder than these.
    Predictions that hold only classes are not judged; of those with a confidence, losses and temperature are left out.
    """

    code = "OVF302"
    title = "Calibration"
    name = "calibration"
    aliases: ClassVar[dict[str, str]] = {}
    Thresholds = CalibrationThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        if why := cannot_judge(examined):
            return Probed(self.outcome("not_applicable", why))
        if why := only_guesses(examined):
            return Probed(self.outcome("not_applicable", why))
        if why := unknown_certainty(examined, ("probabilities", "confidence")):
            return Probed(self.outcome("not_applicable", why))
        if examined.val.probabilities.shape[1] == 1:
            return Probed(self.outcome("not_applicable", "The model knows one class: it is always sure of it."))
        train, val = _split(examined.train), _split(examined.val)
        t = self.thresholds
        high_enough = val.over >= t.over and val.low > t.sure
        issue = high_enough and _surely_more(val, train)
        unknown, unknown_words = unknown_classes(examined)
        progress(0.3, "temperature")
        whole = not unknown_certainty(examined)  # of a confidence alone, losses and what would lower them are made up
        temperature, cooled = best_temperature(examined.val, unknown) if whole else (None, math.nan)
        progress(0.6, "calibration error")
        evidence = self._evidence(examined, train, val, temperature, cooled, whole)
        words = (self._words(train, val, issue, high_enough), _mending(val, temperature, cooled), unknown_words)
        outcome = self.outcome(
            "issue" if issue else "passed",
            " ".join(filter(None, words)),
            severity=severity_of(val.over, t.medium, t.high) if issue else "none",
            confidence=confidence_from(math.log(max(val.over, 1e-3) / t.over)) if issue or not high_enough else 0.5,
            evidence=evidence,
        )
        return Probed(outcome, _most_sure_mistakes(examined, self.code))

    def _words(self, train: _Split, val: _Split, issue: bool, high_enough: bool) -> str:
        on_val = f"On validation the model is {percent(val.confidence, 1)} sure and {percent(val.accuracy, 1)} right"
        on_train = f"on training {percent(train.confidence, 1)} sure and {percent(train.accuracy, 1)} right"
        points, limit = f"{val.over * 100:.1f} points", f"the limit of {self.thresholds.over * 100:g}"
        if issue:
            return f"{on_val}, {points} too sure, beyond {limit}; {on_train}."
        if high_enough:
            return f"{on_val}, {points} too sure, but hardly less so on training: {on_train}. This is no overfitting."
        if val.over >= self.thresholds.over:
            return f"{on_val}; {val.n} images are too few to tell these {points} from none."
        if val.over < 0:
            return f"{on_val}: {-val.over * 100:.1f} points too unsure rather than too sure; {on_train}."
        return f"{on_val}: {points} too sure, within {limit}; {on_train}."

    def _evidence(
        self, examined: Examined, train: _Split, val: _Split, temperature: float | None, cooled: float, whole: bool
    ) -> list[Evidence]:
        error, chance, unbiased = calibration_errors(examined.val, examined.seed)
        made = [
            number(self.name, "val_overconfidence", val.over, "fraction", (val.low, val.high)),
            number(self.name, "train_overconfidence", train.over, "fraction", (train.low, train.high)),
            number(self.name, "val_confidence", val.confidence, "fraction"),
            number(self.name, "val_accuracy", val.accuracy, "fraction", wilson_interval(val.accuracy, val.n)),
            number(self.name, "calibration_error", error, "fraction"),
            number(self.name, "calibration_error_by_chance", chance, "fraction"),
            number(self.name, "calibration_error_unbiased", unbiased, "fraction"),
        ]
        if whole:
            made += self._losses(train, val, temperature, cooled)
        return made

    def _losses(self, train: _Split, val: _Split, temperature: float | None, cooled: float) -> list[Evidence]:
        made = [
            number(self.name, "train_nll", train.nll, "nats"),
            number(self.name, "val_nll", val.nll, "nats"),
        ]
        if temperature is None:
            return made
        return [
            *made,
            number(self.name, "temperature", temperature),
            number(self.name, "val_nll_at_temperature", cooled, "nats"),
        ]


def _split(sample: Sample) -> _Split:
    """Confidence and accuracy with the interval of their difference (Zou and Donner, from those of its two parts)."""
    sure, n = sample.probabilities.max(axis=1), len(sample)
    confidence, accuracy = float(sure.mean()), float(sample.correct.mean())
    half = _Z * float(sure.std(ddof=1)) / math.sqrt(n)
    low, high = wilson_interval(accuracy, n)
    over = confidence - accuracy
    return _Split(
        n=n,
        confidence=confidence,
        accuracy=accuracy,
        low=over - math.hypot(half, high - accuracy),
        high=over + math.hypot(half, accuracy - low),
        nll=float(sample.losses.mean()),
    )


def _surely_more(val: _Split, train: _Split) -> bool:
    """Whether over-confidence on validation is greater than on training beyond the error of both."""
    return val.over - train.over > math.hypot(val.over - val.low, train.high - train.over)


def calibration_errors(sample: Sample, seed: int = 0) -> tuple[float, float, float]:
    """Expected calibration error of the likeliest class, by chance, and root mean square without bias.

    Returns
    -------
    error : float
        Mean absolute difference of confidence and accuracy over bins of equally many images.
    by_chance : float
        Its 95th percentile over labels drawn as if the confidence were true.
    unbiased : float
        Root of the mean squared difference less its sampling variance; 0 where that is negative.
    """
    sure = sample.probabilities.max(axis=1)
    order = np.argsort(sure, kind="stable")
    bins = np.array_split(order, max(1, min(_BINS, len(order) // _BIN_IMAGES)))
    starts, sizes = np.cumsum([0, *map(len, bins)])[:-1], np.array([len(b) for b in bins])
    sorted_sure, right = sure[order], sample.correct[order].astype(float)
    weights, confidence = sizes / len(order), np.add.reduceat(sorted_sure, starts) / sizes
    accuracy = np.add.reduceat(right, starts) / sizes
    drawn = np.random.default_rng(seed).random((_DRAWS, len(order))) < sorted_sure
    by_chance = np.abs(confidence - np.add.reduceat(drawn.astype(float), starts, axis=1) / sizes) @ weights
    squares = (confidence - accuracy) ** 2 - accuracy * (1 - accuracy) / np.maximum(sizes - 1, 1)
    error = float(np.abs(confidence - accuracy) @ weights)
    return error, float(np.percentile(by_chance, 95)), math.sqrt(max(0.0, float(squares @ weights)))


def best_temperature(sample: Sample, unknown: np.ndarray) -> tuple[float | None, float]:
    """The temperature of least loss, from 0.05 to 20, and that loss in nats.

    The logits are the logarithms of the probabilities, which are the same up to a constant. None where the model knows
    no label, or is right (or wrong) on every image, so that no temperature is best. Images of the classes in `unknown`
    (shape (k,)) have no part in the fit.
    """
    known = np.flatnonzero(~np.isin(sample.labels, unknown))
    if not len(known) or sample.correct[known].all() or not sample.correct[known].any():
        return None, float(sample.losses.mean())
    logits = np.log(np.clip(sample.probabilities[known], 1e-12, 1.0))
    rows, labels = np.arange(len(known)), sample.labels[known]

    def loss(log_temperature: float) -> float:
        scaled = logits * math.exp(-log_temperature)
        return float((scipy.special.logsumexp(scaled, axis=1) - scaled[rows, labels]).mean())

    found = scipy.optimize.minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    capped = float(np.delete(sample.losses, known).sum())  # labels that the model does not know stay as wrong as before
    return math.exp(found.x), (found.fun * len(known) + capped) / len(sample)


def _mending(val: _Split, temperature: float | None, cooled: float) -> str:
    if temperature is None:
        return ""
    return f"A temperature of {temperature:.2f} would bring its validation loss from {val.nll:.3f} to {cooled:.3f}."


def _most_sure_mistakes(examined: Examined, code: str) -> tuple[Picture, ...]:
    """The validation images that the model is wrong about and surest of."""
    val = examined.val
    wrong = np.flatnonzero(~val.correct)
    if val.images is None or not len(wrong):
        return ()
    sure, said = val.probabilities.max(axis=1), val.probabilities.argmax(axis=1)
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:MOST_IMAGES]
    captions = [
        f"{class_word(examined, int(val.labels[i]), 18)} taken for {class_word(examined, int(said[i]), 18)}, "
        f"{percent(sure[i])}"
        for i in chosen
    ]
    picture = contact_sheet(
        [val.images[i] for i in chosen],
        captions,
        title="Surest mistakes on validation",
        caption="Validation images that the model is wrong about, the surest first: their label, what the model says "
        "instead, and how sure it is of that. Look for wrong labels among them.",
        code=code,
    )
    return (picture,)
