"""History files as frameworks write them, and everything that people pass instead."""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from copilot.core.history import RunHistory
from copilot.errors import InputError, NotFoundError
from copilot.integrations.history_files import read_history

KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.2,0.4,1.3\n1,0.7,0.8,0.6,0.9\n2,0.9,0.3,0.6,1.1\n"
LIGHTNING = """epoch,lr-Adam,step,train_acc_epoch,train_loss_epoch,train_loss_step,val_acc,val_loss
,0.001,0,,,,,
0,,0,,,2.0,,
0,,1,,,1.0,,
0,,1,,,,0.5,1.4
0,,1,0.4,1.5,,,
1,,2,,,0.8,,
1,,3,,,0.6,,
1,,3,,,,0.6,1.2
1,,3,0.7,0.7,,,
"""
LIGHTNING_PER_STEP = """epoch,step,train_loss,val_loss
0,9,2.0,
0,19,1.0,
0,19,,1.5
1,29,0.8,
1,39,0.6,
1,39,,1.3
"""
ULTRALYTICS = "\n".join(
    ",".join(cell.rjust(23) for cell in line.split())
    for line in (
        "epoch train/box_loss metrics/precision(B) metrics/mAP50(B) metrics/mAP50-95(B) val/box_loss lr/pg0",
        "1 1.7216 0.50153 0.08917 0.04515 1.4783 0.0032",
        "2 1.6221 0.60153 0.18917 0.09515 1.3783 0.0031",
    )
)
TIMM = "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n0,6.9,6.8,1.2,5.5,0.1\n1,5.1,5.0,34.5,60.1,0.1\n"
TRAINER_STATE = {
    "best_metric": 0.4,
    "global_step": 20,
    "log_history": [
        {"epoch": 0.5, "learning_rate": 5e-5, "loss": 1.0, "step": 5},
        {"epoch": 1.0, "learning_rate": 4e-5, "loss": 0.8, "step": 10},
        {"epoch": 1.0, "eval_loss": 0.9, "eval_accuracy": 0.6, "eval_runtime": 1.0, "step": 10},
        {"epoch": 2.0, "learning_rate": 0.0, "loss": 0.3, "step": 20},
        {"epoch": 2.0, "eval_loss": 1.1, "eval_accuracy": 0.7, "eval_runtime": 1.0, "step": 20},
        {"epoch": 2.0, "train_loss": 0.7, "train_runtime": 9.0, "step": 20},
    ],
}


def read(tmp_path: Path, content: str | bytes, name: str = "log.csv", **options) -> RunHistory:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_history(path, **options)


def read_document(tmp_path: Path, document: object, name: str = "log.json") -> RunHistory:
    return read(tmp_path, json.dumps(document), name)


def pair(history: RunHistory, quantity: str):
    return next(p for p in history.pairs if p.quantity == quantity)


def names(history: RunHistory) -> set[tuple[str, str | None, str | None]]:
    return {(p.quantity, p.train_name, p.val_name) for p in history.pairs}


def test_keras_csv(tmp_path):
    history = read(tmp_path, KERAS)
    assert names(history) == {("loss", "loss", "val_loss"), ("accuracy", "accuracy", "val_accuracy")}
    assert history.epochs.tolist() == [0, 1, 2]
    assert pair(history, "loss").val.tolist() == [1.3, 0.9, 1.1]
    assert history.warnings == ()
    assert history.name == "log.csv"


def test_lightning_csv_with_train_and_validation_on_different_rows(tmp_path):
    history = read(tmp_path, LIGHTNING, "metrics.csv")
    loss = pair(history, "loss")
    assert (loss.train_name, loss.val_name) == ("train_loss_epoch", "val_loss")
    assert history.epochs.tolist() == [0, 1]
    assert loss.train.tolist() == [1.5, 0.7]
    assert loss.val.tolist() == [1.4, 1.2]
    assert pair(history, "accuracy").train.tolist() == [0.4, 0.7]


def test_lightning_csv_with_training_loss_per_step_is_averaged_by_epoch(tmp_path):
    history = read(tmp_path, LIGHTNING_PER_STEP)
    assert history.epochs.tolist() == [0, 1]
    assert pair(history, "loss").train == pytest.approx([1.5, 0.7])
    assert pair(history, "loss").val.tolist() == [1.5, 1.3]
    assert any("averaged" in warning and "'train_loss'" in warning for warning in history.warnings)


