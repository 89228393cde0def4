"""Folder stores as people leave them: copied in part, edited by git and by hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from copilot.core.history import RunHistory
from copilot.errors import InputError, ToolError
from copilot.integrations.mlflow import folder_store
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings

RUN = "b" * 32
META = "experiment_id: '1'\nlifecycle_stage: active\nname: zoo\n"
RUN_META = f"artifact_uri: file:///C:/Users/me/mlruns/1/x/artifacts\nrun_uuid: {RUN}\nrun_name: mine\nstatus: 3\n"


def points(values: list[float]) -> str:
    return "".join(f"{1690000000000 + 60000 * i} {v} {i}\n" for i, v in enumerate(values))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with two curves."""
    folder = tmp_path / "mlruns" / "1" / RUN
    (folder / "metrics").mkdir(parents=True)
    (folder.parent / "meta.yaml").write_text(META)
    (folder / "meta.yaml").write_text(RUN_META)
    for name in ("train_loss", "val_loss"):
        (folder / "metrics" / name).write_text(points([1.0, 0.5, 0.25]))
    return folder


def opened(run: Path) -> MlflowSource:
    return MlflowSource(MlflowSettings(tracking_uri=str(run.parents[1])))


def history(run: Path) -> RunHistory:
    return opened(run).history(RUN)


@pytest.mark.parametrize("meta", [None, "", "- a\n", f"<<<<<<< HEAD\n{RUN_META}=======\n{RUN_META}>>>>>>> theirs\n"])
def test_a_run_without_its_description_is_read_by_what_it_logged(run, meta):
    (run / "meta.yaml").unlink()
    if meta is not None:
        (run / "meta.yaml").write_text(meta)
    assert [info.run_id for info in opened(run).runs("zoo")] == [RUN]
    assert history(run).pairs[0].train.tolist() == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("start", ["1" + "0" * 400, ".nan", ".inf", "null", "'169'", "2023-01-01"])
def test_a_start_that_is_no_time_is_none(run, start):
    (run / "meta.yaml").write_text(f"{RUN_META}start_time: {start}\nend_time: {start}\n")
    info = opened(run).runs("zoo")[0]
    assert (info.start_time, info.end_time) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "\n" + points([1.0, 0.5, 0.25]),
        points([1.0, 0.5, 0.25]).replace("\n", "\r\n"),
        points([1.0, 0.5, 0.25]).replace("\n", "\n\n"),
        "\ufeff" + points([1.0, 0.5, 0.25]),
    ],
)
def test_blank_lines_line_ends_and_marks_lose_no_point(run, text):
    (run / "metrics" / "val_loss").write_bytes(text.encode())
    assert history(run).pairs[0].val.tolist() == [1.0, 0.5, 0.25]


def test_a_metric_that_cannot_be_read_spoils_only_its_run(run, monkeypatch):
    other = run.with_name("c" * 32)
    shutil.copytree(run, other)
    (other / "meta.yaml").write_text(RUN_META.replace(RUN, "c" * 32))
    refused, read = run / "metrics" / "val_loss", Path.read_text

    def read_text(file: Path, *args, **more) -> str:  # root may read all, so that taking the right away does nothing
        if file == refused:
            raise PermissionError(13, "Permission denied")
        return read(file, *args, **more)

    monkeypatch.setattr(Path, "read_text", read_text)
    found = {info.run_id: told for info, told in opened(run).read(opened(run).runs("zoo"))}
    assert isinstance(found[RUN], ToolError)
    assert "val_loss cannot be read: Permission denied" in str(found[RUN])
    assert found["c" * 32].pairs[0].val.tolist() == [1.0, 0.5, 0.25]


def test_a_metric_that_is_taken_away_while_it_is_read(run, monkeypatch):
    listed = folder_store._metrics
    monkeypatch.setattr(folder_store, "_metrics", lambda folder: [*listed(folder), ("gone", folder / "gone")])
    assert opened(run).run(RUN).metrics == {"train_loss": 0.25, "val_loss": 0.25}
    assert history(run).n_epochs == 3


def test_a_folder_that_is_a_link_is_not_followed(run, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "token").write_text("secret")
    (run / "params").symlink_to(tmp_path / "private")
    assert opened(run).run(RUN).params == {}


def test_a_name_that_is_no_text_is_read(run):
    file = os.path.join(os.fsencode(run / "metrics"), b"val\xff_acc")
    try:
        with open(file, "w", encoding="utf-8") as opened_file:
            opened_file.write(points([0.1, 0.2, 0.3]))
    except OSError:
        pytest.skip("The file system takes no such name.")
    names = opened(run).run(RUN).metrics
    assert "val\ufffd_acc" in names
    assert all(name.encode() for name in names)


def test_two_experiments_of_one_name_are_told_apart_by_id(run):
    copy = run.parents[1] / "2"
    copy.mkdir()
    (copy / "meta.yaml").write_text(META.replace("'1'", "'2'"))
    with pytest.raises(InputError, match="2 experiments are named 'zoo'") as told:
        opened(run).runs("zoo")
    assert "1, 2" in told.value.hint
    assert [info.run_id for info in opened(run).runs("1")] == [RUN]
