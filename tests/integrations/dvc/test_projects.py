"""Finding DVC projects below a folder."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("dvc")
from copilot.errors import InputError, NotFoundError
from copilot.integrations.dvc.projects import find_projects
from copilot.integrations.dvc_manager import DvcManager
from tests.integrations.dvc_projects import commit, git, put, start, track

pytestmark = pytest.mark.usefixtures("own_dvc_folders")


def test_several_projects_of_one_repository_submodules_and_odd_names(tmp_path):
    from dvc.repo import Repo

    mono = tmp_path / "mono repo"
    mono.mkdir()
    git(mono, "init", "-q", "-b", "main")
    for name in ("a", "b/Grün-猫"):
        (mono / name).mkdir(parents=True)
        Repo.init(str(mono / name), subdir=True).close()
    (mono / "a" / ".dvc" / "config").write_text('[remote "store"]\n    url = /x\n')
    (mono / "broken").mkdir()
    (mono / "broken" / ".dvc").mkdir()
    (mono / "broken" / ".dvc" / "config").write_text("[core\n")
    inner = start(tmp_path / "inner")
    put(inner, "train", "cat", range(2))
    track(inner, push=False)
    commit(inner, "Inner", "v1")
    commit(mono, "Mono")
    git(mono, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    os.symlink(mono, mono / "loop")
    found = {os.path.relpath(p.path, tmp_path): p for p in find_projects(tmp_path)}
    assert set(found) == {"inner", "mono repo/a", "mono repo/b/Grün-猫", "mono repo/broken", "mono repo/sub"}
    assert found["mono repo/a"].remotes == ("store",)
    assert found["mono repo/a"].repository == str(mono)
    assert found["mono repo/sub"].repository == str(mono / "sub")
    assert [v.n_files for v in DvcManager(mono / "sub").versions("images")] == [2]
    assert len(find_projects(mono, depth=1)) == 3
    with pytest.raises(InputError, match="No such folder"):
        find_projects(tmp_path / "none")


def test_shallow_clones_and_a_detached_head(tmp_path):
    repo = start(tmp_path / "whole")
    for n in (1, 2, 3):
        put(repo, "train", "cat", range(n))
        track(repo, push=False)
        commit(repo, f"Version {n}", f"v{n}")
    first = git(repo, "rev-parse", "v1^{commit}")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    shallow = DvcManager(tmp_path / "shallow")
    assert [v.n_files for v in shallow.versions("images")] == [3]
    with pytest.raises(NotFoundError, match="not in this clone") as error:
        shallow.datasets(first)
    assert "git fetch --unshallow" in error.value.hint
    git(repo, "checkout", "-q", "--detach", "v2")
    put(repo, "train", "cat", range(7))
    track(repo, push=False)
    lost = commit(repo, "On no branch")
    git(repo, "checkout", "-q", "main")
    manager = DvcManager(repo)
    assert [v.n_files for v in manager.versions("images")] == [3, 2, 1]
    held = manager.versions_at(["v1", lost, "none"], "images")
    assert [held["v1"].revision, held[lost].n_files] == ["v1", 7]
    assert isinstance(held["none"], NotFoundError)


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_links_into_the_cache_are_left_alone(tmp_path, kind):
    repo = start(tmp_path / "linked")
    with (repo / ".dvc" / "config").open("a") as config:
        config.write(f"[cache]\n    type = {kind}\n    dir = ../../elsewhere\n")
    put(repo, "train", "cat", range(3))
    track(repo, push=False)
    commit(repo, "Links", "v1")
    image = repo / "images" / "train" / "cat" / "000.png"
    before = image.lstat()
    assert DvcManager(repo).read_bytes("images/train/cat/000.png", "v1") == image.read_bytes()
    assert image.is_symlink() is (kind == "symlink")
    assert image.lstat().st_mtime_ns == before.st_mtime_ns
