"""OverfitMonitor: what it says epoch by epoch, and that nothing a training loop does to it breaks the run."""

from __future__ import annotations

import json
import math
import re
import time

import numpy as np
import pytest

import copilot
from copilot import MonitorDecision, OverfitMonitor
from copilot.core.checks.generalisation_gap import GapThresholds
from copilot.core.checks.instability import InstabilityThresholds
from copilot.core.history import RunHistory
from copilot.errors import InputError
from tests.conftest import REPOSITORY
from tests.core.curves import healthy, learning_curve, overfitting, with_accuracy

NAN, INF = float("nan"), float("inf")
OVERFITTING = overfitting(n=100, onset=30)


def fed(history: RunHistory, **options) -> list[MonitorDecision]:
    return OverfitMonitor(**options).feed(history)


def alerts(decisions: list[MonitorDecision]) -> list[str]:
    return [alert.kind for decision in decisions for alert in decision.alerts]


def test_the_public_name_is_resolved_lazily():
    assert copilot.OverfitMonitor is OverfitMonitor
    assert "OverfitMonitor" in dir(copilot)


def test_a_run_that_overfits_is_stopped_with_a_reason():
    monitor = OverfitMonitor(total_epochs=100)
    pair = OVERFITTING.pairs[0]
    for epoch in range(100):
        decision = monitor.update(epoch, train_loss=pair.train[epoch], val_loss=pair.val[epoch])
        if decision.stop:
            break
    best = int(np.argmin(pair.val[: epoch + 1]))
    assert 30 < epoch < 60
    assert (decision.best_epoch, decision.epochs_since_best) == (best, epoch - best)
    assert decision.best_value == pytest.approx(pair.val[best])
    assert (decision.verdict, decision.quantity, decision.epochs_left) == ("overfitting", "loss", 99 - epoch)
    for said in ("Validation loss has risen by", "goes on improving", f"checkpoint of epoch {best}", "times the noise"):
        assert said in decision.reason
    assert f"saves {99 - epoch} planned epochs" in decision.reason
    assert json.loads(decision.model_dump_json())["stop"] is True
    with pytest.raises(ValueError, match="frozen"):
        decision.stop = False


def test_a_curve_without_noise_is_told_in_plain_numbers():
    val = 1.0 + 0.02 * np.abs(np.arange(80) - 30)
    stop = next(d for d in fed(RunHistory.from_arrays(train_loss=np.linspace(2, 1, 80), val_loss=val)) if d.stop)
    assert "more than 1000 times the noise" in stop.reason


def test_a_healthy_run_goes_on():
    decisions = fed(healthy())
    assert not any(d.stop for d in decisions)
    assert decisions[3].verdict == "inconclusive"
    assert decisions[-1].verdict == "healthy"
    assert alerts(decisions) == []
    assert "its best" in decisions[-1].reason


def test_it_warns_before_it_stops():
    decisions = fed(OVERFITTING)
    stop = next(i for i, d in enumerate(decisions) if d.stop)
    turning = next(i for i, d in enumerate(decisions) if "turning" in alerts([d]))
    assert 30 < turning < stop
    assert alerts(decisions).count("turning") == 1


def test_names_are_read_by_the_conventions():
    keras = OverfitMonitor()
    lightning = OverfitMonitor()
    own = OverfitMonitor(train_pattern="{}_tr", val_pattern="{}_held")
    pair = OVERFITTING.pairs[0]
    for epoch, (train, val) in enumerate(zip(pair.train, pair.val, strict=True)):
        keras.update(epoch, {"loss": train, "val_loss": val, "lr": 0.1})
        lightning.update(epoch, {"train_loss_step": 9.0, "train_loss_epoch": train, "val/loss": val, "epoch": epoch})
        own.update(epoch, {"loss_tr": train, "loss_held": val})
    assert keras.decision.stop
    assert keras.decision == own.decision == lightning.decision


def test_test_metrics_serve_until_validation_comes():
    monitor = OverfitMonitor()
    for epoch in range(20):
        monitor.update(epoch, test_loss=1.0 - 0.01 * epoch)
    assert monitor.decision.best_epoch == 19
    monitor.update(20, test_loss=5.0, val_loss=0.5)
    assert (monitor.decision.best_epoch, monitor.decision.best_value) == (20, 0.5)


