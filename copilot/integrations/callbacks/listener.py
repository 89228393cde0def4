"""What the callbacks share: a monitor, whether it may stop the run, and who hears what it says."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from copilot.core.decisions import MonitorDecision
from copilot.errors import InputError
from copilot.monitor import OverfitMonitor
from copilot.utils.validators import clean_text

LOG = logging.getLogger("mlops_copilot.monitor")  # a plain logger: the training script decides where its lines go


class Listener:
    """Feeds a monitor.

    Parameters
    ----------
    monitor : OverfitMonitor, optional
        Default: a new one, made from `options`.
    stop : bool, default True
        Whether a stop ends the run; else it is only told.
    on_decision : callable, optional
        Called with each `MonitorDecision`. Default: alerts and the stop are logged as warnings.
    **options
        See `OverfitMonitor`; only without `monitor`.

    Raises
    ------
    InputError
        An option is not known, or was given beside `monitor`.
    """

    def __init__(
        self,
        monitor: OverfitMonitor | None = None,
        *,
        stop: bool = True,
        on_decision: Callable[[MonitorDecision], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.monitor = _monitor(monitor, options)
        self.stop_training = stop
        self.on_decision = on_decision
        self._told_best: float | None = None

    def hear(self, epoch: float, metrics: Mapping[str, Any]) -> bool:
        """Pass an epoch on; returns whether to end the run."""
        decision = self.monitor.update(epoch, metrics)
        if self.on_decision is not None:
            self.on_decision(decision)
        else:
            self._log(decision)
        return decision.stop and self.stop_training

    def _log(self, decision: MonitorDecision) -> None:
        for alert in decision.alerts:
            LOG.warning("%s", alert.message)
        if decision.stop and self._told_best != decision.best_epoch:
            self._told_best = decision.best_epoch
            LOG.warning("%s", decision.reason)


def _monitor(given: OverfitMonitor | None, options: Mapping[str, Any]) -> OverfitMonitor:
    known = inspect.signature(OverfitMonitor).parameters
    if unknown := [name for name in options if name not in known]:
        raise InputError(f"Unknown option: {clean_text(unknown[0], 40)}.", f"Known: {', '.join(known)}.")
    if given is None:
        return OverfitMonitor(**options)
    if options:
        raise InputError(
            f"Both a monitor and options of one were given: {', '.join(options)}.",
            "Pass the options to OverfitMonitor, or leave the monitor out.",
        )
    return given
