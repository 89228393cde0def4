"""The curves of one run, aligned by epoch: what the checks measure. Every repair leaves a warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from copilot.core.alignment import IN_ORDER, Curve, Notes, align_pair
from copilot.core.clocks import AxisUsed
from copilot.core.curves import Gathered, gather
from copilot.core.findings import HistoryRecord, PairRecord
from copilot.core.naming import MetricName, is_fraction
from copilot.core.pairing import Sides, Trace, choose_sides
from copilot.core.pairs import LoggedSeries, Pair
from copilot.errors import InputError
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

MAX_POINTS = 2_000_000
PERCENT_FROM = 1.5  # a bounded score above this was logged in percent


@dataclass(frozen=True)
class RunHistory:
    """The history of one run.

    Attributes
    ----------
    epochs : ndarray of shape (n,)
        Logged axis values, ascending.
    pairs : tuple of Pair
        Loss first, then scores; quantities known on one side only have NaN on the other.
    warnings : tuple of str
        What was repaired or left out.
    name : str
        For people.
    times : ndarray of shape (n,) or None
        Seconds since 1970 at each epoch, where logged.
    params : dict
        What the run logged beside the curves (strings).
    steps : ndarray of shape (n,) or None
        Logged steps at each epoch, where the axis is not the step itself.
    trace : Trace or None
        What was done with each logged name; see `explain`.
    """

    epochs: np.ndarray
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...] = ()
    name: str = "history"
    times: np.ndarray | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    steps: np.ndarray | None = None
    trace: Trace | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_arrays(
        cls,
        *,
        epochs: Sequence[float] | None = None,
        name: str = "history",
        params: Mapping[str, Any] | None = None,
        train_pattern: Patterns = None,
        val_pattern: Patterns = None,
        **series: Sequence[float | None] | None,
    ) -> RunHistory:
        """Build a history from sequences, one keyword per metric (``train_loss=[...]``, ``val_loss=[...]``).

        Parameters
        ----------
        epochs : sequence of float, optional
            Axis values of every series. Default: 0, 1, 2, ... so that a best epoch indexes your lists.
        **series
            Values per epoch; ``None`` marks a missing value, NaN one that was logged as NaN.

        Raises
        ------
        InputError
            No series is a known metric, or lengths do not match.
        """
        logged = []
        for metric, values in series.items():
            if values is None:
                continue
            array = _floats(metric, values)
            steps = np.arange(len(array), dtype=float) if epochs is None else _floats("epochs", epochs)
            if len(steps) != len(array):
                raise InputError(
                    f"{metric} has {len(array)} values but there are {len(steps)} epochs.", "Give one value per epoch."
                )
            keep = np.array([v is not None for v in values], dtype=bool)
            logged.append(LoggedSeries(metric, array[keep], steps[keep]))
        return cls.from_series(logged, name=name, params=params, train_pattern=train_pattern, val_pattern=val_pattern)

    @classmethod
    def from_series(
        cls,
        series: Iterable[LoggedSeries],
        *,
        name: str = "history",
        params: Mapping[str, Any] | None = None,
        train_pattern: Patterns = None,
        val_pattern: Patterns = None,
        warnings: Iterable[str] = (),
    ) -> RunHistory:
        """Pair, align and repair series as they were logged; every reader ends here.

        Raises
        ------
        NoCurvesError
            None of the names is a metric that can be recognised; its `trace` says what was read of each.
        """
        name, notes = clean_text(name), Notes(warnings)
        found = gather(series, train_pattern, val_pattern, notes)
        if not found.named:
            raise _nothing_found(name, found)
        sides = choose_sides(found.named, notes, found.trace)
        return _assemble(sides, name, dict(params or {}), notes, found)

    @classmethod
    def empty(cls, name: str = "no history") -> RunHistory:
        """A history without curves, for a model whose run logged none."""
        return cls(np.zeros(0), (), (), name)

    @property
    def n_epochs(self) -> int:
        return len(self.epochs)

    @cached_property
    def counted_in(self) -> str:
        """What a row of the history is: ``epochs`` where the axis goes up by one, else ``evaluations``."""
        steps = np.diff(self.epochs)
        return "evaluations" if steps.size and np.median(steps) != 1 else "epochs"

    def record(self) -> HistoryRecord:
        """The history as it stands in the analysis document."""
        return HistoryRecord(
            epochs=_axis_values(self.epochs),
            pairs=tuple(
                PairRecord(
                    quantity=p.quantity,
                    train_name=p.train_name,
                    val_name=p.val_name,
                    train=_nullable(p.train, p.train_points),
                    val=_nullable(p.val, p.val_points),
                    higher_is_better=p.higher_is_better,
                )
                for p in self.pairs
            ),
            warnings=self.warnings,
        )


def counted(n: float, unit: str) -> str:
    """A number of things of which `unit` is the plural: ``1 epoch``, ``3 epochs``."""
    return f"{n:.0f} {unit[:-1] if n == 1 else unit}"


def axis_value(value: float) -> int | float:
    """A logged axis value for people: whole numbers as int."""
    return int(value) if float(value).is_integer() else float(value)


def _axis_values(epochs: np.ndarray) -> tuple[int | float, ...]:
    whole = np.isfinite(epochs).all() and (epochs == np.floor(epochs)).all()
    return tuple(epochs.astype(int).tolist() if whole else map(axis_value, epochs))


def _floats(name: str, values: Sequence[float | None]) -> np.ndarray:
    try:
        array = np.array([np.nan if v is None else v for v in values], dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} is not a sequence of numbers.", "Pass one number (or None) per epoch.") from None
    if array.size > MAX_POINTS:
        raise InputError(f"{name} has {array.size} values; at most {MAX_POINTS} can be read.", "Log once per epoch.")
    return array


def _nullable(values: np.ndarray, known: int) -> tuple[float | None, ...]:
    if known == len(values):
        return tuple(values.tolist())
    return tuple(v if ok else None for v, ok in zip(values.tolist(), np.isfinite(values).tolist(), strict=True))


class NoCurvesError(InputError):
    """Nothing that was logged is a curve of a known quantity; `trace` says what was read of each name of the run."""

    run = ""
    trace = Trace()


def _nothing_found(name: str, found: Gathered) -> NoCurvesError:
    known = sorted(metric for metric, _, read in found.trace.read if isinstance(read, MetricName))
    if known:
        error = NoCurvesError(f"{name}: no numbers in {', '.join(known[:6])[:200]}.", "Was anything logged?")
    else:
        seen = ", ".join(sorted({metric for metric, _, _ in found.trace.read})[:6])
        error = NoCurvesError(
            f"{name}: no metric was recognised (found: {seen[:200]})." if seen else f"{name}: no metrics were logged.",
            "Log curves such as train_loss and val_loss, or set metrics.train and metrics.val in the settings.",
        )
    error.run, error.trace = name, found.trace
    return error


def _assemble(chosen: dict[str, Sides], name: str, params: dict, notes: Notes, found: Gathered) -> RunHistory:
    aligned = []
    for quantity, sides in chosen.items():
        train, val = _as_fractions(quantity, sides, notes)
        aligned.append((quantity, sides, *align_pair(quantity, train, val, notes)))
    if notes.said(IN_ORDER):
        found.trace.axis = AxisUsed(
            "order", None, "Steps of training and validation differ; they were matched in order."
        )
    curves = [curve for _, _, *both in aligned for curve in both if len(curve.steps)]
    first = curves[0].steps
    alike = all(curve.steps is first for curve in curves)
    epochs = first if alike else np.unique(np.concatenate([curve.steps for curve in curves]))
    pairs = [_pair(quantity, sides, train, val, epochs) for quantity, sides, train, val in aligned]
    pairs.sort(
        key=lambda p: (not p.complete, p.kind != "loss", p.quantity != "loss", p.quantity != "accuracy", p.quantity)
    )
    return RunHistory(
        epochs, tuple(pairs), notes.lines(), name, _times(epochs, curves), params, _steps(epochs, curves), found.trace
    )


def _as_fractions(quantity: str, sides: Sides, notes: Notes) -> tuple[Curve | None, Curve | None]:
    """Both sides, divided by 100 where they were logged in percent."""
    curves = {split: curve for split, (_, curve) in sides.items()}
    if is_fraction(quantity):
        highest = {split: _percent_peak(curve) for split, curve in curves.items()}
        limit = 1.0 if max(highest.values()) > PERCENT_FROM else PERCENT_FROM  # one side in percent: so is the other
        for split in [split for split, peak in highest.items() if peak > limit]:
            notes.add("Logged in percent, so that it was divided by 100: {}.", sides[split][0].name)
            curves[split] = curves[split].scaled(0.01)
    return curves.get("train"), curves.get("val")


def _percent_peak(curve: Curve) -> float:
    """The largest value of a curve that lies between 0 and 100, else 0."""
    finite = curve.values[np.isfinite(curve.values)]
    return float(finite.max()) if finite.size and finite.min() >= 0 and finite.max() <= 100 else 0.0


def _pair(quantity: str, sides: dict, train: Curve, val: Curve, epochs: np.ndarray) -> Pair:
    metric = next(iter(sides.values()))[0]
    train_values, bad_train = train.on(epochs)
    val_values, bad_val = val.on(epochs)
    return Pair(
        quantity=quantity,
        kind=metric.kind,
        higher_is_better=metric.higher_is_better,
        train=train_values,
        val=val_values,
        train_name=sides["train"][0].name if "train" in sides else None,
        val_name=sides["val"][0].name if "val" in sides else None,
        bad_train=bad_train,
        bad_val=bad_val,
    )


def _times(epochs: np.ndarray, curves: list[Curve]) -> np.ndarray | None:
    timed = [c for c in curves if c.times is not None]
    if not timed:
        return None
    longest = max(timed, key=lambda c: len(c.steps))
    return longest.times if longest.steps is epochs else np.interp(epochs, longest.steps, longest.times)


def _steps(epochs: np.ndarray, curves: list[Curve]) -> np.ndarray | None:
    """The logged steps that count furthest, at each epoch; None where the epochs are the steps."""
    moved = [c for c in curves if c.logged is not None and len(c.steps) > 1]
    if not moved:
        return None
    furthest = max(moved, key=lambda c: c.logged[-1])
    return np.interp(epochs, furthest.steps, furthest.logged)
