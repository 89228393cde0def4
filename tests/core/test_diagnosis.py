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
    assert len(analysis.findings) == len(load_checks())


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


def test_validation_that_never_gave_a_number_is_no_breakdown_of_training():
    found = diagnosis(RunHistory.from_arrays(train_loss=learning_curve(20), val_loss=[float("nan")] * 20))
    assert found.verdict == "inconclusive"
    assert "Every validation value is NaN" in found.summary
    broken = diagnosis(RunHistory.from_arrays(train_loss=[2, 1, *[float("nan")] * 18], val_loss=[float("nan")] * 20))
    assert broken.verdict == "unstable"


def test_a_single_training_value_beside_a_validation_curve_is_inconclusive():
    found = diagnosis(RunHistory.from_arrays(train_loss=[2.0, *[None] * 19], val_loss=learning_curve(20)))
    assert found.verdict == "inconclusive"
    assert "Training has too few values" in found.summary


def test_a_loss_of_zero_leaves_nothing_to_learn():
    assert diagnosis(RunHistory.from_arrays(train_loss=[0.0] * 20, val_loss=[0.0] * 20)).verdict == "healthy"
    assert diagnosis(RunHistory.from_arrays(train_loss=[2.3] * 20, val_loss=[2.3] * 20)).verdict == "underfitting"


def test_a_muted_divergence_check_is_named_as_what_is_missing():
    found = diagnosis(healthy(), ignore={"OVF102": "too strict"})
    assert found.verdict == "inconclusive"
    assert "OVF102 did not run" in found.summary
    assert "too strict" in found.summary


def test_global_steps_are_told_in_full():
    history = overfitting(epochs=np.arange(60) * 123_457 + 1_000_000)
    found = diagnosis(history)
    assert {found.onset_epoch, found.best_epoch} <= set(history.epochs.tolist())
    assert f"since epoch {found.onset_epoch}." in found.summary
    assert f"of epoch {found.best_epoch}." in found.summary


def test_one_epoch_is_one_epoch():
    assert "has 1 epoch;" in diagnosis(RunHistory.from_arrays(train_loss=[1.0], val_loss=[1.0])).summary


def test_the_diagnosis_own_numbers_are_evidence_that_no_finding_cites():
    analysis = analyse([overfitting()], [{"kind": "history"}], load_checks())[0]
    cited = {i for f in analysis.findings for i in f.evidence}
    own = {e.name: e for e in analysis.evidence if e.id not in cited}
    d = analysis.diagnosis
    assert own["best_checkpoint"].epoch == d.best_epoch
    assert own["verdict_confidence"].value == round(100 * d.confidence)
    shares = {f"probability_of_{c.cause}": round(100 * c.probability) for c in d.causes}
    assert {name: e.value for name, e in own.items() if name in shares} == shares
    short = analyse([RunHistory.from_arrays(train_loss=[3, 2], val_loss=[3, 2])], [{"kind": "history"}], load_checks())[
        0
    ]
    assert [e.value for e in short.evidence if e.name == "validation_epochs"] == [2]
