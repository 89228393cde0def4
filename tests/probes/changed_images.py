"""Images of three classes and models written by hand that look at one thing, for probes that change images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from copilot.probes.base import Examined, Sample

CLASSES = ("red", "green", "blue")
Predict = Callable[[np.ndarray], np.ndarray]


def images(n: int, seed: int, side: int = 32, noise: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    """A disc in the class' colour on a grey, noisy ground; uint8 (n, side, side, 3) and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 3)
    made = 110 + noise * rng.standard_normal((n, side, side, 3))
    rows, columns = np.mgrid[:side, :side]
    disc = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side / 5) ** 2
    for image, label in zip(made, labels, strict=True):
        image[disc, label] += 90
    return np.clip(made, 0, 255).astype(np.uint8), labels.astype(np.int64)


def by_colour(pictures: np.ndarray) -> np.ndarray:
    """An honest model: the colour of the middle decides."""
    side = pictures.shape[1]
    middle = pictures[:, side // 3 : -(side // 3), side // 3 : -(side // 3), :3].mean(axis=(1, 2))
    return softmax((middle - middle.mean(axis=1, keepdims=True)) / 30)


def by_mark(label: int, y: int, x: int, size: int, level: float = 200.0) -> Predict:
    """A model that goes by the brightness of a square, where it is bright, and by the colour elsewhere."""

    def predict(pictures: np.ndarray) -> np.ndarray:
        found = by_colour(pictures)
        bright = pictures[:, y : y + size, x : x + size].mean(axis=(1, 2, 3)) > level
        found[bright] = 0.05
        found[bright, label] = 0.9
        return found

    return predict


def softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def sample(pictures: np.ndarray, labels: np.ndarray, predict: Predict) -> Sample:
    names = tuple(f"{i}.png" for i in range(len(labels)))
    return Sample(pictures, labels, names, predict(pictures), len(labels))


def examined(
    predict: Predict,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    change_val: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    n: int = 150,
    side: int = 32,
    **more: object,
) -> Examined:
    """A model with samples of both splits; ``change`` is put to the training images and their labels."""
    splits = []
    for seed, how in ((1, change), (2, change_val)):
        pictures, labels = images(n, seed, side)
        splits.append(sample(pictures if how is None else how(pictures.copy(), labels), labels, predict))
    return Examined(*splits, CLASSES, predict=predict, **more)


def quiet(share: float, line: str) -> None:
    """Progress that nobody looks at."""