def test_percent_and_fractions_are_the_same():
    accuracy = np.array([*np.linspace(0.01, 0.9, 40), *np.linspace(0.9, 0.7, 40)])
    small, large = (OverfitMonitor("accuracy") for _ in range(2))
    for epoch, value in enumerate(accuracy):
        small.update(epoch, val_accuracy=value)
        large.update(epoch, val_accuracy=100 * value)
    assert small.decision.stop
    assert (large.decision.stop, large.decision.best_epoch) == (True, small.decision.best_epoch)
    assert large.decision.best_value == pytest.approx(0.9)
    assert "has fallen by" in small.decision.reason
    assert "points" in small.decision.reason


def test_a_score_that_still_improves_holds_a_stop_by_the_loss():
    pair, up = OVERFITTING.pairs[0], np.linspace(0.3, 0.9, 100)
    runs = {"both": OverfitMonitor(), "loss alone": OverfitMonitor("loss")}
    kinds = {}
    for name, monitor in runs.items():
        decisions = [
            monitor.update(e, train_loss=pair.train[e], val_loss=pair.val[e], val_accuracy=up[e]) for e in range(100)
        ]
        assert decisions[-1].verdict == "overfitting"
        kinds[name] = (any(d.stop for d in decisions), alerts(decisions).count("held"), decisions[-1].reason)
    assert kinds["both"][:2] == (False, 1)
    assert "accuracy still improves" in kinds["both"][2]
    assert kinds["loss alone"][:2] == (True, 0)


def test_nan_is_an_alert_and_no_stop():
    monitor = OverfitMonitor()
    for epoch in range(15):
        monitor.update(epoch, train_loss=1.0 / (epoch + 1), val_loss=1.0 / (epoch + 1))
    decision = monitor.update(15, train_loss=NAN, val_loss=INF)
    assert [(a.kind, a.epoch) for a in decision.alerts] == [("not_finite", 15)] * 2
    assert "train_loss is NaN at epoch 15" in decision.alerts[0].message
    assert (decision.stop, decision.verdict, decision.value) == (False, "unstable", None)
    assert (decision.best_epoch, decision.best_value) == (14, pytest.approx(1 / 15))
    assert monitor.update(16, train_loss=NAN, val_loss=0.1).alerts == ()  # told once
    assert json.loads(monitor.decision.model_dump_json())


def test_divergence_is_an_alert_and_no_stop():
    t = np.arange(60)
    curve = 1.0 - 0.02 * np.minimum(t, 30) + 0.1 * np.maximum(t - 30, 0)
    decisions = fed(RunHistory.from_arrays(train_loss=curve, val_loss=curve + 0.1))
    assert "diverging" in alerts(decisions)
    assert decisions[-1].verdict == "unstable"
    assert not any(d.stop for d in decisions)


def test_the_limits_of_the_alerts_may_be_set():
    wide = with_accuracy(1.0, 0.7)
    assert "gap" not in alerts(fed(wide, gap=GapThresholds(train_val_gap=0.5, loss_gap_share=9.0)))
    t = np.arange(60)
    curve = 1.0 - 0.02 * np.minimum(t, 30) + 0.1 * np.maximum(t - 30, 0)
    diverged = RunHistory.from_arrays(train_loss=curve, val_loss=curve)
    for limits in ({"diverged": 9.0, "explosion": 9.0}, {"diverged": 9.0, "least_growth": 50.0}):
        decisions = fed(diverged, instability=InstabilityThresholds(**limits))
        assert "diverging" not in alerts(decisions)
        assert decisions[-1].verdict == "healthy"


def test_a_loss_gap_is_scaled_as_the_check_scales_it():
    train = np.linspace(0.1, -10.0, 40)  # the first loss is small, what training gained is not
    assert "gap" not in alerts(fed(RunHistory.from_arrays(train_loss=train, val_loss=train + 0.5)))
    assert "gap" in alerts(fed(RunHistory.from_arrays(train_loss=train, val_loss=train + 3.0)))


def test_names_are_parsed_by_the_monitors_own_patterns():
    assert OverfitMonitor().parse("held/loss").split == "unknown"
    assert OverfitMonitor(val_pattern="held/{}").parse("held/loss").split == "val"
    assert OverfitMonitor().parse("lr") is None


def test_large_epochs_are_told_whole():
    monitor = OverfitMonitor()
    monitor.update(1234567, val_loss=1.0)
    late = monitor.update(1234566, val_loss=1.0).alerts[0]
    assert late.message == "Epoch 1234566 came after epoch 1234567: kept, not judged."


def test_one_epoch_is_no_epochs():
    monitor = OverfitMonitor()
    said = [monitor.update(epoch, val_loss=1.0 + 0.1 * epoch).reason for epoch in range(3)]
    assert said[0].endswith("is at its best: 1 at epoch 0.")
    assert said[1].endswith("its best was 1 at epoch 0, 1 epoch ago.")
    assert said[2].endswith("its best was 1 at epoch 0, 2 epochs ago.")


