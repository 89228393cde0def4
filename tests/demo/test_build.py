from __future__ import annotations

import os
import time

import pytest

from copilot.demo.build import build_demo, build_in_place
from copilot.demo.paths import DemoPaths
from copilot.errors import InputError, JobCancelled, ToolError
from copilot.utils.config import load_settings


def _noted(paths: DemoPaths, *_: object) -> None:
    (paths.folder / "made").mkdir()
    (paths.folder / "made" / "file").write_text("x")


def _quiet(*_: object) -> None:
    pass


def test_parts_lie_where_the_paths_say(paths):
    assert paths.is_complete()
    assert paths.state()["seed"] == 3
    assert all(path.exists() for path in (paths.answer_key, paths.config_file, paths.data_repo, paths.artifacts))


def test_settings_file_opens_the_demo(paths):
    settings = load_settings(paths.config_file)
    assert settings.mlflow.tracking_uri == paths.tracking_uri
    assert settings.mlflow.experiment_name == paths.experiment
    assert settings.dvc.repo == str(paths.data_repo)
    assert settings.dvc.data_path == "images"


def test_progress_rises_to_one(tiny_demo):
    fractions = [done for done, _ in tiny_demo.told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert fractions[0] < 0.05


def test_a_finished_demo_is_opened_and_not_built_again(paths):
    before = paths.answer_key.stat().st_mtime_ns
    started = time.perf_counter()
    assert build_demo(paths.folder, seed=3) == paths
    assert time.perf_counter() - started < 0.5
    assert paths.answer_key.stat().st_mtime_ns == before


def test_another_seed_asks_for_a_reset(paths):
    with pytest.raises(InputError, match="another seed"):
        build_demo(paths.folder, seed=4)


@pytest.mark.parametrize("problem", [JobCancelled("stopped"), KeyboardInterrupt(), ToolError("no disk")])
def test_an_interrupted_build_leaves_nothing(tmp_path, problem):
    def stop(paths: DemoPaths, *_: object) -> None:
        _noted(paths)
        raise problem

    with pytest.raises(type(problem)):
        build_in_place(DemoPaths.of(tmp_path / "demo"), 0, _quiet, stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_replaced(tmp_path):
    paths = DemoPaths.of(tmp_path / "demo")
    paths.folder.mkdir()
    paths.mark(0, complete=False, process={"id": os.getpid(), "started": 1.0})  # an earlier process with this id
    (paths.folder / "rest").write_text("half")
    assert not paths.is_complete()
    from copilot.demo.build import _check_free

    _check_free(paths)
    build_in_place(paths, 0, _quiet, _noted)
    assert sorted(path.name for path in paths.folder.iterdir()) == ["demo.json", "made"]
    assert paths.is_complete()


def test_a_demo_that_was_moved_is_not_taken_for_complete(tmp_path):
    paths = DemoPaths.of(tmp_path / "demo")
    build_in_place(paths, 0, _quiet, _noted)
    paths.folder.rename(tmp_path / "moved")
    assert not DemoPaths.of(tmp_path / "moved").is_complete()


@pytest.mark.parametrize("reset", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, reset):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="something other than a demo"):
        build_demo(tmp_path, reset=reset)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_demo_that_another_process_builds_is_left_alone(tmp_path):
    import psutil

    paths = DemoPaths.of(tmp_path / "demo")
    paths.folder.mkdir()
    parent = psutil.Process(os.getppid())
    paths.mark(0, complete=False, process={"id": parent.pid, "started": parent.create_time()})
    with pytest.raises(ToolError, match="Another process"):
        build_demo(paths.folder)
    assert paths.marker.exists()
