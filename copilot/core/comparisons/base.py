"""A group of runs measured as arrays, and the ComparisonCheck protocol: one outcome for the whole group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from copilot.core.checks.base import BaseCheck, percent
from copilot.core.comparisons.document import Axis
from copilot.core.comparisons.members import GroupMember, RegisteredVersion
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory, axis_value
from copilot.core.naming import is_fraction, parse_metric_name
from copilot.core.pairs import Pair
from copilot.core.statistics import noise_scale, tail_length
from copilot.utils.names import told_apart
from copilot.utils.validators import clean_text

_COUNTED = ("runs", "folds", "images", "sizes", "configurations", "parameters", "cross-validations")


@dataclass(frozen=True)
class Measured:
    """The group's quantity in every run, as arrays over the members; NaN where a run lacks it.

    Costs run downwards when a model improves: the loss itself, or one minus a score.

    Attributes
    ----------
    best, epoch : ndarray of shape (members,)
        Lowest validation cost, and the logged axis value it was reached at.
    gap, gap_end : ndarray of shape (members,)
        Validation minus training cost at the best epoch, and over the last tenth of training.
    noise : ndarray of shape (members,)
        Point-to-point noise of the validation curve; NaN below five points.
    """

    quantity: str
    higher_is_better: bool
    best: np.ndarray
    epoch: np.ndarray
    gap: np.ndarray
    gap_end: np.ndarray
    noise: np.ndarray

    @property
    def bounded(self) -> bool:
        """Whether the quantity runs from 0 to 1."""
        return is_fraction(self.quantity)

    @property
    def unit(self) -> str:
        return "fraction" if self.bounded else ""

    def logged(self, cost: float) -> float:
        """A cost in the quantity's own direction."""
        if not self.higher_is_better:
            return float(cost)
        return float(1.0 - cost) if self.bounded else float(-cost)

    def say(self, cost: float) -> str:
        """A cost as people read the quantity: ``91.2 %`` or ``0.412``."""
        return percent(self.logged(cost), 1) if self.bounded else f"{self.logged(cost):.3g}"

    def amount(self, difference: float) -> str:
        """A difference of costs as people read it: ``3.1 points`` (of a hundred) or ``0.041``."""
        return f"{difference * 100:.1f} points" if self.bounded else f"{difference:.3g}"

    def size(self, points: float, share: float, around: float) -> float:
        """The cost difference that counts: `points` of a score, or `share` of a loss of about `around`."""
        return points if self.bounded else share * max(abs(around), 1e-12)


@dataclass(frozen=True)
class RunGroup:
    """Runs that are judged together.

    Attributes
    ----------
    members : tuple of GroupMember
    baseline : str or None
        Run id of the one that the others are measured against.
    parent : str or None
        Run id whose children the members are, where a person said that they are folds.
    preference : sequence of str
        Quantities in order of preference (``detection.metrics``).
    wanted : str or None
        The quantity to compare by, however few runs have it.
    axis : {"epoch", "step", "time"} or None
        Put the runs side by side on this axis, too.
    model : str or None
        The registered model of whose `versions`, the oldest first, these are the runs.
    """

    members: tuple[GroupMember, ...]
    baseline: str | None = None
    parent: str | None = None
    preference: Sequence[str] = ()
    wanted: str | None = None
    axis: Axis | None = None
    model: str | None = None
    versions: Sequence[RegisteredVersion] = ()

    @cached_property
    def reference(self) -> int | None:
        """Index of the baseline."""
        return next((i for i, m in enumerate(self.members) if self.baseline and m.run_id == self.baseline), None)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Each member's name for sentences and sources; alike ones get the end of their run id, or their number."""
        ids = [m.run_id or str(i) for i, m in enumerate(self.members, 1)]
        return told_apart([m.label for m in self.members], ids)

    @cached_property
    def n_train(self) -> np.ndarray:
        """Training images of each member, NaN where no parameter says."""
        return np.array([np.nan if m.n_train is None else m.n_train for m in self.members], dtype=float)

    @cached_property
    def n_val(self) -> np.ndarray:
        """Validation images of each member, NaN where no parameter says."""
        return np.array([np.nan if m.n_val is None else m.n_val for m in self.members], dtype=float)

    @cached_property
    def quantity(self) -> str | None:
        """What the group is compared by: the preferred quantity that most runs validate, else a score, else the loss.

        A score comes before the loss: losses of differently configured runs (smoothed labels, class weights) share no
        scale, and the noise of a score is known from the size of the validation set.
        """
        if self.wanted is not None:
            return self._wanted()
        asked = self.members if self.reference is None else self.members[self.reference : self.reference + 1]
        known = {p.quantity for m in asked for p in m.history.pairs if np.isfinite(p.val).any()}
        runs: Counter[str] = Counter()
        kinds = {}
        for member in self.members:
            for pair in member.history.pairs:
                if pair.quantity in known and np.isfinite(pair.val).any():
                    runs[pair.quantity] += 1
                    kinds[pair.quantity] = pair.kind
        most = [q for q, n in runs.most_common() if 2 * n >= len(self.members)]
        for name in map(quantity_of, self.preference):
            if name in most:
                return name
        scores = [q for q in most if is_fraction(q)]
        losses = [q for q in most if kinds[q] == "loss"]
        ranked = [
            *(q for q in scores if q == "accuracy"),
            *scores,
            *losses,
            *most,
            *(q for q, _ in runs.most_common(1)),
        ]
        return ranked[0] if ranked else None

    def _wanted(self) -> str | None:
        name = quantity_of(self.wanted)
        pairs = (p for m in self.members for p in m.history.pairs if p.quantity == name)
        return name if any(np.isfinite(p.val).any() for p in pairs) else None

    @cached_property
    def measured(self) -> Measured | None:
        """The group's quantity in every run, or None where no run validated anything."""
        if self.quantity is None:
            return None
        rows = np.full((5, len(self.members)), np.nan)
        higher = False
        for i, member in enumerate(self.members):
            pair = next((p for p in member.history.pairs if p.quantity == self.quantity), None)
            if pair is not None and np.isfinite(pair.val).any():
                rows[:, i] = measure(member.history, pair)
                higher = pair.higher_is_better
        return Measured(self.quantity, higher, *rows)


