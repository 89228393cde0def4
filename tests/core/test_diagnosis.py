import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.history import RunHistory
from tests.core.curves import healthy, learning_curve, overfitting, with_accuracy


def diagnosis(history, **options):
    return analyse([history], [{"kind": "history"}], load_checks(), **options)[0].diagnosis


def test_healthy():
    found = diagnosis(healthy())
    assert found.verdict == "healthy"
    assert found.onset_epoch is None
    assert [c.cause for c in found.causes] == ["none"]


def test_overfitting_names_onset_best_epoch_and_cause():
    found = diagnosis(overfitting(n=100, onset=40))
    assert found.verdict == "overfitting"
    assert abs(found.onset_epoch - 40) <= 3
    assert abs(found.best_epoch - 40) <= 4
    assert found.onset_epoch > found.best_epoch
    assert f"since epoch {found.onset_epoch}" in found.summary
    assert found.causes[0].cause == "trained_too_long"
    assert sum(c.probability for c in found.causes) <= 1.001


def test_little_data_is_the_cause_when_the_run_logged_so():
    found = diagnosis(with_accuracy(1.0, 0.75, params={"n_train": "100"}))
    assert (found.verdict, found.causes[0].cause) == ("overfitting", "small_dataset")


def test_train_only_is_inconclusive_and_says_what_to_log():
    found = diagnosis(RunHistory.from_arrays(train_loss=learning_curve(30)))
    assert found.verdict == "inconclusive"
    assert "val_loss" in found.summary
    assert found.best_epoch is None


@pytest.mark.parametrize("n", [1, 2, 4])
def test_short_runs_are_inconclusive(n):
    found = diagnosis(RunHistory.from_arrays(train_loss=learning_curve(n), val_loss=learning_curve(n)))
    assert found.verdict == "inconclusive"


def test_divergence_of_both_is_unstable_not_overfitting():
    loss = np.concatenate([learning_curve(10), np.linspace(0.4, 6, 30)])
    found = diagnosis(RunHistory.from_arrays(train_loss=loss, val_loss=loss * 1.1))
    assert (found.verdict, found.causes[0].cause) == ("unstable", "optimization")


def test_underfitting():
    found = diagnosis(with_accuracy(0.4, 0.39, loss=1.7))
    assert (found.verdict, found.causes[0].cause) == ("underfitting", "underpowered_model")


def test_best_epoch_follows_the_preferred_metric():
    n = 20
    losses = {"train_loss": learning_curve(n), "val_loss": np.abs(np.arange(n) - 8) + 1.0}
    history = RunHistory.from_arrays(**losses, train_f1=np.ones(n), val_f1=-np.abs(np.arange(n) - 15.0))
    assert diagnosis(history).best_epoch == 8
    assert diagnosis(history, preference=["f1_score", "loss"]).best_epoch == 15


def test_muting_a_check_keeps_it_in_the_list_with_the_reason():
    analysis = analyse([overfitting()], [{"kind": "history"}], load_checks(), ignore={"OVF101": "known"})[0]
    finding = analysis.finding("OVF101")
    assert (finding.state, finding.summary) == ("ignored", "Muted: known")
    assert len(analysis.findings) == 5


def test_every_finding_cites_evidence_that_exists():
    for history in (healthy(), overfitting(), with_accuracy(0.99, 0.7), RunHistory.empty()):
        analysis = analyse([history], [{"kind": "history"}], load_checks())[0]
        known = analysis.evidence_by_id()
        assert len(known) == len(analysis.evidence)
        assert all(i in known for f in analysis.findings for i in f.evidence)


def test_a_batch_gives_the_same_answers_as_one_at_a_time():
    short = RunHistory.from_arrays(train_loss=[1, 2, 3])
    histories = [healthy(n=40), overfitting(n=90), with_accuracy(0.99, 0.7), short]
    together = analyse(histories, [{"kind": "history"}] * 4, load_checks())
    alone = [analyse([h], [{"kind": "history"}], load_checks())[0] for h in histories]
    assert [a.diagnosis for a in together] == [a.diagnosis for a in alone]
    assert [a.findings for a in together] == [a.findings for a in alone]
