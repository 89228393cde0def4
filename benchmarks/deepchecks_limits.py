"""Memory and time of a Deepchecks suite over 20,000 images of 64 x 64, and how soon its limits act.

    PYTHONPATH=. .venv/bin/python benchmarks/deepchecks_limits.py [--train 20000] [--test 5000] [--suite full]

Images are made in a temporary folder (about 200 MB), with the predictions of a tiny model (a softmax over distances to
class means, seen 8 x 8). The suite runs as the app runs it, in a supervised child with the settings' own limits and
our checks beside it. Then the limits are lowered until they act; the delay is from the moment a limit was exceeded, as
seen from here every 0.2 s, to the result.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from copilot.integrations.deepchecks.catalogue import CUSTOM_CHECKS, SUITE_CODE
from copilot.integrations.deepchecks_runner import SuiteResult, run_suite
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.predictions import Predictions
from copilot.utils.config import DeepchecksSettings

CLASSES, SIZE, PROMPT_S = 10, 64, 5.0


def write_images(folder: Path, n: int, seed: int) -> Path:
    """`n` noisy images in class folders; a class is a direction of brightness over the image."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
    for number in range(n):
        label = number % CLASSES
        turn = 2 * np.pi * label / CLASSES + rng.normal(0, 0.4)
        slope = (np.cos(turn) * x + np.sin(turn) * y)[..., None] * rng.uniform(60, 140, 3)
        pixels = (rng.uniform(90, 160, 3) + slope + rng.integers(-12, 13, (SIZE, SIZE, 1))).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / str(label) / f"{number}.png", compress_level=1)
    return folder


def tiny_model(train: Path, test: Path) -> tuple[Path, Path]:
    """Files of the predictions of both sets."""
    sets = [ImageFolder(folder) for folder in (train, test)]
    seen = [np.concatenate([_small(images, part) for part in _parts(len(images))]) for images in sets]
    means = np.stack([seen[0][sets[0].labels == label].mean(axis=0) for label in range(CLASSES)])
    files = train.with_suffix(".npz"), test.with_suffix(".npz")
    for images, pixels, file in zip(sets, seen, files, strict=True):
        scores = -((pixels[:, None] - means) ** 2).sum(axis=2)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        own = scores / scores.sum(axis=1, keepdims=True)
        Predictions("classification", images.class_names, np.arange(len(images)), images.labels, own).save(file)
    return files


def _small(images: ImageFolder, part: np.ndarray) -> np.ndarray:
    return images.read(part, channels=3, size=8).reshape(len(part), -1) / 255


def _parts(n: int) -> list[np.ndarray]:
    return np.array_split(np.arange(n), -(-n // 1000))


class Watch:
    """A progress callback that sees the memory of the child's process tree and when a limit was first exceeded."""

    def __init__(self, limit_gb: float = np.inf, limit_s: float = np.inf) -> None:
        self.limits, self.peak, self.over, self.begin = (limit_gb, limit_s), 0, None, time.monotonic()

    def __call__(self, fraction: float, text: str) -> None:
        used = 0
        for process in psutil.Process().children(recursive=True):
            try:
                used += process.memory_info().rss
            except psutil.Error:
                continue
        self.peak = max(self.peak, used)
        if self.over is None and used > self.limits[0] * 1024**3:
            self.over = time.monotonic()

    def late(self) -> float:
        now = time.monotonic()
        if np.isfinite(self.limits[1]):
            return now - self.begin - self.limits[1]
        return now - self.over if self.over is not None else 0.0


def broken(result: SuiteResult) -> bool:
    """Whether a limit ended the suite."""
    return any(outcome.code == SUITE_CODE for outcome in result.outcomes)


def main() -> int:
    """Measure, print a table, and fail where a limit was exceeded or acted late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=20_000)
    parser.add_argument("--test", type=int, default=5_000)
    parser.add_argument("--suite", default="full")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds that the suite may take")
    options = parser.parse_args()
    settings = {"max_samples": 20_000, "custom_checks": list(CUSTOM_CHECKS), "timeout_s": options.timeout}
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory() as name:
        sides = [write_images(Path(name, side), getattr(options, side), i) for i, side in enumerate(("train", "test"))]
        files = tiny_model(*sides)

        def run(watch: Watch, **changed: float) -> SuiteResult:
            used = DeepchecksSettings(**{**settings, **changed})
            return run_suite(*map(str, sides), files, suite=options.suite, settings=used, progress=watch)

        whole = Watch()
        result = run(whole)
        limit = DeepchecksSettings().memory_limit_gb
        states = [outcome.state for outcome in result.outcomes]
        print(f"{date.today()}  {machine}; suite {options.suite}, {result.n_train:,} + {result.n_test:,} images")
        print(f"  {len(states)} checks, {states.count('error')} errors, {result.duration_s:.0f} s", end="")
        print(f", peak memory {whole.peak / 1024**3:.2f} GB (limit {limit:g} GB)")
        cut, late = [], []
        for kind, changed in (("limit_gb", {"memory_limit_gb": 0.7}), ("limit_s", {"timeout_s": 8.0})):
            watch = Watch(**{kind: next(iter(changed.values()))})
            cut.append(run(watch, **changed))
            late.append(watch.late())
    print(f"  delay from a memory limit of 0.7 GB {late[0]:.1f} s, from a time limit of 8 s {late[1]:.1f} s")
    good = not broken(result) and "error" not in states and all(map(broken, cut)) and max(late) < PROMPT_S
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