def quantity_of(name: str) -> str:
    """The quantity that a person means, who may have written the name of a metric."""
    parsed = parse_metric_name(name)
    return parsed.quantity if parsed else name


def measure(history: RunHistory, pair: Pair) -> tuple[float, float, float, float, float]:
    """The row of `Measured` of one run, which must have a validation value: best, epoch, gap, gap_end, noise."""
    val, train = pair.to_cost(pair.val), pair.to_cost(pair.train)
    on = np.isfinite(val)
    at = int(np.argmin(np.where(on, val, np.inf)))
    noise = float(noise_scale(val[on])) if on.sum() >= 5 else np.nan
    gaps = val - train
    both = np.flatnonzero(np.isfinite(gaps))
    if not both.size:
        return val[at], history.epochs[at], np.nan, np.nan, noise
    near = both[np.abs(both - at).argmin()]  # training may be logged at other epochs than validation
    return val[at], history.epochs[at], gaps[near], float(gaps[both[-tail_length(both.size) :]].mean()), noise


class ComparisonCheck(Protocol):
    """A check of a group of runs: ``compare`` turns the group into one outcome.

    ``thresholds`` is an instance of the check's own frozen ``Thresholds``, as with the checks of one run.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[dict[str, str]]
    thresholds: Any

    def compare(self, group: RunGroup) -> Outcome: ...


class BaseComparison(BaseCheck):
    """What every comparison check shares: its thresholds, and the making of outcomes and evidence."""

    scope: ClassVar[str] = "runs together"

    def fact(
        self,
        name: str,
        value: float | str,
        unit: str = "",
        *,
        source: str = "",
        quantity: str | None = None,
        epoch: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> Evidence:
        """One number as evidence, with the interval `between` which it lies; `source` is the run or parameter."""
        low, high = between or (None, None)
        return Evidence(
            name=name,
            value=_tidy(value, unit),
            unit=unit,
            epoch=None if epoch is None else axis_value(epoch),
            source=clean_text(source, 200),
            quantity=quantity,
            low=None if low is None else _tidy(low, unit),
            high=None if high is None else _tidy(high, unit),
        )


def say_p(p: float) -> str:
    """A p-value as people read it."""
    return "p below 0.001" if p < 0.001 else f"p {p:.2g}"


def counted(n: int, what: str) -> str:
    """A number of things: ``1 run``, ``3 runs``."""
    return f"{n} {what}{'s' * (n != 1)}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _tidy(value: float | str, unit: str) -> float | int | str:
    if isinstance(value, str):
        return clean_text(value, 200)
    if not np.isfinite(value):
        return float("nan")
    return axis_value(value) if unit in _COUNTED else float(f"{value:.6g}")