def test_a_score_at_its_best_level_was_not_there_0_epochs_ago():
    pair, up = OVERFITTING.pairs[0], np.linspace(0.3, 0.9, 100)
    monitor = OverfitMonitor()
    for e in range(100):
        level = up[e] if e < 99 else 0.0
        monitor.update(e, train_loss=pair.train[e], val_loss=pair.val[e], val_accuracy=level)
        if e == 98:
            assert monitor.decision.reason.endswith("still improves: it is at its best level.")
    assert monitor.decision.reason.endswith("its best level was 1 epoch ago.")


@pytest.mark.parametrize(
    ("step", "unit"), [(1, "epochs"), (0.1, "evaluations"), (2, "evaluations"), (500, "evaluations")]
)
def test_rows_are_called_epochs_only_where_they_are(step, unit):
    pair, monitor = OVERFITTING.pairs[0], OverfitMonitor()
    reasons = []
    for e in range(100):
        monitor.update(1 + step * e, val_loss=3.0)  # corrected by the next
        decision = monitor.update(1 + step * e, train_loss=pair.train[e], val_loss=pair.val[e])
        if decision.stop:
            break
        reasons.append(decision.reason)
    assert f"{decision.epochs_since_best} {unit} after its best at epoch" in decision.reason
    assert reasons[-1].endswith(f"{unit} ago.")


def test_a_gap_that_opens_is_told_once():
    decisions = fed(with_accuracy(1.0, 0.7))
    assert alerts(decisions).count("gap") == 1
    told = next(a for d in decisions for a in d.alerts if a.kind == "gap")
    assert told.quantity == "accuracy"
    assert "on training" in told.message
    assert alerts(fed(with_accuracy(0.8, 0.78))) == []


def test_the_open_epoch_may_grow_and_be_corrected():
    pair = OVERFITTING.pairs[0]
    whole, parts = OverfitMonitor(), OverfitMonitor()
    for e in range(100):
        whole.update(e, train_loss=pair.train[e], val_loss=pair.val[e])
        parts.update(e, val_loss=0.0)
        parts.update(e, val_loss=pair.val[e])
        parts.update(e, train_loss=pair.train[e])
    assert whole.decision.stop
    assert parts.decision == whole.decision
    assert parts.history().pairs[0].val.tolist() == pair.val.tolist()


def test_an_earlier_epoch_is_kept_and_not_judged():
    monitor = OverfitMonitor()
    for epoch in range(20):
        monitor.update(epoch, train_loss=1.0, val_loss=1.0 - 0.01 * epoch)
    late = monitor.update(3, val_loss=0.0)
    assert [a.kind for a in late.alerts] == ["out_of_order"]
    assert (late.epoch, late.best_epoch) == (19, 19)
    assert monitor.history().pairs[0].val[3] == 0.0
    assert monitor.update(20, val_loss=0.5).best_epoch == 20


def test_epochs_count_themselves():
    monitor = OverfitMonitor()
    assert [monitor.update(val_loss=1.0).epoch for _ in range(3)] == [0, 1, 2]
    assert monitor.update(5.5, val_loss=1.0).epoch == 5.5
    assert monitor.update(epoch=9, val_loss=1.0).epoch == 9
    with pytest.raises(InputError, match="no number"):
        monitor.update("seven", val_loss=1.0)
    with pytest.raises(InputError, match="no number"):
        monitor.update(NAN, val_loss=1.0)


@pytest.mark.parametrize(("first", "left"), [(0, 9), (1, 9), (5, 4)])
def test_epochs_left_whether_counted_from_0_or_1_or_resumed(first, left):
    monitor = OverfitMonitor(total_epochs=10)
    assert monitor.update(first, val_loss=1.0).epochs_left == left
    assert monitor.update(first + 1, val_loss=1.0).epochs_left == left - 1
    assert monitor.update(99, val_loss=1.0).epochs_left == 0
    assert OverfitMonitor().update(0, val_loss=1.0).epochs_left is None


def test_whatever_is_logged_the_run_goes_on():
    torch = pytest.importorskip("torch")
    monitor = OverfitMonitor()
    nothing = monitor.update(0, None, train_loss=None, confusion=np.ones((3, 3)), note="text", hparams={"a": 1})
    assert (nothing.stop, nothing.verdict, nothing.best_epoch) == (False, "inconclusive", None)
    assert "log a metric such as val_loss" in nothing.reason
    odd = {"val_loss": torch.tensor(0.5, requires_grad=True), "val_accuracy": np.float32(0.4), "val_f1": np.ones(4)}
    assert monitor.update(1, odd).best_value == 0.5
    hostile = monitor.update(2, {"val_loss\x1b[2J\u202e": 0.4, "val_loss": True, "\ud800": 1.0, "": 2.0})
    assert "\x1b" not in hostile.model_dump_json()


