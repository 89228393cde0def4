"""The benchmark of data versions, small: what it builds is DVC's, only what is read is fetched, nothing moves."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("dvc_s3")
pytest.importorskip("moto.server")
from benchmarks.dvc_versions import (
    build_project,
    dvc_agrees,
    held_lock,
    measure,
    move_to_folder,
    move_to_s3,
    s3_server,
    snapshot,
)

FILES, REVISIONS = 120, 3


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "dvc-own"))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))


def test_old_revisions_are_read_from_both_remotes_and_nothing_moves(tmp_path, own_folders, monkeypatch):
    project, remote = build_project(tmp_path, FILES, REVISIONS), tmp_path / "remote"
    assert dvc_agrees(project)
    move_to_folder(project, remote)
    with s3_server() as url:
        for place in ("folder", "s3"):
            if place == "s3":
                move_to_s3(project, remote, url)
            monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path / f"home-{place}"))
            with held_lock(project):
                before = snapshot(project)
                rows = measure(project, REVISIONS)
                assert snapshot(project) == before
            # two lists to compare, the third for the class's history, then the class itself, then nothing
            assert [row.fetched for row in rows] == [0, 2, 1, FILES // 10, 0]
            assert rows[0].result == f"{REVISIONS} revisions"
            assert rows[3].result.startswith("12 of 12 files")
            assert rows[4].result == rows[3].result
