"""The runner of checks: every check once a history, and a broken one harms no other."""

import warnings

import numpy as np
import pytest

from copilot.core.checks import BUILT_IN, load_checks
from copilot.core.checks.base import BaseCheck
from copilot.core.detector import detect, muted
from copilot.core.history import RunHistory
from copilot.errors import JobCancelled
from tests.core.curves import healthy, overfitting

CODES = [c.code for c in BUILT_IN]


class Counter(BaseCheck):
    """Counts points; a check as a third party would write it."""

    code = "ACME1"
    title = "Counter"

    def measure(self, batch):
        return {"n": np.full(len(batch.pairs), batch.points)}

    def judge(self, history, rows):
        evidence = [row.evidence("n", row["n"], unit="epochs") for row in rows]
        return self.outcome("passed", f"{len(rows)} rows.", evidence=evidence)


class BrokenMeasure(Counter):
    code = "ACME2"

    def measure(self, batch):
        raise ZeroDivisionError("by\x1b[31m\nzero")


class BrokenJudge(Counter):
    code = "ACME3"

    def judge(self, history, rows):
        return rows[99]


class ShortColumns(Counter):
    code = "ACME4"

    def measure(self, batch):
        return {"n": np.zeros(0)}


class NoOutcome(Counter):
    code = "ACME5"

    def judge(self, history, rows):
        return None


class WrongCode(Counter):
    code = "ACME6"

    def judge(self, history, rows):
        return muted("OVF101", "t", "mine now")


class Cancels(Counter):
    code = "ACME7"

    def judge(self, history, rows):
        raise JobCancelled("Stopped.")


def test_every_check_appears_once_in_its_order_for_each_history():
    histories = [healthy(n=30), overfitting(n=80), RunHistory.empty(), RunHistory.from_arrays(train_loss=[1.0])]
    found = detect(histories, load_checks())
    assert [[o.code for o in outcomes] for outcomes in found] == [CODES] * 4
    assert {o.state for o in found[2]} == {"not_applicable"}
    assert all(o.summary for outcomes in found for o in outcomes)


def test_no_histories_and_no_checks():
    assert detect([], load_checks()) == []
    assert detect([healthy(), healthy()], []) == [[], []]


def test_a_muted_check_is_not_run():
    (found,) = detect([healthy()], [BrokenMeasure(), Counter()], {"ACME2": "known\x1b[31m since May"})
    assert (found[0].state, found[0].summary) == ("ignored", "Muted: known [31m since May")
    assert found[1].state == "passed"


@pytest.mark.parametrize("broken", [BrokenMeasure, BrokenJudge, ShortColumns, NoOutcome, WrongCode])
def test_a_check_that_fails_is_an_error_and_harms_no_other(broken):
    first, second = detect([healthy(n=30), overfitting()], [*load_checks(), broken(), Counter()])
    for found in (first, second):
        assert [o.code for o in found] == [*CODES, broken.code, "ACME1"]
        failed = found[len(CODES)]
        assert (failed.state, failed.severity, failed.evidence) == ("error", "none", ())
        assert failed.summary.startswith("The check failed: ")
        assert failed.summary.isprintable()
    assert second[1].state == "issue"
    assert second[-1].value("n") == 60


def test_cancelling_is_not_swallowed():
    with pytest.raises(JobCancelled):
        detect([healthy()], [Cancels()])


def test_rows_reach_a_check_in_the_order_of_the_pairs():
    history = RunHistory.from_arrays(
        train_loss=[3, 2, 1], val_loss=[3, None, 1], train_acc=[0, 0.5, 1], val_acc=[0, 0.5, 1], val_f1=[0, None, 1]
    )
    ((found,),) = detect([history], [Counter()])
    assert [e.quantity for e in found.evidence] == [p.quantity for p in history.pairs]
    assert [e.value for e in found.evidence] == [2, 3, 2]


def test_odd_curves_warn_nobody():
    nan, n = float("nan"), 12
    shapes = {
        "constant": [2.0] * n,
        "zero": [0.0] * n,
        "negative": [-1.0 - i for i in range(n)],
        "huge": [9e99, 1e99] * (n // 2),
        "beyond": [1e200 * 0.9**i for i in range(n)],
        "tiny": [1e-300] * n,
        "nan": [nan] * n,
        "holes": [None, 1.0] * (n // 2),
        "one": [1.0, *[None] * (n - 1)],
        "infinite": [float("inf")] * n,
    }
    histories = [RunHistory.from_arrays(train_loss=a, val_loss=b) for a in shapes.values() for b in shapes.values()]
    histories += [RunHistory.from_arrays(train_acc=a, val_acc=a) for a in shapes.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = detect(histories, load_checks())
    assert [(o.code, o.summary) for outcomes in found for o in outcomes if o.state == "error"] == []
    assert not [o.summary for outcomes in found for o in outcomes if "nan" in o.summary.replace("NaN", "").split()]