def test_many_names_do_not_grow_without_end():
    monitor = OverfitMonitor()
    for epoch in range(3):
        monitor.update(epoch, {f"val_loss_head{i}": 1.0 for i in range(1000)})
    assert len(monitor._logged) == 200
    assert len(monitor._followed) <= 8


def test_an_update_costs_the_same_in_a_long_run():
    monitor = OverfitMonitor()

    def seconds(start: int) -> float:
        begun = time.process_time()
        for epoch in range(start, start + 200):
            monitor.update(epoch, train_loss=1.0 / (epoch + 1), val_loss=1.0 / (epoch + 1))
        return time.process_time() - begun

    first = seconds(0)
    for epoch in range(200, 5000):
        monitor.update(epoch, train_loss=0.001, val_loss=0.001)
    assert seconds(5000) < 3 * first + 0.05


def test_feeding_a_growing_history_is_feeding_it_whole():
    pair = OVERFITTING.pairs[0]
    growing = OverfitMonitor()
    for n in (1, 5, 5, 30, 61, 100):
        growing.feed(RunHistory.from_arrays(train_loss=pair.train[:n], val_loss=pair.val[:n]))
    whole = fed(OVERFITTING)
    assert growing.decision.model_dump() == whole[-1].model_dump()


def test_history_and_analysis_of_what_was_seen():
    monitor = OverfitMonitor(name="night\x1b[2J run")
    with pytest.raises(InputError, match="no metrics were logged"):
        monitor.history()
    monitor.feed(OVERFITTING)
    assert monitor.history().pairs[0].val.tolist() == OVERFITTING.pairs[0].val.tolist()
    result = monitor.analyze()
    assert result.diagnosis.verdict == "overfitting"
    assert result.analysis.subject.run_name == "night [2J run"


def test_a_named_metric_decides():
    monitor = OverfitMonitor("val_f1")
    monitor.update(0, val_loss=1.0, val_f1=0.5)
    assert (monitor.decision.quantity, monitor.decision.best_value) == ("f1", 0.5)
    with pytest.raises(InputError, match="no metric that is known"):
        OverfitMonitor("learning_rate")


def test_thresholds_may_be_set():
    eager = {"wait": 1, "wait_share": 0.0, "evidence": 1.0, "noise_ratio": 2.0, "rise": 0.01}
    first = [next(i for i, d in enumerate(fed(OVERFITTING, thresholds=t)) if d.stop) for t in (eager, None)]
    assert first[0] < first[1]
    with pytest.raises(InputError, match=r"monitor\.patience: .* Known: warm_up"):
        OverfitMonitor(thresholds={"patience": 3})


def test_scores_without_bounds_and_losses_below_zero():
    rng, t = np.random.default_rng(0), np.arange(80)
    rising = OverfitMonitor()
    for e, value in enumerate(20 + 10 * (1 - np.exp(-t / 10)) - 0.2 * np.maximum(t - 40, 0) + rng.normal(0, 0.01, 80)):
        rising.update(e, val_psnr=value)
    assert rising.decision.stop
    assert rising.decision.best_value == pytest.approx(29.8, abs=0.3)
    below = OverfitMonitor()
    for e, value in enumerate(-learning_curve(80, 0.1, 3.0) + rng.normal(0, 0.001, 80)):
        below.update(e, val_loss=value)
    assert not below.decision.stop
    assert all(math.isfinite(v) for v in (below.decision.best_value, below.decision.value))


def test_the_snippet_of_the_guide_works(capsys):
    guide = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    pair = OVERFITTING.pairs[0]
    epochs = iter(zip(pair.train, pair.val, np.linspace(0.9, 0.5, 100), strict=True))
    exec(blocks[0], {"train_one_epoch": lambda: next(epochs)})
    printed = capsys.readouterr().out
    assert "Keep the checkpoint of epoch 30" in printed
    assert "Overfitting" in printed
    for block in blocks[1:]:
        module = re.search(r"from (copilot\.integrations\.callbacks\.\w+) import OverfitCallback", block)[1]
        assert (REPOSITORY / (module.replace(".", "/") + ".py")).is_file()
        compile(block, "guide", "exec")
