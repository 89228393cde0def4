"""What was read from each logged name, what it was paired with or why not, and which axis was used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from copilot.core.history import RunHistory
from copilot.core.naming import MetricName
from copilot.core.pairing import Trace
from copilot.errors import InputError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NameReading(_Frozen):
    """One logged name.

    Attributes
    ----------
    points : int
        Rows that were logged; 0 for names whose rows are not read, since they are no curve.
    quantity, split, higher_is_better : optional
        What the name says; None where it is no measure.
    used_as : {"train", "val"} or None
        The side that it stands for; None where it was left out.
    paired_with : str or None
        The name on the other side.
    why : str
        Why it was left out, taken for what it does not say, or stands alone.
    """

    name: str
    points: int
    quantity: str | None
    split: Literal["train", "val", "test", "unknown"] | None
    higher_is_better: bool | None
    used_as: Literal["train", "val"] | None
    paired_with: str | None
    why: str


class AxisReading(_Frozen):
    """The axis: logged steps, an ``epoch`` metric, steps of a series that others were placed on by time, the order."""

    kind: Literal["step", "epoch metric", "time", "order"]
    name: str | None
    why: str
    first: float | None
    last: float | None
    n_epochs: int


class Explanation(_Frozen):
    """How the names of one run became pairs; made from the same trace that the pairing left."""

    schema_version: Literal["1"] = "1"
    run: str
    axis: AxisReading | None
    names: tuple[NameReading, ...]
    warnings: tuple[str, ...]


def explain(history: RunHistory) -> Explanation:
    """What was read from the names of a history, and why.

    Raises
    ------
    InputError
        The history was not made from logged series.
    """
    if history.trace is None:
        raise InputError(
            f"{history.name} was not made from logged series.", "Pass the run or the file that it came from."
        )
    return explain_trace(history.name, history.trace, history)


def explain_trace(run: str, trace: Trace, history: RunHistory | None = None) -> Explanation:
    """`explain` for names of which no history came."""
    roles = _roles(history)
    names = tuple(_reading(name, points, read, trace, roles.get(name)) for name, points, read in trace.read)
    ordered = sorted(
        names, key=lambda n: (n.used_as is None, n.quantity is None, n.quantity or "", n.used_as or "", n.name)
    )
    return Explanation(
        run=run, axis=_axis(trace, history), names=tuple(ordered), warnings=history.warnings if history else ()
    )


def _roles(history: RunHistory | None) -> dict[str, tuple[Literal["train", "val"], str | None]]:
    """For each name that is used its side, and the name on the other side where both have values."""
    roles: dict[str, tuple[Literal["train", "val"], str | None]] = {}
    for pair in history.pairs if history else ():
        if pair.train_name is not None:
            roles[pair.train_name] = ("train", pair.val_name)
        if pair.val_name is not None:
            roles[pair.val_name] = ("val", pair.train_name)
    return roles


def _reading(name: str, points: int, read, trace: Trace, role) -> NameReading:
    known = read if isinstance(read, MetricName) else None
    used_as, partner = role or (None, None)
    if known is None:
        on_axis = trace.axis is not None and trace.axis.kind == "epoch metric" and trace.axis.name == name
        why = "It is the axis." if on_axis else read.why
    elif role is None:
        why = trace.left.get(name, "It was not used.")
    else:
        why = trace.taken.get(name, "" if partner else _alone(known, used_as))
    return NameReading(
        name=name,
        points=points,
        quantity=known.quantity if known else None,
        split=known.split if known else None,
        higher_is_better=known.higher_is_better if known else None,
        used_as=used_as,
        paired_with=partner,
        why=why,
    )


def _alone(read: MetricName, used_as: str) -> str:
    other = "validation" if used_as == "train" else "training"
    return f"No {other} series of '{read.quantity}' was logged."


def _axis(trace: Trace, history: RunHistory | None) -> AxisReading | None:
    if history is None or trace.axis is None or not history.n_epochs:
        return None
    first, last = float(history.epochs[0]), float(history.epochs[-1])
    used = trace.axis
    return AxisReading(kind=used.kind, name=used.name, why=used.why, first=first, last=last, n_epochs=history.n_epochs)
