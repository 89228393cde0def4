"""HistoryBatch: the pairs of many histories as arrays, one row a pair, so that checks measure all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from copilot.core.history import RunHistory
from copilot.core.naming import is_fraction
from copilot.core.pairs import Pair
from copilot.core.statistics import moving_mean, noise_scale, smoothing_window, tail_length, without_spikes


@dataclass(frozen=True)
class HistoryBatch:
    """Rows of equal length; one history is a batch of as many rows as it has pairs.

    A row stands on its own points: those where validation has a value (or training, if there is no validation).
    Cost runs downwards when a model improves: the loss itself, or one minus a score.

    Attributes
    ----------
    epochs, train, val : ndarray of shape (rows, points)
        Logged axis values and costs. Training is interpolated to the row's points; NaN where a side is missing.
    owner : ndarray of shape (rows,)
        Index of the history that each row belongs to.
    pairs : list of Pair
        The pair behind each row.
    """

    epochs: np.ndarray
    train: np.ndarray
    val: np.ndarray
    owner: np.ndarray
    pairs: list[Pair]

    @property
    def points(self) -> int:
        return self.epochs.shape[1]

    @cached_property
    def window(self) -> int:
        return smoothing_window(self.points)

    @cached_property
    def tail(self) -> int:
        return tail_length(self.points)

    @cached_property
    def has_train(self) -> np.ndarray:
        return np.isfinite(self.train).all(axis=1)

    @cached_property
    def has_val(self) -> np.ndarray:
        return np.isfinite(self.val).all(axis=1)

    @cached_property
    def bounded(self) -> np.ndarray:
        """Rows whose quantity runs from 0 to 1."""
        return np.array([is_fraction(p.quantity) for p in self.pairs], dtype=bool)

    @cached_property
    def train_smooth(self) -> np.ndarray:
        return moving_mean(self.train, self.window)

    @cached_property
    def val_smooth(self) -> np.ndarray:
        return moving_mean(self.val, self.window)

    @cached_property
    def val_clean(self) -> np.ndarray:
        """Validation without single spikes."""
        return without_spikes(self.val)

    @cached_property
    def val_clean_smooth(self) -> np.ndarray:
        return moving_mean(self.val_clean, self.window)

    @cached_property
    def train_noise(self) -> np.ndarray:
        return noise_scale(self.train)

    @cached_property
    def val_noise(self) -> np.ndarray:
        return noise_scale(self.val)


def batches(histories: Sequence[RunHistory]) -> Iterator[HistoryBatch]:
    """Cut the pairs of `histories` into batches of rows of equal length."""
    groups: dict[int, list[tuple[int, Pair, np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
    for owner, history in enumerate(histories):
        for pair in history.pairs:
            row = _row(history.epochs, pair)
            if row is not None:
                groups[len(row[0])].append((owner, pair, *row))
    for _, rows in sorted(groups.items()):
        owner, pairs, epochs, train, val = zip(*rows, strict=True)
        yield HistoryBatch(np.stack(epochs), np.stack(train), np.stack(val), np.array(owner), list(pairs))


def _row(epochs: np.ndarray, pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    train_ok, val_ok = np.isfinite(pair.train), np.isfinite(pair.val)
    on = val_ok if val_ok.any() else train_ok
    if not on.any():
        return None
    train, val = pair.to_cost(pair.train), pair.to_cost(pair.val)
    if on.all() and train_ok.all():
        return epochs, train, val
    grid = epochs[on]
    filled = np.interp(grid, epochs[train_ok], train[train_ok]) if train_ok.sum() > 1 else np.full(len(grid), np.nan)
    return grid, filled, val[on]
