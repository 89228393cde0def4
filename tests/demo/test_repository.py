from __future__ import annotations

import io
import subprocess

import numpy as np
import pytest
from PIL import Image

from copilot.demo.data import data_states
from copilot.demo.repository import build_repository, image_files, png
from copilot.errors import ToolError
from copilot.integrations.dvc_manager import DvcManager


def git(paths, *arguments: str) -> str:
    settings = ["-c", f"safe.directory={paths.data_repo}"]
    return subprocess.check_output(["git", *settings, *arguments], cwd=paths.data_repo, text=True).strip()


@pytest.fixture
def plain_git(monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)


pytestmark = pytest.mark.usefixtures("plain_git")


def test_tags_and_branches(paths):
    assert git(paths, "tag").split() == ["v1", "v2"]
    assert git(paths, "branch", "--format=%(refname:short)").split() == ["batch-3", "batch-4", "batch-5", "main"]
    assert git(paths, "rev-parse", "main") == git(paths, "rev-parse", "v2")
    assert git(paths, "status", "--porcelain") == ""


def test_versions_compare_as_made(paths):
    manager = DvcManager(paths.data_repo)
    versions = manager.versions("images")
    assert {"v1", "v2"} <= {version.revision for version in versions}
    compared = manager.compare("images", "v1", "v2")
    assert (compared.n_added, compared.n_removed, compared.n_changed) == (150, 44, 30)


def test_every_state_is_read_back_without_a_checkout(paths):
    manager = DvcManager(paths.data_repo)
    for name, state in data_states(3).items():
        files = image_files(state)
        assert manager.list_files("images", name).keys() == files.keys()
        path = min(files)
        assert manager.read_bytes(f"images/{path}", name) == files[path]


def test_the_local_remote_holds_what_the_cache_holds(paths):
    kept = [
        {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
        for top in (paths.data_repo / ".dvc" / "cache" / "files" / "md5", paths.data_remote / "files" / "md5")
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 2000


def test_the_working_folder_is_at_the_second_version(paths):
    files = image_files(data_states(3)["v2"])
    root = paths.data_repo / "images"
    assert {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.png")} == files


def test_analytics_are_off(paths):
    assert "analytics = false" in (paths.data_repo / ".dvc" / "config").read_text()


def test_png_repeats_each_pixel():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    read = np.asarray(Image.open(io.BytesIO(png(image))))
    assert read.shape == (32, 32)
    assert np.array_equal(read[::4, ::4], image)
    assert np.array_equal(read[3::4, 3::4], image)


def test_git_missing_is_said_in_one_line(tmp_path, monkeypatch):
    from copilot.demo.paths import DemoPaths

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="Git was not found"):
        build_repository(DemoPaths.of(tmp_path / "d"), {})