def test_ultralytics_csv_with_padded_names(tmp_path):
    history = read(tmp_path, ULTRALYTICS, "results.csv")
    assert ("box_loss", "train/box_loss", "val/box_loss") in names(history)
    assert ("map50-95", None, "metrics/mAP50-95(B)") in names(history)
    assert history.epochs.tolist() == [1, 2]
    assert pair(history, "map50").val.tolist() == [0.08917, 0.18917]


def test_timm_csv_in_percent(tmp_path):
    history = read(tmp_path, TIMM, "summary.csv")
    assert names(history) == {
        ("loss", "train_loss", "eval_loss"),
        ("accuracy", None, "eval_top1"),
        ("top5", None, "eval_top5"),
    }
    assert pair(history, "accuracy").val == pytest.approx([0.012, 0.345])
    assert any("percent" in warning for warning in history.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "epoch;train_loss;val_loss\n1;0,5;0,6\n2;0,25;0,75\n",
        "epoch\ttrain_loss\tval_loss\n1\t0.5\t0.6\n2\t0.25\t0.75\n",
        "# epoch train_loss val_loss\n1 0.5 0.6\n2 0.25 0.75\n",
        "# a run of mine\nepoch,train_loss,val_loss,\n1,0.5,0.6,\n2,0.25,0.75,\n",
        '"epoch","train_loss","val_loss"\r\n1,50%,60%\r\n2,25%,75 %\r\n',
        "epoch,phase,loss\n1,train,0.5\n1,val,0.6\n2,train,0.25\n2,val,0.75\n",
    ],
    ids=["semicolon and decimal comma", "tab", "commented header", "comment and trailing comma", "percent", "long"],
)
def test_other_layouts(tmp_path, text):
    history = read(tmp_path, text)
    assert history.epochs.tolist() == [1, 2]
    assert pair(history, "loss").train == pytest.approx([0.5, 0.25])
    assert pair(history, "loss").val == pytest.approx([0.6, 0.75])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    history = read(tmp_path, "época,train_loss,val_loss\n1,0.5,0.6\n2,0.4,0.7\n".encode(encoding))
    assert pair(history, "loss").val.tolist() == [0.6, 0.7]


def test_a_missing_cell_is_not_a_logged_nan(tmp_path):
    history = read(tmp_path, "epoch,train_loss,val_loss\n0,1,1\n1,nan,\n2,inf,NA\n3,0.2,2\n")
    loss = pair(history, "loss")
    assert loss.bad_train.tolist() == [False, True, True, False]
    assert not loss.bad_val.any()
    assert np.isnan(loss.val[1:3]).all()
    assert loss.train[[0, 3]].tolist() == [1, 0.2]


def test_rows_of_a_run_that_was_started_again(tmp_path):
    history = read(tmp_path, KERAS + "1,0.75,0.7,0.65,0.8\n2,0.95,0.2,0.7,0.7\n")
    assert history.epochs.tolist() == [0, 1, 2]
    assert pair(history, "loss").val.tolist() == [1.3, 0.8, 0.7]
    assert any("Repeated steps" in warning for warning in history.warnings)


def test_a_header_repeated_in_the_middle_counts_as_missing(tmp_path):
    history = read(tmp_path, KERAS + KERAS.partition("\n")[0] + "\n3,0.9,0.2,0.6,1.2\n")
    assert history.epochs.tolist() == [0, 1, 2, 3]
    assert pair(history, "loss").train.tolist() == [1.2, 0.8, 0.3, 0.2]
    assert any("holds text in 1 rows" in warning for warning in history.warnings)


def test_step_is_the_axis_without_an_epoch_and_row_number_without_both(tmp_path):
    assert read(tmp_path, "step,train_loss,val_loss\n10,1,2\n20,1,2\n").epochs.tolist() == [10, 20]
    assert read(tmp_path, "train_loss,val_loss\n1,2\n1,2\n1,2\n").epochs.tolist() == [0, 1, 2]


def test_an_epoch_column_that_never_changes_is_no_axis(tmp_path):
    assert read(tmp_path, "epochs,step,train_loss,val_loss\n5,1,1,2\n5,2,1,2\n").epochs.tolist() == [1, 2]


