"""What stopping at the best epoch would have kept and saved."""

import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.counterfactual import as_evidence, duration, sentence, stop_at_best
from copilot.core.history import RunHistory
from copilot.core.pairs import LoggedSeries
from tests.core.curves import healthy, overfitting


def timed(**series):
    epochs = np.arange(4.0)
    logged = [LoggedSeries(name, np.array(v), epochs, 1e9 + 1800 * epochs) for name, v in series.items()]
    return RunHistory.from_series(logged)


def test_epochs_hours_and_what_was_kept():
    history = timed(
        train_loss=[1.0, 0.5, 0.3, 0.2], val_loss=[1.0, 0.6, 0.7, 0.9], train_acc=[0.5, 0.7, 0.8, 0.9],
        val_acc=[0.5, 0.72, 0.8, 0.75],
    )  # fmt: skip
    found = stop_at_best(history, history.pairs[0])
    assert (found.stop_epoch, found.epochs_saved, found.hours_saved) == (1, 2, 1.0)
    assert (found.kept_share, found.kept_quantity) == (0.9, "accuracy")
    assert sentence(found) == "Stopping there would have saved 2 epochs (1 h) and kept 90 % of the best accuracy."
    shown = {e.name: (e.value, e.unit) for e in as_evidence(found)}
    assert shown == {"epochs_saved": (2, "epochs"), "time_saved": (1.0, "h"), "kept_share": (90.0, "%")}


def test_a_run_that_ends_at_its_best_saves_nothing():
    history = RunHistory.from_arrays(train_loss=[3, 2, 1], val_loss=[3, 2, 1])
    assert stop_at_best(history, history.pairs[0]) is None


def test_epochs_without_validation_are_saved_too():
    history = RunHistory.from_arrays(train_loss=[3, 2, 1, 1, 1], val_loss=[3, 1, None, 2, None])
    assert stop_at_best(history, history.pairs[0]).epochs_saved == 3


@pytest.mark.parametrize(("hours", "shown"), [(12.34, (12.0, "h")), (0.5, (30.0, "min")), (0.001, (3.6, "s"))])
def test_times_are_told_in_the_unit_that_reads_best(hours, shown):
    assert duration(hours) == shown


def test_only_overfitting_runs_are_told_what_stopping_would_have_saved():
    over, fine = analyse([overfitting(n=60, onset=20), healthy()], [{"kind": "history"}] * 2, load_checks())
    saved = over.diagnosis.counterfactual
    assert saved.stop_epoch == over.diagnosis.best_epoch
    assert abs(saved.epochs_saved - 39) <= 3
    assert sentence(saved) in over.diagnosis.summary
    assert fine.diagnosis.counterfactual is None


def test_rows_that_are_no_epochs_are_called_evaluations():
    axis = [0.1, 0.2, 0.3, 0.4]
    history = RunHistory.from_arrays(epochs=axis, train_loss=[4, 3, 2, 1], val_loss=[4, 2, 3, 4])
    found = stop_at_best(history, history.pairs[0])
    assert sentence(found) == "Stopping there would have saved 2 evaluations."
    assert as_evidence(found)[0].unit == "evaluations"
