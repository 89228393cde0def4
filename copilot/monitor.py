"""OverfitMonitor: follows a run while it trains and says, epoch by epoch, whether to stop and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from copilot.core import signs
from copilot.core.checks.generalisation_gap import GapThresholds
from copilot.core.checks.instability import InstabilityThresholds
from copilot.core.decisions import AlertKind, MonitorAlert, MonitorDecision
from copilot.core.findings import Number, Verdict
from copilot.core.followed import VAL, FollowedQuantity
from copilot.core.history import RunHistory, axis_value
from copilot.core.naming import MetricName, parse_metric_name
from copilot.core.pairs import LoggedSeries
from copilot.core.stopping import StopThresholds
from copilot.errors import InputError
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.results import AnalysisResult

MAX_NAMES = 200  # metric names that are kept of one run
MAX_QUANTITIES = 8  # quantities that the rule follows


class OverfitMonitor:
    """Follows one run; each update costs the same, however long the run is.

    Parameters
    ----------
    metric : str, optional
        What decides, by quantity or logged name (``"accuracy"``, ``"val_f1"``). Default: the loss, and a stop waits
        while a validation score still reaches new bests.
    total_epochs : int, optional
        Planned length, to say how many epochs a stop saves.
    thresholds : StopThresholds or mapping, optional
        The stop rule's numbers.
    train_pattern, val_pattern : str, optional
        The project's own metric names, ``{}`` standing for the quantity.
    name : str, optional
        Name of the run.
    gap, instability : GapThresholds, InstabilityThresholds, optional
        Limits of the checks OVF101 and OVF104, for the alerts ``gap`` and ``diverging``.

    Examples
    --------
    >>> monitor = OverfitMonitor()
    >>> monitor.update(0, train_loss=2.3, val_loss=2.2).stop
    False
    """

    def __init__(
        self,
        metric: str | None = None,
        *,
        total_epochs: int | None = None,
        thresholds: StopThresholds | Mapping[str, Any] | None = None,
        train_pattern: Patterns = None,
        val_pattern: Patterns = None,
        name: str = "run",
        gap: GapThresholds | None = None,
        instability: InstabilityThresholds | None = None,
    ) -> None:
        self.name = clean_text(name)
        self.total_epochs = total_epochs
        self.thresholds = _thresholds(thresholds)
        self._gap, self._instability = gap or GapThresholds(), instability or InstabilityThresholds()
        self._patterns = (train_pattern, val_pattern)
        self._metric = self._quantity_of(metric) if metric else None
        self._logged: dict[str, dict[float, float]] = {}
        self._followed: dict[str, FollowedQuantity] = {}
        self._told: set[tuple[str, str]] = set()
        self._epoch: float | None = None
        self._first: float | None = None
        self.decision: MonitorDecision | None = None

    def update(
        self, epoch: float | None = None, metrics: Mapping[str, Any] | None = None, /, **named: Any
    ) -> MonitorDecision:
        """Take in what was logged for an epoch.

        Parameters
        ----------
        epoch : float, optional
            Default: one after the last. The same epoch again adds to it or corrects it; an earlier one is kept for the
            history, but not judged.
        metrics, **named
            Values by logged name (``train_loss=...``); any number or tensor of one. None and names that are no curve
            are passed over, NaN is noted.

        Raises
        ------
        InputError
            The epoch is no number.
        """
        epoch = self._placed(named.pop("epoch", epoch) if epoch is None else epoch)
        self._first = epoch if self._first is None else self._first
        late = self._epoch is not None and epoch < self._epoch
        values = self._note(epoch, {**(metrics or {}), **named})
        alerts = self._not_finite(epoch, values)
        if late:
            came, last = axis_value(epoch), axis_value(self._epoch)
            message = f"Epoch {came:.10g} came after epoch {last:.10g}: kept, not judged."
            alerts += self._once("out_of_order", "", epoch, message)
            epoch = self._epoch
        else:
            self._epoch = epoch
            for followed in self._followed.values():
                followed.advance(epoch, self._logged)
        self.decision = self._decide(epoch, alerts)
        return self.decision

    def feed(self, history: RunHistory) -> list[MonitorDecision]:
        """Take in the epochs of a history that came since the last one, that one included (it may have grown)."""
        start = 0 if self._epoch is None else int(np.searchsorted(history.epochs, self._epoch))
        return [self.update(float(history.epochs[i]), _row(history, i)) for i in range(start, history.n_epochs)]

    def history(self) -> RunHistory:
        """Everything that was logged so far.

        Raises
        ------
        InputError
            Nothing that is a known metric was logged.
        """
        series = [
            LoggedSeries(name, np.array(list(at.values()), float), np.array(list(at), float))
            for name, at in self._logged.items()
        ]
        train, val = self._patterns
        return RunHistory.from_series(series, name=self.name, train_pattern=train, val_pattern=val)

    def analyze(self) -> AnalysisResult:
        """The full analysis of the run so far, with the checks as they are by default."""
        from copilot.core.analysis import analyse
        from copilot.core.checks import load_checks
        from copilot.results import AnalysisResult

        subject = {"kind": "history", "run_name": self.name}
        return AnalysisResult(analyse([self.history()], [subject], load_checks())[0])

    # What was logged.

    def parse(self, name: str) -> MetricName | None:
        """What a logged name says, by the monitor's own patterns first; None for a name that is no curve."""
        return parse_metric_name(clean_text(name), *self._patterns)

    def _quantity_of(self, metric: str) -> str:
        parsed = self.parse(metric)
        if parsed is None:
            raise InputError(
                f"'{clean_text(metric, 80)}' is no metric that is known.", "Pass loss, accuracy, val_f1 ..."
            )
        return parsed.quantity

    def _placed(self, epoch: Any) -> float:
        if epoch is None:
            return 0.0 if self._epoch is None else math.floor(self._epoch) + 1.0
        number = as_number(epoch)
        if number is None or not math.isfinite(number):
            raise InputError(f"The epoch is no number: {clean_text(epoch, 40)}.", "Pass 0, 1, 2, ...")
        return number

    def _note(self, epoch: float, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Keep the values that are curves; returns them by name."""
        kept = {}
        for name, given in metrics.items():
            value, name = as_number(given), clean_text(name)
            parsed = self.parse(name) if value is not None else None
            if parsed is None or (name not in self._logged and len(self._logged) >= MAX_NAMES):
                continue
            self._logged.setdefault(name, {})[epoch] = kept[name] = value
            if parsed.quantity not in self._followed and len(self._followed) < MAX_QUANTITIES:
                self._followed[parsed.quantity] = FollowedQuantity(parsed, self.thresholds)
            if parsed.quantity in self._followed:
                self._followed[parsed.quantity].add_name(parsed)
        return kept

    # What it means.

    def _decide(self, epoch: float, alerts: list[MonitorAlert]) -> MonitorDecision:
        for f in self._followed.values():
            alerts += self._once("diverging", f.quantity, epoch, signs.diverging(f, self._instability))
            alerts += self._once("gap", f.quantity, epoch, signs.gap(f, self._gap))
        chosen = self._decisive()
        left = self._left(epoch)
        common = {"epoch": axis_value(epoch), "epochs_left": left}
        if chosen is None:
            reason = "Nothing was logged on validation yet; log a metric such as val_loss."
            return MonitorDecision(
                stop=False, reason=reason, verdict=self._verdict(None, epoch), alerts=tuple(alerts), **common
            )
        turned = bool(chosen.reading.turned[VAL])
        held = self._improving_score() if turned and chosen.kind != "score" and self._metric is None else None
        stop = turned and held is None
        alerts += self._once("turning", chosen.quantity, epoch, signs.turning(chosen))
        if held is not None:
            message = f"Validation {chosen.quantity} has turned, but validation {held.quantity} still improves."
            alerts += self._once("held", chosen.quantity, epoch, message)
        reading, now = chosen.reading, chosen.costs(epoch, self._logged)[VAL]
        return MonitorDecision(
            stop=stop,
            reason=signs.turned(chosen, left) if stop else signs.going_on(chosen, now, held),
            verdict="overfitting" if turned else self._verdict(chosen, epoch),
            quantity=chosen.quantity,
            value=chosen.value(now) if math.isfinite(now) else None,
            best_value=chosen.value(reading.best[VAL]),
            best_epoch=axis_value(chosen.best_epoch),
            epochs_since_best=int(reading.since_best[VAL]),
            alerts=tuple(alerts),
            **common,
        )

    def _left(self, epoch: float) -> Number | None:
        if self.total_epochs is None:
            return None
        last = self.total_epochs if self._first == 1 else self.total_epochs - 1  # epochs may count from 1
        return max(0, axis_value(last - epoch))

    def _decisive(self) -> FollowedQuantity | None:
        """The named quantity; else the loss, else any other loss, else the first score."""
        known = [f for f in self._followed.values() if f.followed]
        if self._metric:
            return next((f for f in known if f.quantity == self._metric), None)
        return min(
            known, key=lambda f: (f.kind != "loss", f.quantity != "loss", f.quantity != "accuracy"), default=None
        )

    def _improving_score(self) -> FollowedQuantity | None:
        """A score whose level reached a new best within the last epochs."""
        scores = (f for f in self._followed.values() if f.followed and f.kind == "score")
        hold = self.thresholds.hold
        return next((f for f in scores if f.reading.since_best_level[VAL] < hold), None)

    def _verdict(self, chosen: FollowedQuantity | None, epoch: float) -> Verdict:
        broken = any(not math.isfinite(at.get(epoch, 0.0)) for at in self._logged.values())
        if broken or any(signs.has_diverged(f, self._instability) for f in self._followed.values()):
            return "unstable"
        if chosen is None or np.isnan(chosen.reading.level[VAL]) or chosen.watched < self.thresholds.warm_up:
            return "inconclusive"
        return "healthy"

    # Alerts.

    def _once(self, kind: AlertKind, quantity: str, epoch: float, message: str | None) -> list[MonitorAlert]:
        if message is None or (kind, quantity) in self._told:
            return []
        self._told.add((kind, quantity))
        return [MonitorAlert(kind=kind, message=message, epoch=axis_value(epoch), quantity=quantity)]

    def _not_finite(self, epoch: float, values: Mapping[str, float]) -> list[MonitorAlert]:
        found: list[MonitorAlert] = []
        for name in (n for n, v in values.items() if not math.isfinite(v)):
            what = "NaN" if math.isnan(values[name]) else "infinite"
            message = f"{name} is {what} at epoch {axis_value(epoch):.10g}: lower the learning rate or clip gradients."
            found += self._once("not_finite", name, epoch, message)
        return found


def as_number(value: Any) -> float | None:
    """A number, or a tensor of one, as float; None for anything else."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # a tensor of several values
        return None


def _thresholds(given: StopThresholds | Mapping[str, Any] | None) -> StopThresholds:
    if isinstance(given, StopThresholds):
        return given
    try:
        return StopThresholds(**(given or {}))
    except (ValidationError, TypeError) as error:
        problem = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("?",), "msg": str(error)}
        known = ", ".join(StopThresholds.model_fields)
        raise InputError(
            f"monitor.{'.'.join(map(str, problem['loc']))}: {problem['msg']}.", f"Known: {known}."
        ) from None


def _row(history: RunHistory, index: int) -> dict[str, float]:
    """What a history has at one epoch, by logged name; NaN only where it was logged."""
    row: dict[str, float] = {}
    for pair in history.pairs:
        sides: Sequence[tuple[str | None, np.ndarray, np.ndarray]] = (
            (pair.train_name, pair.train, pair.bad_train),
            (pair.val_name, pair.val, pair.bad_val),
        )
        for name, values, bad in sides:
            if name and (np.isfinite(values[index]) or (len(bad) and bad[index])):
                row[name] = float(values[index])
    return row
