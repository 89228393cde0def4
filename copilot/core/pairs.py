"""One metric as it was logged, and one quantity on training and validation side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from copilot.core.naming import Kind, is_fraction


@dataclass(frozen=True)
class LoggedSeries:
    """One metric as it was logged: any order, any grid.

    Parameters
    ----------
    name : str
    values : ndarray of shape (n,)
        NaN or infinite where the run logged that.
    steps : ndarray of shape (n,), optional
        Logged axis values. Default: 0, 1, 2, ...
    times : ndarray of shape (n,), optional
        Seconds since 1970.
    """

    name: str
    values: np.ndarray
    steps: np.ndarray | None = None
    times: np.ndarray | None = None


@dataclass(frozen=True)
class Pair:
    """One quantity on train and validation, aligned with the history's epochs; NaN where missing.

    ``bad_train`` and ``bad_val`` mark epochs at which the run logged NaN or an infinity.
    """

    quantity: str
    kind: Kind
    higher_is_better: bool
    train: np.ndarray
    val: np.ndarray
    train_name: str | None = None
    val_name: str | None = None
    bad_train: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    bad_val: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def to_cost(self, values: np.ndarray) -> np.ndarray:
        """Values as costs, which fall when a model improves: losses as they are, one minus a score from 0 to 1."""
        if not self.higher_is_better:
            return values
        return 1.0 - values if is_fraction(self.quantity) else -values

    def from_cost(self, cost: float) -> float:
        """A cost as the quantity was logged."""
        if not self.higher_is_better:
            return cost
        return 1.0 - cost if is_fraction(self.quantity) else -cost

    @cached_property
    def train_points(self) -> int:
        """Epochs with a training value."""
        return int(np.isfinite(self.train).sum())

    @cached_property
    def val_points(self) -> int:
        """Epochs with a validation value."""
        return int(np.isfinite(self.val).sum())

    @cached_property
    def best_index(self) -> int:
        """Index of the best validation value; there must be one."""
        known = np.isfinite(self.val)
        if self.higher_is_better:
            return int(np.where(known, self.val, -np.inf).argmax())
        return int(np.where(known, self.val, np.inf).argmin())

    @property
    def complete(self) -> bool:
        """Whether both sides have values."""
        return bool(self.train_points and self.val_points)
