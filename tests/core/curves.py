"""Made curves with known answers, for the tests of checks and diagnosis."""

from __future__ import annotations

import numpy as np

from copilot.core.history import RunHistory


def learning_curve(n: int, start: float = 2.3, floor: float = 0.2, rate: float = 5.0) -> np.ndarray:
    """An exponential descent from `start` to `floor` over `n` epochs."""
    return floor + (start - floor) * np.exp(-rate * np.arange(n) / n)


def healthy(n: int = 60, noise: float = 0.01, seed: int = 0, **extra) -> RunHistory:
    rng = np.random.default_rng(seed)
    train = learning_curve(n, floor=0.2) + rng.normal(0, noise, n)
    val = learning_curve(n, floor=0.26) + rng.normal(0, noise, n)
    return RunHistory.from_arrays(train_loss=train, val_loss=val, **extra)


def overfitting(
    n: int = 60, onset: int = 20, slope: float = 0.02, noise: float = 0.01, seed: int = 0, **extra
) -> RunHistory:
    """Validation falls until `onset`, then rises by `slope` an epoch, while training goes on falling."""
    rng = np.random.default_rng(seed)
    epochs = np.arange(n)
    train = learning_curve(n, floor=0.02) + rng.normal(0, noise / 2, n)
    val = np.maximum(learning_curve(n, floor=0.1, rate=4), learning_curve(n, floor=0.1, rate=4)[onset])
    val = val + slope * np.maximum(epochs - onset, 0) + rng.normal(0, noise, n)
    return RunHistory.from_arrays(train_loss=train, val_loss=val, **extra)


def with_accuracy(train_end: float, val_end: float, n: int = 40, loss: float = 0.3, **extra) -> RunHistory:
    """Losses that settle and accuracies that rise to the given ends."""
    up = 1 - np.exp(-6 * np.arange(n) / n)
    return RunHistory.from_arrays(
        train_loss=learning_curve(n, floor=loss),
        val_loss=learning_curve(n, floor=loss * 1.1),
        train_accuracy=0.1 + (train_end - 0.1) * up,
        val_accuracy=0.1 + (val_end - 0.1) * up,
        **extra,
    )
