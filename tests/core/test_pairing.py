"""Which series stand for training and validation, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.explanation import explain, explain_trace
from copilot.core.history import NoCurvesError, RunHistory
from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError


def run(names: str, single: str = "", **options) -> RunHistory:
    """A run that logged a curve under each name, a single value under those in `single`."""
    logged = [LoggedSeries(n, np.linspace(1, 0.5, 10), np.arange(10.0)) for n in names.split()]
    return RunHistory.from_series(
        [*logged, *(LoggedSeries(n, np.ones(1), np.zeros(1)) for n in single.split())], **options
    )


def pairs(history: RunHistory) -> set[tuple[str | None, str | None]]:
    return {(p.train_name, p.val_name) for p in history.pairs}


@pytest.mark.parametrize(
    ("names", "single", "expected"),
    [
        ("train/loss train/total_loss val/loss val/total_loss", "", {("train/loss", "val/loss")}),
        ("train_total_loss val/loss val_total_loss", "", {("train_total_loss", "val_total_loss")}),
        (
            "train_loss val_loss/dataloader_idx_1 val_loss/dataloader_idx_0",
            "",
            {("train_loss", "val_loss/dataloader_idx_0")},
        ),
        ("validation_0-rmse validation_1-rmse", "", {(None, "validation_1-rmse")}),
        ("train_binary_accuracy val_multiclass_accuracy", "", {(None, "val_multiclass_accuracy")}),
        ("loss eval_loss eval_accuracy", "train_loss", {("loss", "eval_loss"), (None, "eval_accuracy")}),
        ("metrics/accuracy metrics/val_accuracy", "", {("metrics/accuracy", "metrics/val_accuracy")}),
        ("total_loss bbox/AP bbox/AP-car", "", {("total_loss", None), (None, "bbox/AP"), (None, "bbox/AP-car")}),
        ("loss mIoU aAcc", "", {("loss", None), (None, "mIoU"), (None, "aAcc")}),
        ("train_loss loss val_loss", "", {("train_loss", "val_loss")}),
        ("train_loss eval_loss eval_train_loss", "", {("train_loss", "eval_loss")}),
        ("train_loss train_loss_ema val_loss_ema", "", {("train_loss", None), ("train_loss_ema", "val_loss_ema")}),
        (
            "fold_1/train_loss val_loss_fold1 fold_2/val_loss",
            "",
            {("fold_1/train_loss", "val_loss_fold1"), (None, "fold_2/val_loss")},
        ),
    ],
)
def test_what_is_paired(names, single, expected):
    assert pairs(run(names, single)) == expected


def test_what_is_not_sure_is_said():
    assert any("no split: 'acc'" in w for w in run("train_loss val_loss acc val_acc").warnings)
    assert any("Another evaluation set" in w for w in run("train_loss valid_0-loss valid_1-loss").warnings)
    assert any("another measure" in w for w in run("train_binary_accuracy val_multiclass_accuracy").warnings)


def test_the_projects_own_names_win_over_the_table():
    found = run("train_loss val_loss held/loss", val_pattern=("held/{}", "held2/{}"))
    assert pairs(found) == {("train_loss", "held/loss")}


def test_every_name_is_explained_by_what_was_done():
    names = "loss val_loss val_f1 test_loss lr grad_norm val_best_loss loss_step"
    found = run(names, "train_loss")
    told = {n.name: n for n in explain(found).names}
    assert set(told) == {*names.split(), "train_loss"}
    assert (told["loss"].used_as, told["loss"].paired_with, told["loss"].split) == ("train", "val_loss", "unknown")
    assert (told["val_loss"].used_as, told["val_loss"].paired_with, told["val_loss"].why) == ("val", "loss", "")
    assert "No training series of 'f1'" in told["val_f1"].why
    assert "test is not used" in told["test_loss"].why
    assert "single value" in told["train_loss"].why
    assert "within epochs" in told["loss_step"].why
    assert "closing" in told["val_best_loss"].why
    assert {n for n, reading in told.items() if reading.used_as} == {"loss", "val_loss", "val_f1"}


def test_the_explanation_names_the_pairs_of_the_history():
    found = run("train/loss train/total_loss val/loss val_acc acc")
    used = {(n.name, n.used_as) for n in explain(found).names if n.used_as}
    sides = {(p.train_name, "train") for p in found.pairs} | {(p.val_name, "val") for p in found.pairs}
    assert used == {side for side in sides if side[0]}
    assert explain(found).warnings == found.warnings


def test_the_axis_is_explained():
    steps = np.arange(10, 60, 10.0)
    logged = [LoggedSeries(n, np.linspace(1, 0.5, 5), steps) for n in ("train_loss", "val_loss")]
    told = explain(RunHistory.from_series([*logged, LoggedSeries("epoch", np.arange(5.0), steps)]))
    assert (told.axis.kind, told.axis.name, told.axis.first, told.axis.last) == ("epoch metric", "epoch", 0, 4)
    assert next(n for n in told.names if n.name == "epoch").why == "It is the axis."


def test_a_run_without_curves_is_explained_too():
    with pytest.raises(NoCurvesError, match="no metric was recognised") as refused:
        run("lr foo", name="mine")
    told = explain_trace(refused.value.run, refused.value.trace)
    assert (told.run, told.axis, [n.name for n in told.names]) == ("mine", None, ["foo", "lr"])


def test_a_history_that_was_not_logged_has_nothing_to_explain():
    with pytest.raises(InputError, match="not made from logged series"):
        explain(RunHistory.empty())
