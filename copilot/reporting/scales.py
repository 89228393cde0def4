"""Where the points of a chart go: scales with ticks, the stretches of a curve with holes, thinning of long curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from copilot.core.naming import is_fraction

MAX_POINTS = 600  # more than a chart has columns of pixels
_EXPLOSION = 50  # a largest value this many times the median leaves a linear chart flat
_ROOM = 0.04
_NEAR_ZERO = 0.2

Values = Sequence[float | None]


class Scale(NamedTuple):
    """Data values to pixels, linear or logarithmic; `factor` turns a value into what its tick says."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    factor: float = 1.0
    whole: bool = False

    @classmethod
    def of_epochs(cls, epochs: Sequence[float], start: float, end: float) -> Scale:
        whole = all(float(e).is_integer() for e in epochs)
        return cls(epochs[0], epochs[-1], start, end, whole=whole)

    @classmethod
    def of_values(cls, values: Values, quantity: str, start: float, end: float) -> Scale:
        """A little wider than the values; scores from 0 to 1 in percent; logarithmic where a loss explodes."""
        there = [v for v in values if v is not None and math.isfinite(v)]
        low, high = min(there), max(there)
        if low > 0 and high > _EXPLOSION * median(there):
            return cls(low, high, start, end, log=True)
        room = _ROOM * ((high - low) or abs(high) or 1.0)
        if is_fraction(quantity) and low >= 0 and high <= 1:
            return cls(max(low - room, 0.0), min(high + room, 1.0), start, end, factor=100.0)
        from_zero = 0 <= low <= _NEAR_ZERO * high
        return cls(0.0 if from_zero else low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """At most about `count` round values in range, each with what to write."""
        if self.log:
            return self._powers(count)
        low, high = self.low * self.factor, self.high * self.factor
        if high <= low:
            return [(self.low, f"{low:.6g}")]
        step = _round_step((high - low) / count)
        step = max(step, 1.0) if self.whole else step
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(k * step / self.factor, _tick_text(k * step, digits)) for k in range(first, last + 1)]

    def _powers(self, count: int) -> list[tuple[float, str]]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        stride = max(1, math.ceil((last - first + 1) / count))
        return [(10.0**k, f"{10.0**k:g}") for k in range(first, last + 1, stride)]


def stretches(values: Values, kept: Sequence[int] | None = None) -> list[list[int]]:
    """Indices of the values that a line joins; it breaks at holes, not at the even steps of a sparse metric.

    Parameters
    ----------
    values : sequence of float or None
    kept : sequence of int, optional
        Only these indices are drawn.
    """
    there = [i for i, v in enumerate(values) if v is not None and math.isfinite(v)]
    steps = [b - a for a, b in pairwise(there)]
    usual = median(steps) if steps else 1
    runs: list[list[int]] = []
    for k, i in enumerate(there):
        if k == 0 or steps[k - 1] > 1.5 * usual:
            runs.append([])
        runs[-1].append(i)
    if kept is None:
        return runs
    wanted = set(kept)
    return [drawn for run in runs if (drawn := [i for i in run if i in wanted])]


def kept_points(epochs: Sequence[float], sides: Sequence[Values], marks: Sequence[float | None]) -> list[int]:
    """Indices to draw: all, or of a long curve the ends, the marked epochs, and the extremes of each stretch."""
    n = len(epochs)
    if n <= MAX_POINTS:
        return list(range(n))
    size = math.ceil(n / (MAX_POINTS / (2 * len(sides))))
    kept = {0, n - 1, *(i for i, e in enumerate(epochs) if e in marks)}
    for side in sides:
        for start in range(0, n, size):
            there = [i for i in range(start, min(start + size, n)) if side[i] is not None]
            if there:
                kept |= {min(there, key=side.__getitem__), max(there, key=side.__getitem__)}
    return sorted(kept)


def _round_step(least: float) -> float:
    power = 10 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def _tick_text(value: float, digits: int) -> str:
    return f"{value:g}" if abs(value) >= 1e6 or digits > 6 else f"{value:.{digits}f}"
