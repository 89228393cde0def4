"""Plans of batches, and what comes of their entries."""

from __future__ import annotations

import json

import pytest

from copilot import Settings
from copilot.batching import Validated, read_plan, run_batch
from copilot.core.analysis import analyse
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory
from copilot.errors import InputError, NotFoundError, ToolError

PLAN = """
train: data/train
suite: none
probes: class_gap
sets:
  - {name: clean, test: data/val}
  - {name: dark, test: data/dark, train: data/dark-train}
models:
  - models:/digits/1
  - {model: models:/digits/2, name: newer, seed: 3}
  - {predictions: [a.csv, b.csv], name: elsewhere}
"""


def plan(tmp_path, text):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    return file


def test_each_model_is_looked_at_with_each_set(tmp_path):
    entries = read_plan(plan(tmp_path, PLAN))
    assert [(e.name, e.on) for e in entries] == [
        (name, on) for on in ("clean", "dark") for name in ("models:/digits/1", "newer", "elsewhere")
    ]
    newer = entries[4]
    assert (newer.model, newer.train, newer.test, newer.suite, newer.probes, newer.seed) == (
        "models:/digits/2",
        "data/dark-train",
        "data/dark",
        "none",
        ("class_gap",),
        3,
    )
    assert entries[2].model is None
    assert entries[2].predictions == ("a.csv", "b.csv")


def test_the_same_entry_twice_is_one(tmp_path):
    assert len(read_plan(plan(tmp_path, "models: [a, b, a]"))) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: [a]\ntrian: x", "'trian' in the plan; did you mean 'train'"),
        ("models: [{modle: a}]", "'modle' in a model; did you mean 'model'"),
        ("models: []", "names no model"),
        ("models: a", "`models` of the plan is no list"),
        ("models: [{model: a, predictions: [x, y]}]", "neither or both"),
        ("models: [{predictions: [x]}]", "predictions"),
        ("models: [{model: a, seed: soon}]", "seed"),
        ("- a", "The plan is no mapping"),
        ("models: [", "not valid YAML"),
        ('models: [""]', "A model is no mapping"),
        ("models: [{model: a, seed: -1}]", "seed"),
        ("sets: [3]\nmodels: [a]", "A set is no mapping"),
    ],
)
def test_a_plan_that_is_wrong_is_a_line(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        read_plan(plan(tmp_path, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plan_that_is_not_there_is_a_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml")


def validated(entry):
    if entry.model == "gone":
        raise NotFoundError("There is no model gone.", "Check it.")
    if entry.model == "away":
        raise ToolError("The server http://user:secret@host does not answer.")
    numbers = {"train_accuracy": 0.99, "val_accuracy": 0.61}
    evidence = tuple(Evidence(name=n, value=v, unit="fraction", source="probe:class_gap") for n, v in numbers.items())
    outcomes = [
        Outcome(code="OVF301", title="Gap", state="issue", severity="medium", summary="s", evidence=evidence),
        Outcome(code="OVF303", title="Memorised", state="issue", severity="high", summary="s"),
        Outcome(code="OVF500", title="Suite", state="error", summary="s"),
    ]
    (analysis,) = analyse([RunHistory.empty()], [{"kind": "model", "model_uri": entry.model}], [], extra=outcomes)
    return Validated(analysis.model_dump_json(), entry.model == "known")


def test_rows_say_what_stands_out_and_failures_lose_no_other_row(tmp_path):
    entries = read_plan(plan(tmp_path, "models: [first, gone, known, away]"))
    result = run_batch(Settings(executor={"workers": 2}), entries, validated)
    first, gone, known, away = result.rows
    assert (first.state, first.verdict, first.worst, first.severity) == (
        "done",
        "inconclusive",
        "OVF303 Memorised",
        "high",
    )
    assert (first.train_accuracy, first.val_accuracy, first.issues, first.errors) == (
        0.99,
        0.61,
        {"high": 1, "medium": 1},
        1,
    )
    assert (gone.state, gone.reason, gone.exit_code) == ("failed", "There is no model gone. Check it.", 2)
    assert "secret" not in away.reason
    assert [row.known for row in result.rows] == [False, False, True, False]
    assert known.name == "known"
    assert [a.subject.model_uri for a in result.analyses] == ["first", "known"]
    assert json.loads(result.to_json())["schema_version"] == "1"
    assert result.exit_code() == 3
    assert result.model_copy(update={"rows": (first, gone)}).exit_code("low") == 2
    done = result.model_copy(update={"rows": (first, known)})
    assert (done.exit_code(), done.exit_code("high"), done.exit_code("low")) == (0, 1, 1)


def test_a_plan_that_is_too_large_is_told_before_it_is_made(tmp_path):
    sets = "\n".join(f"  - {{name: s{n}}}" for n in range(200))
    models = ", ".join(f"m{n}" for n in range(200))
    with pytest.raises(InputError, match="40,000 validations; at most 10,000"):
        read_plan(plan(tmp_path, f"sets:\n{sets}\nmodels: [{models}]"))