def test_patterns_of_the_project_win(tmp_path):
    history = read(tmp_path, "epoch,loss_a,loss_b\n0,1,2\n1,1,3\n", train_pattern="{}_a", val_pattern="{}_b")
    assert names(history) == {("loss", "loss_a", "loss_b")}


def test_wall_times_are_kept(tmp_path):
    history = read(tmp_path, "epoch,timestamp,loss,val_loss\n0,1700000000,1,2\n1,1700000060,1,2\n")
    assert history.times.tolist() == [1700000000, 1700000060]


def test_keras_history_as_json(tmp_path):
    history = read(tmp_path, '{"lr": 0.1, "loss": [1.0, 0.5, NaN], "val_loss": [1.1, null, Infinity]}', "h.json")
    loss = pair(history, "loss")
    assert loss.bad_train.tolist() == [False, False, True]
    assert loss.bad_val.tolist() == [False, False, True]
    assert math.isnan(loss.val[1])
    assert history.params == {"lr": "0.1"}


@pytest.mark.parametrize(
    "document",
    [
        {"epochs": [1, 2], "train_loss": [0.5, 0.25], "val_loss": [0.6, 0.75]},
        {"epoch": [1, 2], "params": {}, "history": {"loss": [0.5, 0.25], "val_loss": [0.6, 0.75]}},
        [{"epoch": 1, "train_loss": 0.5, "val_loss": 0.6}, {"epoch": 2, "train_loss": 0.25, "val_loss": 0.75}],
        {
            "epochs": [
                {"epoch": 1, "train": {"loss": 0.5}, "val": {"loss": 0.6}},
                {"epoch": 2, "train": {"loss": 0.25}, "val": {"loss": "0.75"}},
            ]
        },
        {"epoch": [1, 2], "train": {"loss": [0.5, 0.25]}, "val": {"loss": [0.6, 0.75]}},
        {"epoch": {"0": 1, "1": 2}, "train_loss": {"0": 0.5, "1": 0.25}, "val_loss": {"0": 0.6, "1": 0.75}},
        [{"epochs": [1, 2], "train_loss": [0.5, 0.25], "val_loss": [0.6, 0.75]}],
    ],
    ids=["lists", "keras object", "rows", "nested rows", "nested lists", "pandas", "one record in a list"],
)
def test_json_shapes(tmp_path, document):
    history = read_document(tmp_path, document)
    assert history.epochs.tolist() == [1, 2]
    assert pair(history, "loss").train.tolist() == [0.5, 0.25]
    assert pair(history, "loss").val.tolist() == [0.6, 0.75]


def test_json_lines_with_a_last_line_cut_off(tmp_path):
    rows = [{"mode": "train", "epoch": e, "loss": 1 / e} for e in (1, 2)]
    rows += [{"mode": "val", "epoch": e, "loss": 2 / e} for e in (1, 2)]
    history = read(tmp_path, "\n".join(map(json.dumps, rows)) + '\n{"mode": "va', "log.jsonl")
    assert names(history) == {("loss", "train/loss", "val/loss")}
    assert pair(history, "loss").val.tolist() == [2, 1]
    assert any("cut off" in warning for warning in history.warnings)


def test_hugging_face_trainer_state(tmp_path):
    history = read_document(tmp_path, TRAINER_STATE, "trainer_state.json")
    assert ("loss", "loss", "eval_loss") in names(history)
    assert history.epochs.tolist() == [0.5, 1.0, 2.0]
    assert pair(history, "loss").train.tolist() == [1.0, 0.8, 0.3]
    assert pair(history, "accuracy").val[1:].tolist() == [0.6, 0.7]


def test_validation_every_few_epochs_is_spread_over_them(tmp_path):
    history = read_document(tmp_path, {"loss": [6, 5, 4, 3, 2, 1], "val_loss": [7, 8]})
    assert pair(history, "loss").val[[2, 5]].tolist() == [7, 8]
    assert np.isnan(pair(history, "loss").val[[0, 1, 3, 4]]).all()
    assert any("one every 3 epochs" in warning for warning in history.warnings)


