"""Made histories whose right verdict, and onset, is known.

Each function returns a list of dictionaries:

    name      family and variant, for tables of mistakes
    series    {metric name: values}, to be given as ``RunHistory.from_arrays(**series)``; axis 0, 1, 2, ...
    label     the right verdict: healthy, overfitting, underfitting, unstable or inconclusive
    accepted  verdicts that are right too (a tuple with the label first)
    onset     planted onset as an epoch index, else None
    short     whether the run has at most 30 epochs

Same `n` and `seed`, same curves. Half of the runs are short (5 to 30 epochs), half long (31 to 400). See `_healthy.py`,
`_overfit.py` and `_broken.py` for what counts as what.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import _broken, _healthy, _overfit
from benchmarks._shapes import log_uniform

SHORTEST, SHORT, LONGEST = 5, 30, 400
Item = dict[str, Any]


def healthy(n: int, seed: int) -> list[Item]:
    """`n` healthy histories."""
    rng, items = np.random.default_rng([seed, 1]), []
    for _ in range(n):
        name, series = _pick(_healthy.FAMILIES, rng, _healthy.WEIGHTS)(_length(rng), rng)
        items.append(_item(name, series, ("healthy",)))
    return items


def overfitting(n: int, seed: int) -> list[Item]:
    """`n` overfitting histories with planted onsets; at least 8 epochs, so that there is a before and an after."""
    rng, items = np.random.default_rng([seed, 2]), []
    for _ in range(n):
        made = _pick(_overfit.FAMILIES, rng, _overfit.WEIGHTS)
        name, series, onset = made(max(8, _length(rng)), rng)
        items.append(_item(name, series, ("overfitting",), onset))
    return items


def broken(n: int, seed: int) -> list[Item]:
    """`n` histories of models too weak, of runs that never learned, oscillated, turned NaN or diverged."""
    rng, items = np.random.default_rng([seed, 3]), []
    for _ in range(n):
        items.append(_item(*_pick(_broken.BROKEN, rng)(_length(rng), rng)))
    return items


def ambiguous(n: int, seed: int) -> list[Item]:
    """`n` histories that tell too little: one side only, too short, or nothing but noise."""
    rng, items = np.random.default_rng([seed, 4]), []
    for _ in range(n):
        items.append(_item(*_pick(_broken.AMBIGUOUS, rng)(_length(rng), rng)))
    return items


def mixture(n: int, seed: int) -> list[Item]:
    """About `n` histories: 40 % healthy, 40 % overfitting, 15 % broken, 5 % ambiguous."""
    parts = ((healthy, 0.4), (overfitting, 0.4), (broken, 0.15), (ambiguous, 0.05))
    return [item for make, share in parts for item in make(round(share * n), seed)]


def _pick(families: tuple, rng: np.random.Generator, weights: tuple[float, ...] | None = None) -> Any:
    return families[int(rng.choice(len(families), p=weights))]


def _length(rng: np.random.Generator) -> int:
    if rng.random() < 0.5:
        return int(rng.integers(SHORTEST, SHORT + 1))
    return round(log_uniform(rng, SHORT + 1, LONGEST))


def _item(name: str, series: dict[str, np.ndarray], accepted: tuple[str, ...], onset: int | None = None) -> Item:
    short = len(next(iter(series.values()))) <= SHORT
    return {"name": name, "series": series, "label": accepted[0], "accepted": accepted, "onset": onset, "short": short}
