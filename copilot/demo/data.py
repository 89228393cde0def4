"""The demo's images: scikit-learn's 8x8 digits with pixel noise, as the states that a team's data set went through."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.datasets import load_digits

CLASSES = tuple(str(digit) for digit in range(10))
NOISE_SIGMA = 0.3  # of the 0..1 pixel range: without it the digits are too easy to tell training conditions apart
UPSCALE = 4
IMAGE_SIZE = 8 * UPSCALE


@dataclass(frozen=True)
class ImageSet:
    """Labelled images.

    Attributes
    ----------
    numbers : ndarray of int, shape (n,)
        The number in each image's file name; unique within a set.
    images : ndarray of uint8, shape (n, 8, 8)
        Grey values.
    labels : ndarray of int64, shape (n,)
        Class index, which is the folder that the file lies in.
    """

    numbers: np.ndarray
    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> ImageSet:
        return ImageSet(self.numbers[rows], self.images[rows], self.labels[rows])

    def joined(self, other: ImageSet) -> ImageSet:
        pairs = [(self.numbers, other.numbers), (self.images, other.images), (self.labels, other.labels)]
        return ImageSet(*(np.concatenate(pair) for pair in pairs))

    def files(self) -> list[str]:
        """Path of each image below its split's folder: ``<class>/<number>.png``."""
        return [f"{CLASSES[c]}/{n:05d}.png" for c, n in zip(self.labels, self.numbers, strict=True)]


@dataclass(frozen=True)
class DataState:
    """What the image folder held at one commit: ``name`` is its git tag or branch."""

    name: str
    message: str
    train: ImageSet
    val: ImageSet


def data_states(seed: int = 0) -> dict[str, DataState]:
    """The states of the image folder by name: ``v1``, ``v2`` and three later batches on top of ``v2``.

    Parameters
    ----------
    seed : int, default 0
        Fixes the noise, the splits and what changed between states.

    Returns
    -------
    dict of str to DataState
        In the order in which they were committed.
    """
    rng = np.random.default_rng([seed, 8])
    pool = _noisy_digits(rng)
    v1 = DataState(
        "v1", "First collection of digit images", pool.take(np.arange(1180)), pool.take(np.arange(1180, 1560))
    )
    v2 = _second_version(v1, pool.take(np.arange(1560, len(pool))), rng)
    return {s.name: s for s in (v1, v2, _noisy_labels(v2, rng), _shifted_val(v2, rng), _leaked_val(v2, rng))}


def subset(images: ImageSet, size: int, rng: np.random.Generator) -> ImageSet:
    """`size` images, drawn without replacement and as evenly over the classes as they allow."""
    order = rng.permutation(len(images))
    rank_in_class = np.zeros(len(images), dtype=int)
    for label in np.unique(images.labels):
        members = order[images.labels[order] == label]
        rank_in_class[members] = np.arange(len(members))
    return images.take(order[np.argsort(rank_in_class[order], kind="stable")[:size]])


def fold(images: ImageSet, k: int, n_folds: int, rng: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """Training and validation images of fold `k` (from 1) of `n_folds`."""
    order = rng.permutation(len(images))
    held_out = np.arange(len(images)) % n_folds == k - 1
    return images.take(order[~held_out]), images.take(order[held_out])


def _noisy_digits(rng: np.random.Generator) -> ImageSet:
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    return ImageSet(
        np.arange(len(order)), _scan(digits.images[order] / 16.0, rng), digits.target[order].astype(np.int64)
    )


def _scan(grey: np.ndarray, rng: np.random.Generator, sigma: float = NOISE_SIGMA) -> np.ndarray:
    return (np.clip(grey + rng.normal(0.0, sigma, grey.shape), 0.0, 1.0) * 255).round().astype(np.uint8)


def _second_version(v1: DataState, spare: ImageSet, rng: np.random.Generator) -> DataState:
    """Some files added (more of some classes), some removed, some scanned again."""
    weights = np.where(np.isin(spare.labels, [3, 8]), 4.0, 1.0)
    picked = rng.choice(len(spare), 150, replace=False, p=weights / weights.sum())
    train = v1.train.take(np.sort(rng.permutation(len(v1.train))[36:]))
    again = rng.choice(len(train), 30, replace=False)
    images = train.images.copy()
    images[again] = _scan(images[again] / 255.0, rng, 0.05)
    val = v1.val.take(np.sort(rng.permutation(len(v1.val))[8:]))
    return DataState(
        "v2",
        "Add new images, remove unreadable ones, scan some again",
        replace(train, images=images).joined(spare.take(picked[:126])),
        val.joined(spare.take(picked[126:])),
    )


def _noisy_labels(base: DataState, rng: np.random.Generator, share: float = 0.3) -> DataState:
    labels = base.train.labels.copy()
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return replace(base, name="batch-3", message="Import batch 3", train=replace(base.train, labels=labels))


def _shifted_val(base: DataState, rng: np.random.Generator) -> DataState:
    moved = np.roll(base.val.images, 1, axis=2) / 255.0
    return replace(
        base,
        name="batch-4",
        message="Import batch 4",
        val=replace(base.val, images=_scan(0.15 + 0.7 * moved, rng, 0.08)),
    )


def _leaked_val(base: DataState, rng: np.random.Generator, share: float = 0.65) -> DataState:
    size = len(base.val)
    copies = base.train.take(rng.choice(len(base.train), round(share * size), replace=False))
    kept = base.val.take(np.sort(rng.permutation(size)[: size - len(copies)]))
    numbers = 2000 + np.arange(len(copies))
    return replace(base, name="batch-5", message="Import batch 5", val=kept.joined(replace(copies, numbers=numbers)))
