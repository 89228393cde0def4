"""Made predictions: what a classifier would say of images, with a truth that is known."""

from __future__ import annotations

import numpy as np

from copilot.probes.base import BaseProbe, Examined, Probed, Sample


def sample(labels: np.ndarray, probabilities: np.ndarray, images: np.ndarray | None = None) -> Sample:
    return Sample(images, np.asarray(labels), ("",) * len(labels), np.asarray(probabilities, dtype=float), len(labels))


def answers(labels: np.ndarray, right: np.ndarray, sure: np.ndarray | float, classes: int) -> np.ndarray:
    """Probabilities (n, classes): `sure` on the label where `right`, on the next class elsewhere; the rest is even."""
    labels, sure = np.asarray(labels), np.broadcast_to(sure, len(labels))
    said = np.where(right, labels, (labels + 1) % classes)
    rest = (1 - sure) / max(classes - 1, 1)
    made = np.repeat(rest[:, None], classes, axis=1)
    made[np.arange(len(labels)), said] = sure
    return made


def split(n: int, classes: int, accuracy: float, sure: float, seed: int = 0, pictures: bool = False) -> Sample:
    """`n` images with even classes; exactly a share of `accuracy` right, spread over the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    right = np.zeros(n, dtype=bool)
    right[rng.permutation(n)[: round(accuracy * n)]] = True
    spread = np.clip(sure + rng.normal(0, 0.01, n), 0.5 + 1e-3, 1 - 1e-6) if classes > 1 else 1.0
    images = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8) if pictures else None
    return sample(labels, answers(labels, right, spread, classes), images)


def examined(train: Sample, val: Sample, **more: object) -> Examined:
    classes = 1 + int(max(train.labels.max(initial=0), val.labels.max(initial=0), train.probabilities.shape[1] - 1))
    return Examined(train, val, tuple(f"c{i}" for i in range(classes)), **more)  # type: ignore[arg-type]


def probed(probe: BaseProbe, of: Examined) -> Probed:
    return probe.probe(of, lambda fraction, line: None)
