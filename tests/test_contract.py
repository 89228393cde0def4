"""The JSON of an analysis: the contract's keys, the JSON Schema that ships with the package, and what always holds."""

from __future__ import annotations

import contextlib
import json
import warnings
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import BUILT_IN, load_checks
from copilot.core.findings import VERDICTS, Analysis, Outcome, analysis_schema
from copilot.core.history import RunHistory
from copilot.errors import InputError
from copilot.results import AnalysisResult
from tests.core.curves import healthy, learning_curve, overfitting, with_accuracy

NAN, INF = float("nan"), float("inf")
# As the design states it; the second set of each row was added within schema version 1.
CONTRACT = {
    "": (
        {"schema_version", "subject", "history", "diagnosis", "findings", "evidence", "recommendations", "provenance"},
        {"pictures"},
    ),
    "subject": (
        {"kind", "run_id", "run_name", "experiment", "model_uri", "analyzed_at"},
        {"finished_at", "tracking_uri"},
    ),
    "history": ({"epochs", "pairs", "warnings"}, set()),
    "history.pairs": ({"quantity", "train_name", "val_name", "train", "val", "higher_is_better"}, set()),
    "diagnosis": ({"verdict", "confidence", "severity", "onset_epoch", "best_epoch", "summary", "causes"},
                  {"counterfactual"}),
    "diagnosis.causes": ({"cause", "probability", "finding_codes"}, {"against"}),
    "findings": ({"code", "title", "state", "severity", "confidence", "summary", "evidence"}, set()),
    "evidence": ({"id", "name", "value", "unit", "epoch", "source"}, {"quantity", "low", "high"}),
    "recommendations": ({"id", "action", "why", "expected_effect", "finding_codes", "papers"}, set()),
    "provenance": ({"versions", "settings", "duration_s"}, {"artifacts"}),
}  # fmt: skip
HOSTILE = "train_loss{0.__class__}<script>\x1b[2J\u202e猫"
RUNS = {
    "healthy": healthy(),
    "overfitting": overfitting(),
    "gap": with_accuracy(1.0, 0.7),
    "underfitting": with_accuracy(0.4, 0.39, loss=1.7),
    "shifted": with_accuracy(0.8, 0.5),
    "train only": RunHistory.from_arrays(train_loss=learning_curve(30)),
    "validation only": RunHistory.from_arrays(val_acc=[0.1, 0.5, 0.7, 0.8, 0.9]),
    "one epoch": RunHistory.from_arrays(train_loss=[2.0], val_loss=[2.1]),
    "holes": RunHistory.from_arrays(train_loss=[3, None, 2, NAN, 1, INF, 0.5], val_loss=[3, 2, NAN, None, 2, 2, 2]),
    "never a number": RunHistory.from_arrays(train_loss=[NAN] * 9, val_loss=[INF] * 9),
    "zero": RunHistory.from_arrays(train_loss=[0.0] * 9, val_loss=[0.0] * 9),
    "global steps": overfitting(epochs=np.arange(60) * 123_457),
    "half epochs": overfitting(epochs=np.arange(60) * 0.5),
    "epochs that are no numbers": RunHistory.from_arrays(epochs=[NAN, INF, *range(18)], train_loss=[1.0] * 20),
    "hostile": RunHistory.from_arrays(**{HOSTILE: [3, 2, 1, 1, 1.0], "val_loss": [3, 2, 1, 1, NAN]}, name=HOSTILE),
    "half a character": RunHistory.from_arrays(**{"train_loss\ud800": [1.0] * 6, "val_loss": [NAN] * 6}, name="\ud800"),
    "empty": RunHistory.empty(),
}  # fmt: skip
SCHEMA = json.loads(files("copilot.core").joinpath("analysis.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _analyse(*histories: RunHistory, **options) -> list[Analysis]:
    return analyse(histories, [{"kind": "history", "run_name": h.name} for h in histories], load_checks(), **options)


def _parts(document: dict, place: str) -> list[dict]:
    """Every object at `place`, for instance each of ``history.pairs``."""
    found = [document]
    for key in filter(None, place.split(".")):
        found = [part for item in found for part in (item[key] if isinstance(item[key], list) else [item[key]])]
    return found


def test_the_shipped_schema_is_up_to_date():
    assert analysis_schema() == SCHEMA, "Run scripts/write_schema.py"


def test_the_schema_is_a_schema_and_lets_keys_be_added():
    VALIDATOR.check_schema(SCHEMA)
    document = json.loads(_analyse(healthy())[0].model_dump_json())
    VALIDATOR.validate({**document, "pictures": []})
    for place in CONTRACT:
        for key in CONTRACT[place][0]:
            broken = json.loads(json.dumps(document))
            parts = _parts(broken, place)
            if parts:
                del parts[0][key]
                assert not VALIDATOR.is_valid(broken), f"{place}.{key} may be left out"


@pytest.mark.parametrize("name", RUNS)
def test_analyses_follow_the_contract_and_its_schema(name):
    (analysis,) = _analyse(RUNS[name])
    text = analysis.model_dump_json()
    document = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in the JSON"))
    VALIDATOR.validate(document)
    for place, (promised, added) in CONTRACT.items():
        for part in _parts(document, place):
            assert set(part) == promised | added, place
    assert Analysis.model_validate_json(text) == analysis
    assert AnalysisResult(analysis).to_dict() == document


def test_what_is_no_analysis_is_refused():
    document = json.loads(_analyse(overfitting())[0].model_dump_json())
    for place, key, value in [
        ("", "schema_version", "2"),
        ("diagnosis", "verdict", "fine"),
        ("diagnosis", "causes", []),
        ("diagnosis", "confidence", 1.5),
        ("diagnosis.causes", "cause", "bad luck"),
        ("findings", "state", "maybe"),
        ("history", "epochs", ["one"]),
        ("evidence", "value", []),
    ]:
        broken = json.loads(json.dumps(document))
        _parts(broken, place)[0][key] = value
        assert not VALIDATOR.is_valid(broken), (place, key)


def _holds(history: RunHistory, analysis: Analysis) -> None:
    """What is true of every analysis."""
    d, record = analysis.diagnosis, analysis.history
    known = analysis.evidence_by_id()
    axis = {None, *record.epochs}
    assert d.verdict in VERDICTS
    assert d.causes
    assert all(0 <= c.probability <= 1 for c in d.causes)
    assert sum(c.probability for c in d.causes) <= 1.001
    assert 0 <= d.confidence < 1
    assert {d.best_epoch, d.onset_epoch} <= axis
    assert (d.onset_epoch is None) or d.verdict == "overfitting"
    assert [e.id for e in analysis.evidence] == [f"E{i}" for i in range(1, len(known) + 1)]
    assert all(i in known for f in analysis.findings for i in f.evidence)
    assert {e.epoch for e in analysis.evidence} <= axis
    assert {e.value for e in analysis.evidence if e.unit == "epoch"} <= axis
    assert [f.code for f in analysis.findings] == [c.code for c in BUILT_IN]
    assert [f.summary for f in analysis.findings if f.state == "error"] == []
    assert all(f.severity == "none" or f.state == "issue" for f in analysis.findings)
    codes = {f.code for f in analysis.findings}
    assert {c for r in analysis.recommendations for c in r.finding_codes} <= codes
    assert analysis.recommendations or d.verdict == "healthy"
    assert all(len(p.train) == len(p.val) == len(record.epochs) for p in record.pairs)
    assert sorted(record.epochs) == list(record.epochs)
    if not any(np.isfinite(p.val).any() for p in history.pairs):
        assert d.best_epoch is None
        assert d.verdict in ("inconclusive", "unstable", "underfitting")


@pytest.mark.parametrize("name", RUNS)
def test_what_is_true_of_every_analysis(name):
    _holds(RUNS[name], _analyse(RUNS[name])[0])


def _random_history(rng: np.random.Generator) -> RunHistory:
    """Curves of any shape, scale and length, with holes, NaN, infinities, odd axes, missing sides and jumps."""
    n = int(rng.choice([1, 2, 3, 4, 5, 6, 9, 10, 19, 20, 21, 60, 150]))
    shapes = (
        lambda: learning_curve(n, floor=rng.uniform(0, 1)),
        lambda: learning_curve(n) + rng.uniform(0, 0.1) * np.maximum(np.arange(n) - n // 3, 0),
        lambda: rng.normal(size=n),
        lambda: np.full(n, rng.choice([0.0, 1.0, -2.5])),
        lambda: np.cumsum(rng.normal(size=n)),
        lambda: np.exp(np.minimum(np.arange(n), 600) * rng.uniform(-1, 1)),
    )
    series = {}
    for name in rng.permutation(["loss", "accuracy", "f1", "box_loss", "mse", "psnr"])[: rng.integers(1, 5)]:
        scale = 10.0 ** rng.choice([-12, -3, 0, 0, 0, 0, 3, 12, 90])
        for split in ("train", "val"):
            if rng.random() < 0.1:
                continue
            values = shapes[rng.integers(len(shapes))]() * scale + rng.normal(0, 0.02 * scale, n) * (rng.random() < 0.5)
            if name in ("accuracy", "f1") and rng.random() < 0.8:
                values = np.clip(np.abs(values) / scale, 0, 1.001) * rng.choice([1, 100])
            values = values.astype(object)
            for bad in (None, NAN, INF, -INF):
                if rng.random() < 0.07:
                    values[rng.random(n) < rng.choice([0.05, 0.5, 1.0])] = bad
            series[f"{split}_{name}"] = list(values)
    axes = (
        None,
        np.arange(n) + 1.0,
        np.sort(rng.uniform(0, 50, n)),
        np.arange(n) * 123_457.0,
        rng.permutation(n) * 1.0,
        rng.integers(0, max(n // 2, 1), n) * 1.0,
        np.where(rng.random(n) < 0.1, NAN, np.arange(n)),
    )
    return RunHistory.from_arrays(epochs=axes[rng.integers(len(axes))], **series)


def test_what_holds_for_five_hundred_random_runs():
    rng, histories = np.random.default_rng(20), []
    while len(histories) < 500:
        with contextlib.suppress(InputError):  # a run whose every value is missing
            histories.append(_random_history(rng))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analyses = _analyse(*histories)
    for history, analysis in zip(histories, analyses, strict=True):
        _holds(history, analysis)
        document = json.loads(analysis.model_dump_json(), parse_constant=pytest.fail)
        error = next(VALIDATOR.iter_errors(document), None) if len(document["history"]["epochs"]) <= 21 else None
        assert error is None, error
    assert {a.diagnosis.verdict for a in analyses} == set(VERDICTS)


def test_large_histories_stay_quick_and_quiet():
    rng = np.random.default_rng(0)
    long = 0.2 + learning_curve(100_000) + rng.normal(0, 0.01, 100_000)
    letters = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(300)]
    wide = {f"{side}_loss_{name}q": learning_curve(50) for name in letters for side in ("train", "val")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analyses = _analyse(
            RunHistory.from_arrays(train_loss=long, val_loss=long + 0.05), RunHistory.from_arrays(**wide)
        )
    assert [len(a.history.pairs) for a in analyses] == [1, 300]
    assert [a.diagnosis.verdict for a in analyses] == ["healthy", "healthy"]
    assert all(a.provenance.duration_s < 20 for a in analyses)


def test_names_that_say_the_same_are_one_pair_and_the_other_is_told():
    loss = learning_curve(20)
    history = RunHistory.from_arrays(**{"train_loss": loss, "train/loss": loss, "loss/train": loss, "val_loss": loss})
    (analysis,) = _analyse(history)
    assert [p.quantity for p in analysis.history.pairs] == ["loss"]
    assert sum("not used for the same quantity" in w for w in analysis.history.warnings) == 1
    _holds(history, analysis)


def test_outcomes_of_other_witnesses_keep_the_schema():
    extra = Outcome(code="OVF513", title="t", state="error", summary="\ud83d".encode("utf-8", "replace").decode())
    (analysis,) = _analyse(healthy(), extra=[extra])
    VALIDATOR.validate(json.loads(analysis.model_dump_json()))
    assert analysis.findings[-1].code == "OVF513"
