"""Images of a DVC revision are known by DVC's own hashes, which those of the checked-out files are too."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dvc")
from copilot.integrations.images.dvc_images import DvcImages
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.inspection import measuring
from copilot.integrations.inspection.measuring import measured
from copilot.utils.config import DvcSettings, ExecutorSettings
from tests.integrations.test_dvc_manager import git, put, start, track


class Mean:
    name = "mean"
    version = "1"

    def __call__(self, image: np.ndarray) -> dict[str, float]:
        return {"mean": float(image.mean())}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = start(tmp_path_factory.mktemp("dvc") / "project")
    put(project, "train", "a", range(10, 30))
    track(project, push=False)
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    return project


def test_files_and_revisions_share_what_was_measured(project: Path):
    revision = DvcImages("HEAD", "images/train", DvcSettings(repo=str(project)))
    files = ImageFolder(project / "images" / "train")
    assert [revision.content_key(i) for i in range(20)] == [files.content_key(i) for i in range(20)]
    first = measured(files, [Mean()])
    second = measured(revision, [Mean()])
    assert (first.from_cache, second.from_cache) == (0, 20)
    assert second["mean"].tolist() == list(range(10, 30))


def test_a_revision_is_read_in_other_processes(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "FIRST", 2)
    monkeypatch.setattr(measuring, "ALONE_S", 0.0)
    revision = DvcImages("HEAD", "images/train", DvcSettings(repo=str(project)))
    decode, arguments = pickle.loads(pickle.dumps(revision.recipe([3])))  # our own, made a line above
    assert np.asarray(decode(arguments[0])).mean() == 13
    found = measured(revision, [Mean()], executor=ExecutorSettings(workers=2))
    assert found["mean"].tolist() == list(range(10, 30))
    assert found.from_cache == 0
