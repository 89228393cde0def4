"""One quantity of a run that is still going: which logged names stand for it, and the stop rule that follows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from copilot.core.history import PERCENT_FROM
from copilot.core.naming import Kind, MetricName, is_fraction
from copilot.core.stopping import StopReading, StopThresholds, StopWatch

Logged = Mapping[str, Mapping[float, float]]  # metric name -> epoch -> value
VAL, TRAIN = 0, 1  # rows of the watch
NO_SPAN = (np.inf, -np.inf)  # first and last epoch with a validation value, before there is one


@dataclass(frozen=True)
class Sources:
    """The names that stand for training and validation, and the factor that makes fractions of percentages."""

    train: str | None = None
    val: str | None = None
    factor: float = 1.0


class FollowedQuantity:
    """A quantity on train and validation, as costs that fall when the model improves.

    The last epoch stays open: what is logged for it later (training after validation, a corrected value) replaces it.
    """

    def __init__(self, name: MetricName, thresholds: StopThresholds) -> None:
        self.quantity = name.quantity
        self.kind: Kind = name.kind
        self.higher_is_better = name.higher_is_better
        self.bounded = is_fraction(name.quantity)
        self.thresholds = thresholds
        self.sources = Sources()
        self.names: dict[str, MetricName] = {}
        self.reading: StopReading | None = None
        self.first: dict[int, float] = {}
        self.best_epoch: float | None = None
        self._closed = self._fresh()
        self._open_epoch: float | None = None
        self._closed_best: tuple[float | None, float] = (None, np.inf)
        self._span = self._closed_span = NO_SPAN

    def _fresh(self) -> StopWatch:
        return StopWatch(2, self.thresholds, self.bounded)

    def add_name(self, name: MetricName) -> None:
        """Note that this name was logged for the quantity."""
        self.names.setdefault(name.name, name)

    def advance(self, epoch: float, logged: Logged) -> None:
        """Take in what is logged for `epoch`; when another name or unit turns out to be the right one, start afresh."""
        sources = self._choose(logged)
        if sources != self.sources:
            self.sources = sources
            self._start_again(epoch, logged)
        self._step(epoch, logged)

    def costs(self, epoch: float, logged: Logged) -> tuple[float, float]:
        """Validation and training cost at `epoch`; NaN where none is logged."""
        return self._cost(self.sources.val, epoch, logged), self._cost(self.sources.train, epoch, logged)

    def value(self, cost: float) -> float:
        """A cost in the quantity's own direction, as a fraction where it is one."""
        if not self.higher_is_better:
            return float(cost)
        return float(1.0 - cost if self.bounded else -cost)

    @property
    def followed(self) -> bool:
        """Whether validation has had a value."""
        return bool(self.reading is not None and np.isfinite(self.reading.best[VAL]))

    @property
    def watched(self) -> int:
        """Epochs with a validation value."""
        return 0 if self.reading is None else int(self.reading.seen[VAL])

    @property
    def unit(self) -> str:
        """What one validation value stands for: an "epoch" where they lie one epoch apart, else an "evaluation"."""
        first, last = self._span
        return "epoch" if math.isclose(last - first, self.watched - 1, abs_tol=1e-6) else "evaluation"

    def _start_again(self, epoch: float, logged: Logged) -> None:
        self._closed, self._open_epoch, self.reading, self.first = self._fresh(), None, None, {}
        self._closed_best, self.best_epoch = (None, np.inf), None
        self._span = self._closed_span = NO_SPAN
        names = [n for n in (self.sources.train, self.sources.val) if n]
        for earlier in sorted({e for n in names for e in logged[n] if e < epoch}):
            self._step(earlier, logged)

    def _step(self, epoch: float, logged: Logged) -> None:
        val, train = self.costs(epoch, logged)
        if epoch != self._open_epoch:
            self._close()
            self._open_epoch = epoch
        self._watch = self._closed.copy()
        for row, cost in ((VAL, val), (TRAIN, train)):
            if np.isfinite(cost):
                self.first.setdefault(row, cost)
        self.reading = self._watch.update(np.array([val, train]), np.array([train, train]))
        earlier_epoch, earlier = self._closed_best
        self.best_epoch = epoch if np.isfinite(val) and val < earlier else earlier_epoch
        self._span = (min(self._closed_span[0], epoch), epoch) if np.isfinite(val) else self._closed_span

    def _close(self) -> None:
        if self._open_epoch is not None:
            self._closed, self._closed_span = self._watch, self._span
            self._closed_best = (self.best_epoch, float(self.reading.best[VAL]) if self.reading else np.inf)

    def _cost(self, name: str | None, epoch: float, logged: Logged) -> float:
        value = logged[name].get(epoch, np.nan) * self.sources.factor if name else np.nan
        if not np.isfinite(value):
            return float("nan")
        return (1.0 - value if self.bounded else -value) if self.higher_is_better else value

    def _choose(self, logged: Logged) -> Sources:
        """Validation by name, else the test split; training by name, else a name without a split (`loss`)."""
        val = self._first_of("val") or self._first_of("test")
        train = self._first_of("train") or self._first_of("unknown")
        percent = self.bounded and (self.sources.factor != 1.0 or self._looks_like_percent((val, train), logged))
        return Sources(train, val, 0.01 if percent else 1.0)

    def _first_of(self, split: str) -> str | None:
        named = [n for n in self.names.values() if n.split == split]
        return min(named, key=lambda n: (n.rank, len(n.name), n.name)).name if named else None

    @staticmethod
    def _looks_like_percent(names: tuple[str | None, ...], logged: Logged) -> bool:
        latest = [next(reversed(logged[n].values())) for n in names if n and logged[n]]
        return any(PERCENT_FROM < value <= 100 for value in latest)
