"""The comparison document: every check once, its numbers as evidence, JSON that can be read back."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from copilot.core.comparisons import BUILT_IN, load_all_checks
from copilot.core.comparisons.base import GroupMember
from copilot.core.comparisons.compare import compare_runs
from copilot.core.comparisons.document import Comparison
from copilot.core.history import RunHistory
from tests.core.comparisons.groups import folds, group, run
from tests.core.curves import healthy, overfitting

CODES = [c.code for c in BUILT_IN]
HOSTILE = "{0.__class__}<script>\x1b[2J\u202e猫\ud800" + "x" * 500


def compared(members, checks=None, **options):
    own = {k: options.pop(k) for k in ("ignore", "experiment") if k in options}
    return compare_runs(group(members, **options), checks or load_all_checks()[1], **own)


def _planted():
    rng = np.random.default_rng(0)
    runs = [
        run(0.8 + 0.01 * np.log2(n) + rng.normal(0, 0.001), 0.02 * i, name=f"r{i}", n_train=n, n_val=200, width=2**i)
        for i, n in enumerate([100, 200, 400, 800, 1600] * 3)
    ]
    return [*runs, *folds([0.9, 0.91, 0.6, 0.9, 0.905], n_val=200)]


def _plain(val, train):
    """Twelve runs of different sizes; `val` makes the validation losses of each."""
    return [
        GroupMember(
            RunHistory.from_arrays(
                val_loss=val(i), train_loss=train, params={"n_train": f"{50 * i + 50}", "lr": f"{i}"}
            ),
            f"{i}",
            f"f-fold-{i}" if i < 6 else f"r{i}",
        )
        for i in range(12)
    ]


GROUPS = {
    "planted": _planted(),
    "empty": [],
    "one": [run(0.8)],
    "no curves": [GroupMember(RunHistory.empty(), f"{i}") for i in range(12)],
    "losses": [GroupMember(healthy(seed=i), f"h{i}", f"h{i}") for i in range(6)]
    + [GroupMember(overfitting(seed=i), f"o{i}", f"o{i}") for i in range(6)],
    "never a number": [
        GroupMember(RunHistory.from_arrays(train_loss=[np.nan] * 9, val_loss=[np.inf] * 9), f"{i}", f"n-fold-{i}")
        for i in range(5)
    ],
    "huge": _plain(lambda i: [1e300 * i, 1e300, 1], [1, 2, 1e-300]),
    "zero": _plain(lambda i: [0.0] * 6, [0.0] * 6),
    "negative": _plain(lambda i: [-1.0 - i] * 6, [-2.0] * 6),
    "hostile": [
        run(0.8 + i / 100, 0.01 * i, name=f"{HOSTILE}-fold-{i}", **{HOSTILE: f"{HOSTILE}{i % 2}", "n_train": "9" * 40})
        for i in range(12)
    ],
}  # fmt: skip


def _holds(document: Comparison) -> None:
    known = document.evidence_by_id()
    assert [f.code for f in document.findings] == CODES
    assert [f.summary for f in document.findings if f.state == "error"] == []
    assert [e.id for e in document.evidence] == [f"E{i}" for i in range(1, len(known) + 1)]
    assert all(i in known for f in document.findings for i in f.evidence)
    assert all(f.severity == "none" or f.state == "issue" for f in document.findings)
    assert all(f.summary and "nan" not in f.summary.lower().split() for f in document.findings)
    assert all(f.evidence for f in document.findings if f.state in ("issue", "passed"))
    assert {c for r in document.recommendations for c in r.finding_codes} == {
        f.code for f in document.findings if f.state == "issue"
    }
    text = document.model_dump_json()
    json.loads(text, parse_constant=pytest.fail)
    assert Comparison.model_validate_json(text) == document
    assert not re.search(r"[\x00-\x1f\u202e\ud800]", "".join(f.summary for f in document.findings))


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_true_of_every_comparison(name):
    members = GROUPS[name]
    document = compared(members, baseline=members[0].run_id if members else None)
    _holds(document)
    assert len(document.runs) == len(members)


CONTRACT = {
    "": {
        "schema_version",
        "subject",
        "runs",
        "findings",
        "evidence",
        "recommendations",
        "side_by_side",
        "model_history",
    },
    "subject": {"kind", "experiment", "baseline", "parent_run_id", "quantity", "higher_is_better", "analyzed_at"},
    "runs": {"run_id", "run_name", "verdict", "best_value", "best_epoch", "gap", "fold", "n_train"},
    "findings": {"code", "title", "state", "severity", "confidence", "summary", "evidence"},
    "evidence": {"id", "name", "value", "unit", "epoch", "source", "quantity", "low", "high"},
    "recommendations": {"id", "action", "why", "expected_effect", "finding_codes", "papers"},
}


def test_the_json_has_the_keys_that_scripts_rely_on():
    document = json.loads(compared(_planted(), baseline="r0").model_dump_json())
    for place, keys in CONTRACT.items():
        found = document[place] if place else document
        parts = found if isinstance(found, list) else [found]
        assert parts, place
        assert all(set(part) == keys for part in parts), place


def test_numbers_in_sentences_are_in_the_evidence():
    document = compared(_planted(), baseline="r0")
    known = document.evidence_by_id()
    assert {f.state for f in document.findings} >= {"issue"}
    for finding in document.findings:
        if finding.state not in ("issue", "passed"):
            continue
        numbers = [
            n
            for i in finding.evidence
            for e in [known[i]]
            for n in (e.value, e.low, e.high)
            if isinstance(n, int | float)
        ]
        shown = {
            s
            for n in numbers
            for x in (n, -n)
            for s in (f"{x:.3g}", f"{x:.2f}", f"{x:.2g}", f"{x * 100:.1f}", f"{x:.0f}")
        }
        said = re.sub(r"95 %|p below 0.001|[a-z]+-?\d+|[Ff]old \d+|and \d+ more", "", finding.summary)
        for word in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", said):
            assert word in shown, (finding.code, word, finding.summary)


def test_rows_tell_each_run_by_the_groups_quantity():
    document = compared(folds([0.8, 0.9, 0.85], n_train=100), experiment="digits")
    row = document.runs[1]
    assert (row.fold, row.n_train, row.best_epoch) == (2, 100, 10)
    assert (row.best_value, row.gap) == (pytest.approx(0.9), pytest.approx(0.05))
    subject = document.subject
    assert (subject.kind, subject.experiment, subject.baseline, subject.quantity) == (
        "comparison",
        "digits",
        None,
        "accuracy",
    )


def test_muted_checks_say_why_and_do_not_run():
    document = compared(folds([0.9, 0.9, 0.5, 0.9, 0.9]), ignore={"OVF201": "split by hand"})
    assert (document.finding("OVF201").state, document.finding("OVF201").summary) == ("ignored", "Muted: split by hand")


def test_a_check_that_fails_leaves_the_others_alone():
    checks = load_all_checks()[1]

    def broken(group):
        raise ZeroDivisionError("oops")

    checks[0].compare = broken
    document = compared(folds([0.9, 0.9, 0.5]), checks)
    assert document.finding("OVF201").state == "error"
    assert "oops" in document.finding("OVF201").summary
    assert document.finding("OVF205").state == "not_applicable"


def test_thousands_of_runs_stay_quick():
    rng = np.random.default_rng(0)
    members = [
        run(
            0.8 + rng.normal(0, 0.02),
            name=f"net-{i // 5}-fold-{i % 5}",
            n_val=500,
            n_train=100 + i % 7 * 100,
            **{f"p{j}": rng.integers(0, 9) for j in range(20)},
        )
        for i in range(4000)
    ]
    started = time.perf_counter()
    document = compared(members, baseline=members[0].run_id)
    assert time.perf_counter() - started < 20
    _holds(document)
