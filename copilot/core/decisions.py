"""What the monitor says after an epoch: frozen documents, JSON in and out."""

from __future__ import annotations

from typing import Literal

from copilot.core.findings import Document, Number, Verdict

AlertKind = Literal["turning", "not_finite", "diverging", "gap", "held", "out_of_order"]


class MonitorAlert(Document):
    """Something to know that is no reason to stop; told once a kind and quantity."""

    kind: AlertKind
    message: str
    epoch: Number
    quantity: str = ""


class MonitorDecision(Document):
    """What the monitor thinks after an epoch.

    Attributes
    ----------
    epoch : number
        The epoch that was judged.
    stop : bool
        Validation has turned for good: more training makes the model worse.
    reason : str
        Why, in a sentence with its numbers.
    verdict : str
        The verdict so far; `OverfitMonitor.analyze` gives the full one.
    quantity : str
        What decides, for instance ``loss``; empty while nothing was logged on validation.
    value, best_value : float or None
        Validation now and at its best, as logged (scores as fractions).
    best_epoch : number or None
        The checkpoint to keep.
    epochs_since_best : int
        Epochs with a validation value since then.
    epochs_left : number or None
        What is left of ``total_epochs``.
    alerts : tuple of MonitorAlert
        What is new since the last update.
    """

    epoch: Number
    stop: bool
    reason: str
    verdict: Verdict
    quantity: str = ""
    value: float | None = None
    best_value: float | None = None
    best_epoch: Number | None = None
    epochs_since_best: int = 0
    epochs_left: Number | None = None
    alerts: tuple[MonitorAlert, ...] = ()