def test_an_analysis_document_gives_the_same_history_again(tmp_path):
    first = read(tmp_path, "epoch,train_loss,test_loss,top1\n3,1,2,50\n4,0.5,,60\n")
    document = {"schema_version": "1", "subject": {"run_name": "r7"}, "history": first.record().model_dump(mode="json")}
    again = read_document(tmp_path, document)
    assert again.name == "r7"
    assert again.epochs.tolist() == [3, 4]
    assert names(again) == names(first)
    for old, new in zip(first.pairs, again.pairs, strict=True):
        assert np.array_equal(old.val, new.val, equal_nan=True)
    wrapped = read_document(tmp_path, {"schema_version": "1", "analyses": [document]})
    assert names(wrapped) == names(first)


@pytest.mark.parametrize("name", ["results.csv", "metrics.csv"])
def test_a_run_folder_of_a_framework(tmp_path, name):
    read(tmp_path, KERAS, name)
    assert read_history(tmp_path).name == name


def test_published_histories_as_files(tmp_path, shared_data):
    lines = (shared_data / "histories" / "overfitguard_real.jsonl").read_text().splitlines()
    with gzip.open(shared_data / "histories" / "deepobs_half.jsonl.gz", "rt") as file:
        lines += [line for line, _ in zip(file, range(20), strict=False)]
    for line in lines:
        record = json.loads(line)
        history = read(tmp_path, line, "record.json")
        logged = np.array([np.nan if v is None else v for v in record["val_loss"]], dtype=float)
        loss = pair(history, "loss")
        at = np.searchsorted(history.epochs, np.flatnonzero(np.isfinite(logged)))
        assert loss.val[at] == pytest.approx(logged[np.isfinite(logged)]), record["id"]
    with pytest.raises(InputError, match="holds 40 histories"):
        read_history(shared_data / "histories" / "overfitguard_real.jsonl")


BAD_FILES = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n", "is empty"),
    "header.csv": (b"epoch,train_loss,val_loss\n", "no rows"),
    "numbers.csv": (b"1,0.5,0.6\n2,0.4,0.7\n", "no header line"),
    "prose.csv": (b"Dear all,\nthe model overfits, I think.\n", "no metric was recognised"),
    "other.csv": (b"city,population\nBonn,330000\n", "found: city, population"),
    "words.csv": (b"train_loss,val_loss\nlow,high\n", "no numbers in train_loss"),
    "ragged.csv": (b"epoch,train_loss\n1,2\n1,2,3,4,5\n", "line 3"),
    "quote.csv": (b'epoch,train_loss\n1,"2\n3,4\n', "not a table"),
    "image.csv": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is a binary file"),
    "packed.csv": (gzip.compress(KERAS.encode()), "is a binary file"),
    "random.json": (bytes(range(256)), "is a binary file"),
    "cut.json": (b'{"loss": [1, 2', "not valid JSON"),
    "cut.jsonl": (b'{"loss": 1}\n{"lo\n{"loss": 2}\n', "not valid JSON \\(line 2\\)"),
    "number.json": (b"3", "single int"),
    "text.json": (b'"loss"', "single str"),
    "list.json": (b"[1, 2, 3]", "list of int"),
    "none.json": (b"[]", "empty list"),
    "scalars.json": (b'{"loss": 1, "val_loss": 2}', "found: loss, val_loss"),
    "settings.json": (b'{"mlflow": {"tracking_uri": "x"}}', "no lists of numbers"),
    "broken_analysis.json": (b'{"history": {"epochs": [1], "pairs": [{"quantity": "loss"}]}}', "not a whole analysis"),
    "scan.json": (b'{"analyses": [{}, {}]}', "holds 2 analyses"),
    "deep.json": (b"[" * 100_000, "nested too deeply|not valid JSON"),
    "events.out.tfevents.1": (b"not events", "no scalars"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_in_one_line_that_names_them(tmp_path, name):
    content, message = BAD_FILES[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, content, name)
    assert name in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_places_without_a_history(tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        read_history(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="no TensorBoard event files"):
        read_history(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_history("x" * 5000)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="not a regular file"):
        read_history(tmp_path / "pipe.csv")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(InputError, match="300 MB; at most 200 MB"):
        read_history(tmp_path / "huge.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(KERAS)
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        read_history(path)


def test_hostile_names_are_cleaned(tmp_path):
    history = read(tmp_path, "epoch,train_loss,val_loss\u200b\u202e\n0,1,2\n1,1,2\n", "run\n\x07.csv")
    assert all(ord(c) >= 32 for c in history.name)
    assert pair(history, "loss").val_name == "val_loss"
