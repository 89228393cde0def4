"""Images of a DVC revision, read from the cache or the remote of a real repository."""

from __future__ import annotations

import shutil

import pytest

from copilot.errors import InputError, NotFoundError
from copilot.utils.config import DvcSettings

pytest.importorskip("dvc")
from copilot.integrations.images.dvc_images import DvcImages
from tests.integrations.test_dvc_manager import commit, fingerprint, object_in, picture, put, start, track


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """v1: two cats, a dog. v2: another dog, and an image outside the class folders."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_SYSTEM_CONFIG_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("dvc-own")))
        repo = start(tmp_path_factory.mktemp("dvc") / "project")
        (repo / ".dvc" / "config").write_text('[core]\n    remote = store\n[remote "store"]\n    url = ../../store\n')
        put(repo, "train", "cat", range(2))
        put(repo, "train", "dog", range(100, 101))
        track(repo)
        commit(repo, "First images", "v1")
        put(repo, "train", "dog", range(101, 102))
        (repo / "images" / "train" / "loose.png").write_bytes(picture(9))
        (repo / "images" / "train" / "notes.txt").write_text("no image")
        track(repo)
        commit(repo, "More dogs", "v2")
        yield repo


def test_a_revision_is_read_without_checking_it_out(project):
    before = fingerprint(project)
    settings = DvcSettings(repo=str(project))
    old = DvcImages("v1", "images/train", settings)
    assert old.names == ("cat/000.png", "cat/001.png", "dog/100.png")
    assert old.class_counts() == {"cat": 2, "dog": 1}
    assert old.read(range(3))[:, 0, 0, 0].tolist() == [0, 1, 100]
    new = DvcImages("v2", "", DvcSettings(repo=str(project), data_path="images/train"))
    assert new.class_counts() == {"cat": 2, "dog": 2}
    assert new.notes == ("1 images outside class folders were left out.",)
    assert old.fingerprint() != new.fingerprint()
    assert fingerprint(project) == before


def test_splits_are_named_and_not_taken_for_classes(project):
    settings = DvcSettings(repo=str(project))
    with pytest.raises(InputError, match="holds splits: train"):
        DvcImages("v1", "images", settings)
    split = DvcImages("v1", "images", settings, "training")
    assert split.names == DvcImages("v1", "images/train", settings).names
    with pytest.raises(InputError, match="no folder for val") as caught:
        DvcImages("v1", "images", settings, "val")
    assert caught.value.hint == "It holds: train."


def test_the_stamp_is_the_content(project):
    first = DvcImages("v1", "images/train", DvcSettings(repo=str(project)))
    assert first.fingerprint() == DvcImages("v1^{commit}", "images/train", DvcSettings(repo=str(project))).fingerprint()
    assert len(first._stamp(0)) == 32


def test_objects_come_from_the_remote_and_lost_ones_are_skipped(project, tmp_path):
    shutil.copytree(project.parent, tmp_path / "copy", symlinks=True)
    copy = tmp_path / "copy" / "project"
    store = tmp_path / "copy" / "store"
    images = DvcImages("v1", "images/train", DvcSettings(repo=str(copy)))
    shutil.rmtree(copy / ".dvc" / "cache")
    object_in(store, images._stamp(1)).unlink()
    assert sorted(images.sample().tolist()) == [0, 2]
    assert "neither in the DVC cache nor in the remote" in images.skipped["cat/001.png"]


def test_revisions_and_paths_that_are_not_there(project):
    settings = DvcSettings(repo=str(project))
    with pytest.raises(NotFoundError):
        DvcImages("v9", "images/train", settings)
    with pytest.raises(NotFoundError, match="does not track"):
        DvcImages("v1", "elsewhere", settings)
    with pytest.raises(InputError, match="no images in class folders"):
        DvcImages("v1", "images/train/cat", settings)
    with pytest.raises(InputError, match="not in the DVC project"):
        DvcImages("v1", "../../etc", settings)
