"""How often the checks of drift (OVF408 to OVF410) alarm on random splits, and which planted shifts they find.

A trial draws two disjoint sets of n images each from CIFAR-10 or MNIST; one of the two is changed. Shares of trials
with an issue are printed, by check and for any of the three. Limits were chosen with other seeds, on CIFAR-10's
training images (the same 5,000, in other draws) and on MNIST's training images; here MNIST's test images are used.

Planted: brightness by so many grey levels, Gaussian blur, rotation about the centre with the border mirrored, and
classes removed from one set: a share of one class, or a third of the images of each of five classes. Rotation
resamples, which blurs; in the rows "rotation apart" each set is turned by half the angle, one to either side, so that
both are blurred alike and only the angle tells.

Run: .venv/bin/python benchmarks/drift.py [--data FOLDER] [--trials 100] [--planted 30] [--first 0] [--set cifar10]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.label_drift import LabelDrift
from copilot.core.data.property_drift import PropertyDrift
from copilot.imaging.features import ClassicalFeatures
from copilot.imaging.properties import Properties

REPOSITORY = Path(__file__).resolve().parent.parent
SIZES = (200, 500, 1000)
MIX = (0.1, 0.2, 0.3)
PLANTED = 12  # of the changes below; the others are halves of rotations
CODES = ("OVF408", "OVF409", "OVF410")
Change = Callable[[np.ndarray], np.ndarray]


def brighter(levels: int) -> Change:
    return lambda image: np.clip(image.astype(np.int16) + levels, 0, 255).astype(np.uint8)


def blurred(sigma: float) -> Change:
    return lambda image: cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)


def turned(degrees: float) -> Change:
    return lambda image: _warped(image, cv2.getRotationMatrix2D(_middle(image), degrees, 1.0))


def _middle(image: np.ndarray) -> tuple[float, float]:
    return (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2


def _warped(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = image.shape[1::-1]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT_101).reshape(image.shape)


CHANGES: dict[str, Change] = {
    "as they are": lambda image: image,
    **{f"brightness {levels:+d}": brighter(levels) for levels in (5, -5, 10, -10, 20, -20)},
    **{f"blur {sigma}": blurred(sigma) for sigma in (0.5, 1.0)},
    **{f"rotation {degrees:g}": turned(degrees) for degrees in (5, 10, 15, 2.5, -2.5, -5, 7.5, -7.5)},
}


class Images:
    """Everything measured on a data set, under each change."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.labels = labels.astype(np.int64)
        self.measured = {name: _measured(images, change) for name, change in CHANGES.items()}

    def judged(
        self, a: np.ndarray, b: np.ndarray, change: str, other: str = "as they are", seed: int = 0
    ) -> dict[str, bool]:
        """Which checks tell an issue between images `a` (under `other`) and `b` (under `change`)."""
        (first, first_features), (second, second_features) = self.measured[other], self.measured[change]
        labels_a, labels_b = self.labels[a], self.labels[b]
        classes = [str(i) for i in range(10)]
        properties, labels, embeddings = PropertyDrift(), LabelDrift(), EmbeddingDrift()
        sides = ({k: v[rows] for k, v in side.items()} for side, rows in ((first, a), (second, b)))
        outcomes = (
            properties.judge(properties.find(*sides, labels_a, labels_b, classes)),
            labels.judge(labels.find(labels_a, labels_b, classes, seed=seed)),
            embeddings.judge(embeddings.find(first_features[a], second_features[b], labels_a, labels_b, seed=seed)),
        )
        return {outcome.code: outcome.state == "issue" for outcome in outcomes}


def _measured(images: np.ndarray, change: Change) -> tuple[dict[str, np.ndarray], np.ndarray]:
    properties, features = Properties(), ClassicalFeatures()
    changed = [change(image) for image in images]
    rows = [properties(image) for image in changed]
    return {k: np.array([r[k] for r in rows]) for k in rows[0]}, np.stack([features(i)["features"] for i in changed])


def split(images: Images, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(len(images.labels))
    return order[:n], order[n : 2 * n]


def without(images: Images, b: np.ndarray, share: float, classes: tuple[int, ...], seed: int) -> np.ndarray:
    """The images without a share of those of some classes."""
    rng = np.random.default_rng(seed)
    gone = [rng.permutation(own)[: round(share * len(own))] for k in classes if len(own := b[images.labels[b] == k])]
    return np.setdiff1d(b, np.concatenate(gone))


def rates(name: str, n: int, found: list[dict[str, bool]]) -> None:
    alone = "  ".join(f"{np.mean([one[code] for one in found]) * 100:4.0f} %" for code in CODES)
    together = np.mean([any(one.values()) for one in found]) * 100
    print(f"{name:<38}{n:>6}  {alone}  {together:4.0f} %   ({len(found)} trials)", flush=True)


def run(images: Images, trials: int, planted: int, first: int) -> None:
    print(f"{'':<38}{'n':>6}  " + "  ".join(CODES) + "     any")
    for n in (n for n in SIZES if 2 * n <= len(images.labels)):
        halves = [split(images, n, seed) for seed in range(first, first + trials)]
        rates("random split", n, [images.judged(a, b, "as they are", seed=i) for i, (a, b) in enumerate(halves)])
        few = halves[:planted]
        if not few:
            continue
        for change in list(CHANGES)[1:PLANTED]:
            rates(change, n, [images.judged(a, b, change) for a, b in few])
        for half in (2.5, 5, 7.5):
            turns = f"rotation {half:g}", f"rotation {-half:g}"
            rates(f"rotation apart by {2 * half:g}", n, [images.judged(a, b, *turns) for a, b in few])
        for share in MIX:
            cut = [(a, without(images, b, share, (i % 10,), i)) for i, (a, b) in enumerate(few)]
            rates(f"{share * 100:.0f} % of one class removed", n, [images.judged(a, b, "as they are") for a, b in cut])
        cut = [(a, without(images, b, 1 / 3, tuple((i + j) % 10 for j in range(5)), i)) for i, (a, b) in enumerate(few)]
        rates("a third of five classes removed", n, [images.judged(a, b, "as they are") for a, b in cut])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "images")
    parser.add_argument("--trials", type=int, default=100, help="random splits of each size")
    parser.add_argument("--planted", type=int, default=30, help="trials of each planted shift")
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--set", choices=("cifar10", "mnist"), action="append", dest="sets")
    options = parser.parse_args()
    files = {"cifar10": ("cifar10_small.npz", "train"), "mnist": ("mnist.npz", "test")}
    print(f"{date.today()}, Python {platform.python_version()}, NumPy {np.__version__}")
    for name in options.sets or files:
        file, part = files[name]
        with np.load(options.data / file) as data:
            pixels, labels = data[f"x_{part}"][:5000], data[f"y_{part}"][:5000]
        began = time.perf_counter()
        images = Images(pixels if pixels.ndim == 4 else pixels[..., None], labels)
        print(
            f"\n{name}: {len(labels):,} images, {len(CHANGES)} changes measured in {time.perf_counter() - began:.0f} s"
        )
        run(images, options.trials, options.planted, options.first)


if __name__ == "__main__":
    main()
