"""Made training runs with what makes stopping hard: learning-rate drops, noise, late improvements."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

LENGTHS = (60, 100, 150, 200, 200, 300, 500)


def made_runs(count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and validation losses of `count` runs.

    Validation is a floor, plus a fit that decays, plus what the learning rate keeps it from reaching, plus memorisation
    (none to strong) from a random onset on, plus white or correlated noise, a third of the runs with wild epochs.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield _run(rng)


def _rate(rng: np.random.Generator, t: np.ndarray) -> tuple[str, np.ndarray]:
    n, kind = len(t), str(rng.choice(["step", "step", "step", "cosine", "constant"]))
    if kind == "step":
        drops = np.sort(rng.uniform(0.2, 0.9, rng.integers(1, 4)) * n).astype(int)
        return kind, np.prod([np.where(t >= d, rng.choice([0.1, 0.1, 0.2, 0.3]), 1.0) for d in drops], axis=0)
    return kind, 0.5 * (1 + np.cos(np.pi * t / n)) + 0.001 if kind == "cosine" else np.ones(n)


def _run(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    t = np.arange(int(rng.choice(LENGTHS)))
    n = len(t)
    kind, rate = _rate(rng, t)
    fit = np.exp(-((t / (n * rng.uniform(0.02, 0.2))) ** rng.uniform(0.5, 1.0)))
    start = rng.uniform(0.7, 4.6)
    floor = start * rng.uniform(0.1, 0.75)
    unreached = (rng.uniform(0.05, 0.6) if kind != "constant" else 0.0) * floor * _lagging(rng, rate)
    learned = np.where(rate < 0.5, 1.0, rng.choice([0.0, 0.0, 0.1, 0.3, 1.0]) if kind != "constant" else 1.0)
    onset = (rng.uniform(0, 1.2) if kind == "constant" else rng.uniform(0, 0.5)) * n
    memorised = 1 - np.exp(-np.cumsum(learned * (t > onset)) / n / rng.uniform(0.1, 1.5))
    harm = rng.choice([0.0, 0.0, 0.02, 0.05, 0.1, 0.3, 0.8, 2.0])
    val = floor + (start - floor) * fit + unreached + harm * floor * memorised
    train = 0.8 * floor + (start - 0.8 * floor) * fit + unreached * rng.uniform(0.8, 1.3)
    train *= 1 - 0.9 * rng.uniform(0.3, 1) * memorised
    scale = rng.choice([0.0005, 0.003, 0.01, 0.02, 0.04]) * floor * rate ** rng.uniform(0.2, 0.7) + 0.0003 * floor
    return train + 0.3 * scale * rng.normal(size=n), val + scale * _noise(rng, n)


def _lagging(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """What a curve still feels of the learning rate: it follows within a few epochs."""
    power, speed = rng.uniform(0.4, 0.6), rng.uniform(0.2, 0.9)
    felt = np.ones(len(rate))
    for i in range(1, len(rate)):
        felt[i] = felt[i - 1] + (rate[i] ** power - felt[i - 1]) * speed
    return felt


def _noise(rng: np.random.Generator, n: int) -> np.ndarray:
    noise, memory = rng.normal(size=n), rng.choice([0.0, 0.0, 0.5])
    for i in range(1, n):
        noise[i] = memory * noise[i - 1] + np.sqrt(1 - memory**2) * noise[i]
    wild = rng.random(n) < 0.04 * (rng.random() < 0.4)
    return np.where(wild, np.abs(rng.standard_t(2, n)) * 4, noise)
