"""TensorBoard event files, written by PyTorch and in TensorFlow 2's form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from copilot.core.history import RunHistory
from copilot.errors import InputError, NotFoundError
from copilot.integrations import tensorboard_reader
from copilot.integrations.history_files import read_history
from copilot.integrations.tensorboard_reader import read_events


def write(folder: Path, log: Callable[[SummaryWriter, int], object], epochs: int = 3) -> Path:
    with SummaryWriter(str(folder)) as writer:
        for epoch in range(epochs):
            log(writer, epoch)
    return folder


def keras_scalar(tag: str) -> Callable[[SummaryWriter, int], object]:
    """Log as TensorFlow 2 does: a tensor marked as a scalar."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    return lambda writer, epoch: writer._get_file_writer().add_summary(scalar_pb(tag, 1 / (epoch + 1)), epoch)


def pairs(history: RunHistory) -> list[tuple[str, str | None, str | None]]:
    return [(p.quantity, p.train_name, p.val_name) for p in history.pairs]


def both(writer: SummaryWriter, epoch: int) -> None:
    writer.add_scalar("Loss/train", 1 / (epoch + 1), epoch, walltime=1000 + epoch)
    writer.add_scalar("Loss/val", 2 / (epoch + 1), epoch, walltime=1000 + epoch)


def test_pytorch(tmp_path):
    history = read_history(write(tmp_path / "run-7", both))
    assert pairs(history) == [("loss", "Loss/train", "Loss/val")]
    assert history.epochs.tolist() == [0, 1, 2]
    assert history.pairs[0].train == pytest.approx([1, 1 / 2, 1 / 3])
    assert history.times.tolist() == [1000, 1001, 1002]
    assert (history.name, history.warnings) == ("run-7", ())


def test_one_file_of_a_run(tmp_path):
    (file,) = write(tmp_path / "run-7", both).iterdir()
    assert pairs(read_history(file)) == [("loss", "Loss/train", "Loss/val")]


def test_several_scalars_in_one_call(tmp_path):
    write(tmp_path, lambda w, e: w.add_scalars("acc", {"train": e / 10, "valid": e / 20}, e))
    assert pairs(read_events(tmp_path)) == [("accuracy", "acc_train/acc", "acc_valid/acc")]


def test_keras_folders(tmp_path):
    for split in ("train", "validation"):
        write(tmp_path / split, keras_scalar("epoch_loss"))
    history = read_events(tmp_path)
    assert pairs(history) == [("loss", "train/epoch_loss", "validation/epoch_loss")]
    assert history.pairs[0].val == pytest.approx([1, 1 / 2, 1 / 3])


def test_lightning_steps_become_epochs(tmp_path):
    def log(writer, epoch):
        for step in (10 * epoch + 4, 10 * epoch + 9):
            writer.add_scalar("train_loss", step, step)
            writer.add_scalar("epoch", epoch, step)
        writer.add_scalar("val_loss", epoch, 10 * epoch + 9)

    history = read_events(write(tmp_path / "lightning_logs" / "version_0", log).parent)
    assert history.epochs.tolist() == [0, 1, 2]
    assert history.pairs[0].train.tolist() == [6.5, 16.5, 26.5]


def test_a_run_in_a_folder_that_only_sounds_like_a_split(tmp_path):
    assert pairs(read_events(write(tmp_path / "train_resnet", both).parent)) == [("loss", "Loss/train", "Loss/val")]


def test_a_resumed_run_in_two_files(tmp_path):
    write(tmp_path, both, 2)
    with SummaryWriter(str(tmp_path), filename_suffix=".2") as writer:
        for epoch in (1, 2):
            writer.add_scalar("Loss/train", 7, epoch, walltime=2000 + epoch)
            writer.add_scalar("Loss/val", 8, epoch, walltime=2000 + epoch)
    history = read_events(tmp_path)
    assert history.pairs[0].train.tolist() == [1, 7, 7]
    assert any("Repeated steps" in warning for warning in history.warnings)


def test_several_runs_must_be_named(tmp_path):
    write(tmp_path / "a" / "train", both)
    write(tmp_path / "b", both)
    with pytest.raises(InputError, match=r"holds 2 runs \(a, b\). Name one of them"):
        read_events(tmp_path)


def test_runs_below_a_run_are_left_out(tmp_path):
    write(tmp_path, both)
    write(tmp_path / "1700000000.1", lambda w, e: w.add_scalar("hparam/val_loss", 9, e))
    history = read_events(tmp_path)
    assert pairs(history) == [("loss", "Loss/train", "Loss/val")]
    assert any("1700000000.1" in warning for warning in history.warnings)


def test_a_file_that_was_cut_off_gives_what_is_whole(tmp_path):
    (file,) = write(tmp_path, both, 5).iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    history = read_events(tmp_path)
    assert history.pairs[0].train == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert len(history.pairs[0].val) == 5


def test_values_that_are_not_finite(tmp_path):
    write(
        tmp_path, lambda w, e: [w.add_scalar(f"{s}/loss", float("nan") if e == 1 else 1.0, e) for s in ("train", "val")]
    )
    assert read_events(tmp_path).pairs[0].bad_train.tolist() == [False, True, False]


def test_folders_without_scalars(tmp_path, monkeypatch):
    with pytest.raises(NotFoundError):
        read_events(tmp_path / "missing")
    with pytest.raises(InputError, match="holds no TensorBoard event files"):
        read_events(tmp_path)
    write(tmp_path / "text", lambda w, e: w.add_text("note", "hello", e))
    with pytest.raises(InputError, match="holds no scalars"):
        read_events(tmp_path / "text")
    write(tmp_path / "other", lambda w, e: w.add_scalar("lr", 0.1, e))
    with pytest.raises(InputError, match=r"other: no metric was recognised \(found: lr\)"):
        read_events(tmp_path / "other")
    monkeypatch.setattr(tensorboard_reader, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="of events; at most"):
        read_events(tmp_path / "text")
    monkeypatch.setattr(tensorboard_reader, "MAX_ENTRIES", 1)
    with pytest.raises(InputError, match="too many files"):
        read_events(tmp_path)
