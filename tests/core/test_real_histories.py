"""The verdicts on published histories that were labelled by other people."""

import gzip
import json

import pytest

from copilot.core.analysis import analyse
from copilot.core.checks import load_checks
from copilot.core.history import RunHistory


def verdicts(path):
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in raw.splitlines()]
    histories = [RunHistory.from_arrays(**_series(row)) for row in rows]
    documents = analyse(histories, [{"kind": "history"}] * len(rows), load_checks())
    return rows, [d.diagnosis.verdict for d in documents]


def _series(row):
    names = {
        "train_accuracy": "train_acc",
        "val_accuracy": "val_acc",
        "train_loss": "train_loss",
        "val_loss": "val_loss",
    }
    nan = float("nan")
    return {k: [nan if v is None else v for v in row[c]] for k, c in names.items() if row[c] is not None}


@pytest.mark.parametrize(("name", "allowed"), [("overfitguard_real.jsonl", 1), ("overfitguard_simulated.jsonl.gz", 4)])
def test_published_labels(shared_data, name, allowed):
    rows, found = verdicts(shared_data / "histories" / name)
    wrong = [r["id"] for r, v in zip(rows, found, strict=True) if (v == "overfitting") != (r["label"] == 1)]
    assert len(wrong) <= allowed, wrong


def test_runs_that_went_nan_are_never_called_overfitting(shared_data):
    rows, found = verdicts(shared_data / "histories" / "deepobs_half.jsonl.gz")
    broken = [v for r, v in zip(rows, found, strict=True) if any(x is None for x in r["train_loss"])]
    assert len(broken) > 50
    assert broken.count("overfitting") == 0
