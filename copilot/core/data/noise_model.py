"""How many labels are wrong, and which: labels seen through noise, given what a classifier said of images it never saw.

The classifier is weak and was taught by the noisy labels, so that its mistakes must not count as mistakes of the
labels. The model: true classes follow ``softmax(s L + L D + b)`` of the held-out log probabilities `L`, and a true
class becomes the given label by a transition matrix. A weak classifier is unsure, but where it is sure it is right, and
the labels still disagree as often as they are wrong: there the rate is read. A strong classifier has learned how often
labels are wrong, so that even where it is sure its probabilities stop short of one. Taking a part of the transitions
out of them first undoes that, and the likelihood tells how large a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts load when first used

_FLOOR = 1e-6  # of a probability
_RATES = (0.02, 0.8)  # of a class, at which a fit may start
_STEPS = 200
_STAYS = 1e-3  # weight that keeps the map of log probabilities near a scaling
_ALIKE = 1e-2  # weight that keeps the classes' rates near one another
_EVEN = 5.0  # images by which each class is taken to be mistaken for all others alike
_AS_GOOD = 6.0  # nats within which two fits cannot be told apart
UNMIXED = (0.0, 0.5, 1.0)  # parts of the first transitions that are taken out of the probabilities
_LEFT = 1e-3  # probability that this leaves at least


@dataclass(frozen=True)
class NoiseFit:
    """A fitted model.

    Attributes
    ----------
    rate : float
        Share of labels that are wrong.
    lowest, highest : float
        Rates of all fits that are about as good.
    transition : ndarray of float64, shape (classes, classes)
        Row: true class; column: the label it is given.
    true : ndarray of float64, shape (n, classes)
        Probability of each true class before the label is known.
    posterior : ndarray of float64, shape (n, classes)
        The same once the label is known; one minus that of the label is the image's suspicion.
    unmixed : float
        Part of the first transitions that was taken out of the probabilities.
    """

    rate: float
    lowest: float
    highest: float
    transition: np.ndarray
    true: np.ndarray
    posterior: np.ndarray
    unmixed: float = 0.0

    @property
    def sharpness(self) -> float:
        """How often the likeliest true class is expected to be the true one, with the label unknown."""
        return float(self.true.max(1).mean())

    def suspicion(self, labels: np.ndarray) -> np.ndarray:
        """Probability that each label is wrong, shape (n,)."""
        return 1 - self.posterior[np.arange(len(labels)), labels]

    def redrawn(self, rng: np.random.Generator) -> np.ndarray:
        """Labels as the model would give them, shape (n,)."""
        edges = np.cumsum(self.true @ self.transition, axis=1)
        drawn = (rng.random(len(edges))[:, None] > edges).sum(1)
        return np.minimum(drawn, edges.shape[1] - 1)


def fit_noise(
    probabilities: np.ndarray, labels: np.ndarray, start: np.ndarray, unmixed: Sequence[float] = UNMIXED
) -> NoiseFit:
    """Fit by penalised likelihood, for each part of `unmixed`, and keep the best fit.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, classes)
        Of a classifier that has not seen the image with its label.
    labels : ndarray of int64, shape (n,)
    start : ndarray of float64, shape (classes, classes)
        Transition matrix to start from, such as confident learning's.
    unmixed : sequence of float, optional
        Parts of it to take out of the probabilities first.
    """
    labels = np.asarray(labels)
    fits = [_Model(_logs(probabilities, start, part), labels).fitted(start, part) for part in unmixed]
    least, best = min(fits, key=lambda fit: fit[0])
    rates = [fit.rate for loss, fit in fits if (loss - least) * len(labels) < _AS_GOOD]
    return replace(best, lowest=min(rates), highest=max(rates))


def _logs(probabilities: np.ndarray, start: np.ndarray, part: float) -> np.ndarray:
    """Centred log probabilities, once a part of the transitions is taken out of them."""
    probabilities = np.maximum(probabilities, _FLOOR)
    if part:
        mixed = part * start + (1 - part) * np.eye(len(start))
        probabilities = np.maximum(probabilities @ np.linalg.pinv(mixed), _LEFT)
        probabilities /= probabilities.sum(1, keepdims=True)
    logs = np.log(probabilities)
    return logs - logs.mean(1, keepdims=True)


class _Model:
    """The likelihood with its gradient. Parameters: log s, D, b, logit of each class's rate, where its images go."""

    def __init__(self, logs: np.ndarray, labels: np.ndarray) -> None:
        self.logs, self.labels = logs, labels
        self.n, self.classes = logs.shape
        self.given = np.eye(self.classes)[labels]
        self.apart = 1 - np.eye(self.classes)

    def fitted(self, start: np.ndarray, unmixed: float) -> tuple[float, NoiseFit]:
        k = self.classes
        rates = np.clip(1 - np.diag(start), *_RATES)
        where = np.log(np.clip(start, 3e-3, 1.0))
        first = np.concatenate([[0.5], np.zeros(k * k + k), np.log(rates / (1 - rates)), where.ravel()])
        found = scipy.optimize.minimize(self._loss, first, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
        scale, turn, shift, _, rate, where = self._parts(found.x)
        transition = rate[:, None] * where + np.diag(1 - rate)
        true = scipy.special.softmax(scale * self.logs + self.logs @ turn + shift, axis=1)
        joint = true * transition[:, self.labels].T
        posterior = joint / joint.sum(1, keepdims=True)
        wrong = float(1 - posterior[np.arange(self.n), self.labels].mean())
        return float(found.fun), NoiseFit(wrong, wrong, wrong, transition, true, posterior, unmixed)

    def _parts(self, v: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        k = self.classes
        turn, shift, logit, free = np.split(v[1:], np.cumsum([k * k, k, k]))
        masked = np.where(self.apart > 0, free.reshape(k, k), -np.inf)
        rate = scipy.special.expit(logit)
        return np.exp(v[0]), turn.reshape(k, k), shift, logit, rate, scipy.special.softmax(masked, axis=1)

    def _loss(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        scale, turn, shift, logit, rate, where = self._parts(v)
        transition = rate[:, None] * where + np.diag(1 - rate)
        true = scipy.special.softmax(scale * self.logs + self.logs @ turn + shift, axis=1)
        joint = true * transition[:, self.labels].T
        seen = np.maximum(joint.sum(1, keepdims=True), 1e-300)
        posterior = joint / seen
        # an image's share in each pair of true class and label; the gradients are those of expectation-maximisation
        pairs = posterior.T @ self.given / self.n
        kept, moved = np.diag(pairs), pairs.sum(1) - np.diag(pairs)
        apart = logit - logit.mean()
        prior = _EVEN / self.n / (self.classes - 1) * self.apart
        loss = -np.log(seen).mean() + _STAYS * (turn**2).sum() + _ALIKE * (apart**2).sum()
        loss -= (prior * np.log(np.where(self.apart > 0, np.maximum(where, 1e-300), 1.0))).sum()
        slope = (true - posterior) / self.n
        counts = pairs * self.apart + prior
        gradient = [
            [(slope * self.logs).sum() * scale],
            (self.logs.T @ slope + 2 * _STAYS * turn).ravel(),
            slope.sum(0),
            kept * rate - moved * (1 - rate) + 2 * _ALIKE * apart,
            (where * counts.sum(1, keepdims=True) - counts).ravel(),
        ]
        return float(loss), np.concatenate(gradient)
