"""Watch the running runs of an experiment: poll, feed each run's monitor, tell each alert once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from copilot.core.decisions import AlertKind, MonitorDecision
from copilot.core.findings import Document, Number, Verdict
from copilot.errors import CopilotError, ToolError
from copilot.monitor import OverfitMonitor
from copilot.utils.config import MetricsSettings, MonitorSettings
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.core.checks.base import Check
    from copilot.core.history import RunHistory
    from copilot.integrations.mlflow_client import MlflowSource, RunInfo

RUNS_LIMIT = 1000  # newest runs of the experiment that a poll looks at
WAIT_STEP_S = 0.2  # so that Ctrl+C is noticed soon on every system
Note = Callable[[str], None]


class RunAlert(Document):
    """Something that a running run's curves say; ``kind`` is ``stop`` or one of the monitor's alerts."""

    kind: Literal["stop"] | AlertKind
    run_id: str
    run_name: str
    experiment: str
    tracking_uri: str
    reason: str
    epoch: Number
    verdict: Verdict
    quantity: str = ""
    best_epoch: Number | None = None
    best_value: float | None = None
    at: str


class ExperimentWatch:
    """The running runs of one experiment, each with its monitor.

    Parameters
    ----------
    source : MlflowSource
    experiment : str
        Name or id.
    settings : MonitorSettings
    names : MetricsSettings
        Patterns of the project's metric names.
    note : callable, optional
        Gets lines for the person: the server is away, it is back, a run cannot be read.
    checks : sequence of Check
        The checks whose thresholds are the limits of the alerts. Default: the thresholds as they are by default.

    Raises
    ------
    InputError
        A threshold or the metric of the settings is not known.
    """

    def __init__(
        self,
        source: MlflowSource,
        experiment: str,
        settings: MonitorSettings,
        names: MetricsSettings,
        note: Note | None = None,
        checks: Sequence[Check] = (),
    ) -> None:
        self.experiment = clean_text(experiment)
        self.running = 0
        self._source, self._asked, self._settings, self._names = source, experiment, settings, names.rules
        self._note = note or (lambda line: None)
        self._limits = {check.code: check.thresholds for check in checks}
        self._monitor("")  # a wrong setting is told before the first poll
        self._monitors: dict[str, OverfitMonitor] = {}
        self._seen: dict[str, str] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._failing: set[str] = set()
        self._away = self._worked = False

    def alerts(self, interval_s: float, *, once: bool = False, until_finished: bool = False) -> Iterator[RunAlert]:
        """Poll for ever, once, or until no run is running, and yield what is new.

        Raises
        ------
        InputError
            There is no such experiment, or no store.
        ToolError
            The server is out of reach, where only one poll was asked for.
        """
        while True:
            reached = False
            try:
                found = self.poll()
                reached = True
            except CopilotError as error:
                self._lost(error, once)
                found = []
            yield from found
            if once or (until_finished and reached and not (self.running or self._failing)):
                return
            _wait(interval_s)

    def poll(self) -> list[RunAlert]:
        """Look once; returns what is new."""
        runs = self._source.runs(self._asked, limit=RUNS_LIMIT)
        live = [run for run in runs if run.status == "RUNNING"]
        ended = [run for run in runs if run.status != "RUNNING" and run.run_id in self._monitors]
        self.running = len(live)
        changed = [run for run in (*live, *ended) if self._seen.get(run.run_id) != _signature(run)]
        found = self._read(changed)
        for run in ended:
            if run.run_id not in self._failing:
                self._monitors.pop(run.run_id, None)
        self._reached()
        return found

    def _read(self, runs: list[RunInfo]) -> list[RunAlert]:
        if not runs:
            self._failing = set()
            return []
        patterns = {"train_pattern": self._names.train, "val_pattern": self._names.val}
        histories = self._source.histories([run.run_id for run in runs], **patterns)
        self._note_failing(runs, histories)
        found: list[RunAlert] = []
        for run in runs:
            history = histories[run.run_id]
            monitor = self._monitors.setdefault(run.run_id, self._monitor(run.name))
            if run.run_id in self._failing:  # read again at the next poll
                continue
            self._seen[run.run_id] = _signature(run)
            if isinstance(history, CopilotError):  # nothing known is logged yet
                continue
            found += [alert for decision in monitor.feed(history) for alert in self._new(run, decision)]
        return found

    def _note_failing(self, runs: list[RunInfo], histories: Mapping[str, RunHistory | CopilotError]) -> None:
        """Tell each run that cannot be read once; where none can be read that could before, the server is away."""
        failed = {run_id: error for run_id, error in histories.items() if isinstance(error, ToolError)}
        if len(failed) == len(runs) and not self._failing.issuperset(failed):
            raise next(iter(failed.values()))
        for run in runs:
            if run.run_id in failed and run.run_id not in self._failing:
                self._note(f"{clean_text(run.name)} cannot be read, trying again: {failed[run.run_id]}")
        self._failing = set(failed)

    def _new(self, run: RunInfo, decision: MonitorDecision) -> Iterator[RunAlert]:
        said = [(alert.kind, alert.quantity, alert.message, alert.epoch) for alert in decision.alerts]
        if decision.stop:
            said.append(("stop", "", decision.reason, decision.epoch))
        for kind, quantity, reason, epoch in said:
            key = (run.run_id, kind, quantity)
            if key not in self._told:
                self._told.add(key)
                yield RunAlert(
                    kind=kind,
                    run_id=run.run_id,
                    run_name=run.name,
                    experiment=self.experiment,
                    tracking_uri=self._source.public_uri,
                    reason=reason,
                    epoch=epoch,
                    verdict=decision.verdict,
                    quantity=quantity or decision.quantity,
                    best_epoch=decision.best_epoch,
                    best_value=decision.best_value,
                    at=datetime.now(UTC).isoformat(timespec="seconds"),
                )

    def _monitor(self, name: str) -> OverfitMonitor:
        names, own = self._names, self._settings
        return OverfitMonitor(
            own.metric,
            thresholds=own.thresholds,
            train_pattern=names.train,
            val_pattern=names.val,
            name=name or "run",
            gap=self._limits.get("OVF101"),
            instability=self._limits.get("OVF104"),
        )

    def _lost(self, error: CopilotError, once: bool) -> None:
        """A server may be away for a while; an experiment that is not there at the start is a mistake."""
        if once or (not self._worked and not isinstance(error, ToolError)):
            raise error
        if not self._away:
            self._note(f"Out of reach, trying again: {error}")
        self._away = True

    def _reached(self) -> None:
        if self._away:
            self._note("Back in reach.")
        self._away, self._worked = False, True


def _signature(run: RunInfo) -> str:
    """Changes when the run logs something or ends."""
    return f"{run.status} {sorted(run.metrics.items())}"


def _wait(seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, WAIT_STEP_S))
