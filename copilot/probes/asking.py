"""How probes ask a model about changed images: in batches, within a time, the next batch made while it works."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from copilot.errors import InputError
from copilot.probes.base import Predict, Sample

T = TypeVar("T")
BATCH_BYTES, LARGEST_BATCH, _TIMED = 4_000_000, 512, 16
_END = object()


@dataclass
class Asker:
    """A model whose answers are counted and timed.

    Attributes
    ----------
    budget_s : float
        Seconds that the probe may ask for.
    images, seconds : int, float
        What was asked so far, and how long the model took for it.
    """

    predict: Predict
    budget_s: float = np.inf
    images: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of uint8 images (n, h, w, c), float64 of shape (n, classes).

        Raises
        ------
        InputError
            The model answers with another number of rows, or with values that are not finite.
        """
        step = batch_size(images)
        return np.concatenate([self._batch(images[i : i + step]) for i in range(0, len(images), step)])

    def each(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Answers to batches in their order; a thread makes the next ones while the model works."""
        for batch in ahead(batches):
            yield self._batch(batch)

    def affordable(self, wanted: int) -> int:
        """How many of `wanted` images fit into what is left of the budget, at the rate so far."""
        if not self.images or not np.isfinite(self.budget_s):
            return wanted
        return int(np.clip(self.left() * self.images / max(self.seconds, 1e-9), 0, wanted))

    def fitting(self, wanted: int, calls: int, least: int = 10) -> int:
        """How many of `wanted` images fit into the budget if each is asked about `calls` times; `least` at least."""
        return min(max(self.affordable(wanted * calls) // calls, least), wanted)

    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.budget_s - (time.perf_counter() - self.started)

    def warm_up(self, images: np.ndarray) -> None:
        """Measure the model's rate: one batch to wake it, which does not count, then the faster of two.

        A machine that is busy for a moment must not make the probe ask about less; a slow model is timed once.
        """
        few = images[: min(_TIMED, batch_size(images))]
        self._batch(few)
        times: list[float] = []
        while len(times) < 2 and sum(times) < 1.0:
            self.images, self.seconds = 0, 0.0
            self._batch(few)
            times.append(self.seconds)
        self.seconds = min(times)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        began = time.perf_counter()
        answer = np.asarray(self.predict(images), dtype=np.float64)
        self.seconds += time.perf_counter() - began
        self.images += len(images)
        if answer.ndim != 2 or len(answer) != len(images) or not np.isfinite(answer).all():
            raise InputError(
                "The model does not answer with a row of finite probabilities for each image.",
                "Check the model on one batch of images first.",
            )
        return answer


def batch_size(images: np.ndarray) -> int:
    """Images a batch: four megabytes of pixels, so that the activations of a large model fit too."""
    return int(np.clip(BATCH_BYTES // max(images[0].size if len(images) else 1, 1), 8, LARGEST_BATCH))


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same items, up to `depth` of them made beforehand in a thread; an error of it is raised here."""
    made: queue.Queue = queue.Queue(depth)
    stop = threading.Event()

    def make() -> None:
        last: object = _END
        try:
            for item in items:
                if not _put(made, item, stop):
                    return
        except BaseException as error:
            last = error
        _put(made, (_END, last), stop)

    worker = threading.Thread(target=make, daemon=True)
    worker.start()
    try:
        while not (isinstance(item := made.get(), tuple) and len(item) == 2 and item[0] is _END):
            yield item
        if isinstance(item[1], BaseException):
            raise item[1]
    finally:
        stop.set()
        worker.join()


def _put(made: queue.Queue, item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            made.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False


def some(sample: Sample, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of up to `n` images, drawn without replacement, sorted."""
    return np.sort(rng.permutation(len(sample))[:n])


def mean_interval(values: np.ndarray, rng: np.random.Generator, draws: int = 500) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean over images (B. Efron and R. Tibshirani, 1993, section 13.3)."""
    if len(values) < 2:
        return float("nan"), float("nan")
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def place_in_words(y: float, x: float, shape: tuple[int, int]) -> str:
    """Where a point lies in an image of (h, w): ``top left corner``, ``left edge``, ``middle``."""
    row = ("top", "", "bottom")[min(int(3 * y / shape[0]), 2)]
    column = ("left", "", "right")[min(int(3 * x / shape[1]), 2)]
    if row and column:
        return f"{row} {column} corner"
    return f"{row or column} edge" if row or column else "middle"
