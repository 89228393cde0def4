"""Watching an experiment: each alert once, runs that come and go, a server that is away for a while."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from copilot import CopilotAnalyzer
from copilot.core.history import RunHistory
from copilot.errors import CopilotError, InputError, NotFoundError, ToolError
from copilot.integrations.mlflow_client import RunInfo
from copilot.utils.config import MetricsSettings, MonitorSettings
from copilot.watching import ExperimentWatch
from tests.core.curves import overfitting, with_accuracy

PAIR = overfitting(n=60, onset=20).pairs[0]


def grown(n: int) -> RunHistory:
    return RunHistory.from_arrays(train_loss=PAIR.train[:n], val_loss=PAIR.val[:n])


@dataclass
class Store:
    """Stands for the MLflow source: runs that a test changes between two polls."""

    live: dict[str, RunInfo] = field(default_factory=dict)
    curves: dict[str, RunHistory | CopilotError] = field(default_factory=dict)
    down: CopilotError | None = None
    read: list[str] = field(default_factory=list)
    public_uri: str = "http://tracking"

    def log(self, run_id: str, history: RunHistory | CopilotError, status: str = "RUNNING") -> None:
        n = history.n_epochs if isinstance(history, RunHistory) else 0
        self.live[run_id] = RunInfo(run_id, f"run {run_id}", "1", status, metrics={"epoch": float(n)})
        self.curves[run_id] = history

    def runs(self, experiment: str, *, limit: int) -> list[RunInfo]:
        if self.down:
            raise self.down
        return list(self.live.values())

    def histories(self, run_ids, **patterns) -> dict[str, RunHistory | CopilotError]:
        self.read += run_ids
        return {run_id: self.curves[run_id] for run_id in run_ids}


def watching(store: Store, lines: list[str] | None = None, **settings) -> ExperimentWatch:
    note = lines.append if lines is not None else None
    return ExperimentWatch(store, "vision", MonitorSettings(**settings), MetricsSettings(), note)


def test_each_alert_is_told_once_and_says_everything():
    store = Store()
    watch = watching(store)
    found = []
    for n in range(1, 61):
        store.log("a", grown(n))
        found += watch.poll()
    kinds = [alert.kind for alert in found]
    assert kinds.count("stop") == 1
    assert len(set(kinds)) == len(kinds)
    stop = next(alert for alert in found if alert.kind == "stop")
    assert (stop.run_id, stop.run_name, stop.experiment) == ("a", "run a", "vision")
    assert (stop.tracking_uri, stop.verdict, stop.quantity) == ("http://tracking", "overfitting", "loss")
    assert stop.best_epoch < stop.epoch < 60
    assert "Keep the checkpoint" in stop.reason
    again = watching(store).poll()
    assert [a.model_copy(update={"at": ""}) for a in again] == [a.model_copy(update={"at": ""}) for a in found]


def test_runs_that_log_nothing_new_are_not_read_again():
    store = Store()
    watch = watching(store)
    store.log("a", grown(10))
    store.log("b", grown(10))
    watch.poll()
    store.log("b", grown(11))
    watch.poll()
    watch.poll()
    assert store.read == ["a", "b", "b"]


def test_only_running_runs_are_followed_and_an_ended_one_is_read_a_last_time():
    store = Store()
    watch = watching(store)
    store.log("over", grown(60), "FINISHED")
    store.log("live", grown(20))
    assert watch.poll() == []
    assert store.read == ["live"]
    store.log("live", grown(60), "FINISHED")
    assert "stop" in {alert.kind for alert in watch.poll()}
    assert watch.running == 0
    watch.poll()
    assert store.read == ["live", "live"]


def test_runs_without_curves_are_waited_for():
    store = Store()
    watch = watching(store)
    store.log("a", InputError("a: no metrics were logged."))
    assert watch.poll() == []
    store.log("a", grown(60))
    assert "stop" in {alert.kind for alert in watch.poll()}


def test_a_server_that_is_away_is_told_once_and_nothing_is_lost(monkeypatch):
    store, lines = Store(), []
    watch = watching(store, lines)
    store.log("a", grown(5))
    steps = ["up", "down", "down", "up", "half", "down", "end"]

    def wait(_: float) -> None:
        step = steps.pop(0)
        store.down = ToolError("Nothing listens at http://tracking.") if step == "down" else None
        broken = ToolError("The connection broke off.")
        if step != "down":
            store.log("a", broken if step == "half" else grown(60), "FINISHED" if step == "end" else "RUNNING")

    monkeypatch.setattr("copilot.watching._wait", wait)
    kinds = [alert.kind for alert in watch.alerts(1, until_finished=True)]
    assert kinds.count("stop") == 1
    away = "Out of reach, trying again: "
    assert lines == [
        f"{away}Nothing listens at http://tracking.",
        "Back in reach.",
        f"{away}The connection broke off.",
        "Back in reach.",
    ]


def test_a_run_that_cannot_be_read_does_not_stop_the_others(monkeypatch):
    store, lines = Store(), []
    watch = watching(store, lines)
    store.log("bad", ToolError("The metrics file is broken."))
    store.log("good", grown(60))
    assert "stop" in {alert.kind for alert in watch.poll()}
    assert lines == ["run bad cannot be read, trying again: The metrics file is broken."]
    assert watch.poll() == []  # the broken run alone is read again, and not told again
    assert store.read == ["bad", "good", "bad"]
    store.log("bad", ToolError("The metrics file is broken."), "FINISHED")
    store.log("good", grown(60), "FINISHED")
    monkeypatch.setattr("copilot.watching._wait", lambda _: store.log("bad", grown(60), "FINISHED"))
    late = list(watch.alerts(1, until_finished=True))
    assert [(a.run_id, a.kind) for a in late if a.kind == "stop"] == [("bad", "stop")]
    assert len(lines) == 1


def test_where_no_run_can_be_read_the_server_is_away():
    store = Store()
    for run_id in ("a", "b"):
        store.log(run_id, ToolError("The connection broke off."))
    with pytest.raises(ToolError, match="broke off"):
        list(watching(store).alerts(1, once=True))


def test_a_server_that_is_away_at_the_start_is_waited_for_but_a_wrong_name_is_not(monkeypatch):
    store, lines = Store(down=ToolError("Nothing listens.")), []
    monkeypatch.setattr("copilot.watching._wait", lambda _: setattr(store, "down", None))
    assert list(watching(store, lines).alerts(1, until_finished=True)) == []
    assert lines == ["Out of reach, trying again: Nothing listens.", "Back in reach."]
    with pytest.raises(ToolError, match="Nothing listens"):
        list(watching(Store(down=ToolError("Nothing listens."))).alerts(1, once=True))
    with pytest.raises(NotFoundError, match="no experiment"):
        list(watching(Store(down=NotFoundError("There is no experiment 'vision'."))).alerts(1))


def test_settings_reach_the_rule():
    store = Store()
    store.log("a", grown(60))
    strict = {alert.kind for alert in watching(store, thresholds={"rise": 50.0}).poll()}
    assert "stop" not in strict
    with pytest.raises(InputError, match=r"monitor\.patience"):
        watching(store, thresholds={"patience": 3.0})
    with pytest.raises(InputError, match="no metric"):
        watching(store, metric="learning_rate")


@pytest.mark.parametrize(
    "detection",
    [
        {"thresholds": {"train_val_gap": 0.9}, "checks": {"OVF101": {"loss_gap_share": 9.0}}},
        {"checks": {"OVF101": {"loss_gap_share": 9.0, "train_val_gap": 0.9}}},
        {},
    ],
)
def test_the_limits_of_the_checks_reach_the_alerts(detection):
    analyzer, store = CopilotAnalyzer(overrides={"detection": detection}), Store()
    analyzer.__dict__["source"] = store
    store.log("a", with_accuracy(1.0, 0.7))
    kinds = {(alert.kind, alert.quantity) for alert in analyzer.watch("vision", once=True)}
    assert (("gap", "accuracy") in kinds) is not bool(detection)


def test_names_from_outside_are_cleaned():
    store = Store()
    store.log("a", grown(60))
    store.live["a"] = replace(store.live["a"], name="night run")
    watch = ExperimentWatch(store, "vision\x1b[2J", MonitorSettings(), MetricsSettings())
    (stop,) = [alert for alert in watch.poll() if alert.kind == "stop"]
    assert stop.experiment == "vision [2J"


def test_the_verb_takes_its_defaults_from_the_settings(tmp_path: Path):
    with pytest.raises(InputError, match="No MLflow tracking URI"):
        list(CopilotAnalyzer(overrides={"mlflow": {"experiment_name": "vision"}}).watch(once=True))
    with pytest.raises(InputError, match=r"monitor\.patience"):
        CopilotAnalyzer(overrides={"monitor": {"thresholds": {"patience": 1}}}).watch("vision")
