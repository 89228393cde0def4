"""Quantities that disagree on whether validation gets worse, and what the verdict makes of it."""

import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.history import RunHistory
from tests.core.curves import learning_curve

N = 60
X = np.arange(N)
TRAIN = {"train_loss": learning_curve(N, floor=0.02)}


def judged(**series):
    (analysis,) = analyse([RunHistory.from_arrays(**series)], [{"kind": "history"}], load_checks())
    known = analysis.evidence_by_id()
    cited = [known[i] for i in analysis.finding("OVF102").evidence]
    return analysis, next((e.value for e in cited if e.name == "conflict"), None)


def valley(rise, onset=25, floor=0.4):
    return np.maximum(learning_curve(N, floor=floor - 0.1), floor) + rise * floor * np.maximum(X - onset, 0) / (
        N - onset
    )


def detector(box, cls, dfl):
    parts = {"box_loss": box, "cls_loss": cls, "dfl_loss": dfl}
    return {f"train_{k}": learning_curve(N, floor=0.6) for k in parts} | {f"val_{k}": v for k, v in parts.items()}


def test_loss_rises_while_map_still_improves():
    analysis, conflict = judged(**TRAIN, val_loss=valley(0.3), val_mAP50=0.2 + 0.008 * X)
    assert conflict == "score_still_improves"
    assert analysis.diagnosis.verdict == "healthy"
    assert "over-confident, its ranking is still fine" in analysis.finding("OVF102").summary
    assert "calibrate" in [r.id for r in analysis.recommendations]


def test_a_loss_that_rises_by_half_is_overfitting_whatever_the_score_does():
    analysis, conflict = judged(**TRAIN, val_loss=valley(1.5), val_mAP50=0.2 + 0.008 * X)
    assert (conflict, analysis.diagnosis.verdict) == ("score_still_improves", "overfitting")


def test_loss_rises_while_accuracy_holds():
    accuracy = 0.9 * (1 - np.exp(-8 * X / N))
    analysis, conflict = judged(**TRAIN, val_loss=valley(0.6), train_acc=accuracy * 1.05, val_acc=accuracy)
    assert (conflict, analysis.diagnosis.verdict) == ("over_confident", "overfitting")


def test_loss_and_score_agree():
    accuracy = 0.9 * (1 - np.exp(-8 * X / N)) - 0.004 * np.maximum(X - 25, 0)
    analysis, conflict = judged(**TRAIN, val_loss=valley(0.6), train_acc=X / N, val_acc=accuracy)
    assert (conflict, analysis.diagnosis.verdict) == (None, "overfitting")


def test_one_of_three_losses_rises_a_little():
    flat = learning_curve(N, floor=1.0)
    analysis, conflict = judged(**detector(flat, flat, valley(0.2, floor=0.5)))
    assert (conflict, analysis.diagnosis.verdict) == ("few_components", "healthy")
    assert "Only dfl loss rises" in analysis.finding("OVF102").summary


@pytest.mark.parametrize("rising", [2, 3])
def test_most_of_the_losses_rise(rising):
    flat = learning_curve(N, floor=1.0)
    analysis, _ = judged(**detector(*[valley(0.4, floor=1.0)] * rising, *[flat] * (3 - rising)))
    assert analysis.diagnosis.verdict == "overfitting"


def test_a_score_falls_alone():
    accuracy = 0.9 * (1 - np.exp(-8 * X / N)) - 0.006 * np.maximum(X - 25, 0)
    calm = learning_curve(N, floor=0.5)
    analysis, conflict = judged(**TRAIN, val_loss=calm, train_acc=X / N, val_acc=accuracy)
    assert (conflict, analysis.diagnosis.verdict) == ("score_alone", "overfitting")


def test_a_score_that_improved_at_a_rate_drop_and_falls_since_does_not_count_as_improving():
    accuracy = np.where(X < 45, 0.4, 0.52) - 0.002 * np.maximum(X - 45, 0)
    loss = np.where(X < 45, 1.4, 1.2) + 0.015 * np.maximum(X - 45, 0)
    analysis, conflict = judged(**TRAIN, val_loss=loss, train_acc=X / N, val_acc=accuracy)
    assert conflict != "score_still_improves"
    assert analysis.diagnosis.verdict == "overfitting"
