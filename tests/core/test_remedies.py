"""What to do: every cause and every finding has an answer, with papers whose ids are well formed."""

import re
from typing import get_args

import pytest

from copilot.core import remedy_texts
from copilot.core.analysis import analyse
from copilot.core.checks import BUILT_IN, load_checks
from copilot.core.findings import Cause, CauseName, Diagnosis, Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.core.remedies import BY_CAUSE, BY_CODE, BY_PATTERN, MAX_RECOMMENDATIONS, Remedy, recommend
from tests.core.curves import healthy, learning_curve, overfitting, with_accuracy

ALL = [value for value in vars(remedy_texts).values() if isinstance(value, Remedy)]
PAPER = re.compile(r"arxiv:\d{4}\.\d{4,5}|doi:10\.\d{4,9}/[^\s]+")


def recommended(history, **options):
    return analyse([history], [{"kind": "history"}], load_checks(), **options)[0].recommendations


def test_every_cause_has_a_remedy():
    assert set(BY_CAUSE) == set(get_args(CauseName)) - {"none"}
    assert all(BY_CAUSE.values())


def test_every_code_of_a_finding_has_a_remedy():
    from copilot.core.comparisons import BUILT_IN as COMPARISONS
    from copilot.core.data import BUILT_IN as DATA
    from copilot.core.datasets import CODE
    from copilot.integrations.deepchecks.catalogue import CHECKS
    from copilot.probes import BUILT_IN as PROBES

    codes = {c.code for c in (*BUILT_IN, *COMPARISONS, *PROBES, *DATA)} | {CODE} | {code for code, _ in CHECKS.values()}
    assert codes == set(BY_CODE)
    assert all(BY_CODE.values())


@pytest.mark.parametrize("remedy", ALL, ids=lambda remedy: remedy.id)
def test_remedies_are_whole(remedy):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", remedy.id)
    for text in (remedy.action, remedy.why, remedy.expected_effect):
        assert text.endswith(".")
        assert "{" not in text
    assert [paper for paper in remedy.papers if not PAPER.fullmatch(paper)] == []
    assert len(set(remedy.papers)) == len(remedy.papers)


def test_every_remedy_can_be_recommended():
    used = {r.id for table in (BY_CAUSE, BY_CODE, BY_PATTERN) for rs in table.values() for r in rs}
    doubts = {"larger-validation", "log-validation", "train-longer", "calibrate"}
    assert {r.id for r in ALL} == used | doubts


def test_overfitting_since_an_epoch_asks_to_stop_there_first():
    found = recommended(overfitting())
    assert found[0].id == "early-stopping"
    assert found[0].finding_codes == ("OVF102", "OVF106")
    assert len(found) <= MAX_RECOMMENDATIONS
    assert len({r.id for r in found}) == len(found)


def test_the_likely_cause_leads():
    assert recommended(with_accuracy(1.0, 0.75, params={"n_train": "100"}))[0].id == "more-data"
    assert recommended(with_accuracy(0.8, 0.5))[0].id == "compare-sets"
    assert recommended(with_accuracy(0.4, 0.39, loss=1.7))[0].id == "larger-model"
    assert (
        recommended(RunHistory.from_arrays(train_loss=[2, *[float("nan")] * 8], val_loss=[2.0] * 9))[0].id
        == "learning-rate"
    )


def test_a_healthy_run_needs_nothing():
    assert recommended(healthy()) == ()


@pytest.mark.parametrize(
    ("history", "remedy"),
    [
        (RunHistory.empty(), "log-validation"),
        (RunHistory.from_arrays(train_loss=learning_curve(30)), "log-validation"),
        (RunHistory.from_arrays(train_loss=[3, 2, 1], val_loss=[3, 2, 1]), "train-longer"),
    ],
)
def test_where_nothing_can_be_said_it_asks_for_what_is_missing(history, remedy):
    assert [r.id for r in recommended(history)] == [remedy]


def test_where_noise_hides_a_rise_it_asks_for_a_larger_validation_set():
    hidden = Evidence(name="rise_within_noise", value=2.0, quantity="loss")
    outcome = Outcome(code="OVF102", title="t", state="passed", summary="s", evidence=(hidden,))
    diagnosis = Diagnosis(verdict="inconclusive", confidence=0.7, severity="none", summary="s")
    assert [r.id for r in recommend(diagnosis, [outcome])] == ["larger-validation"]


def test_unlikely_causes_call_for_no_action():
    causes = (Cause(cause="leakage", probability=0.9), Cause(cause="class_imbalance", probability=0.1))
    diagnosis = Diagnosis(verdict="overfitting", confidence=0.9, severity="high", summary="s", causes=causes)
    assert [r.id for r in recommend(diagnosis, [])] == ["purge-duplicates"]


def test_an_issue_of_deepchecks_gets_its_remedy_and_a_muted_one_none():
    issue = Outcome(
        code="OVF513", title="Drift", state="issue", severity="medium", confidence=0.8, summary="It drifts."
    )
    assert [r.id for r in recommended(healthy(), extra=[issue])] == ["compare-sets"]
    assert recommended(healthy(), extra=[issue], ignore={"OVF513": "known"}) == ()
