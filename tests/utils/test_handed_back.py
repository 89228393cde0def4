"""Files that a child process left are taken as if it meant harm."""

from __future__ import annotations

import os
import subprocess

import pytest

from copilot.errors import ToolError
from copilot.utils.handed_back import collect, read_file, remove


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch" / "out").mkdir(parents=True)
    return tmp_path / "scratch"


def test_regular_files_alone_are_read(scratch, tmp_path):
    (scratch / "a").write_text("four")
    assert read_file(scratch / "a", 4) == b"four"
    assert read_file(scratch / "a", 3) is None
    os.symlink(scratch / "a", scratch / "link")
    os.mkfifo(scratch / "pipe")
    os.link(scratch / "a", scratch / "hard")
    for name in ("link", "pipe", "hard", "a", "out", "nothing"):
        assert read_file(scratch / name, 100) is None


def test_collected_files_replace_and_follow_nothing(scratch, tmp_path):
    into, elsewhere = tmp_path / "into", tmp_path / "elsewhere"
    into.mkdir()
    elsewhere.write_text("kept")
    os.symlink(elsewhere, into / "a.txt")
    (scratch / "out" / "a.txt").write_text("new")
    os.symlink("/etc/passwd", scratch / "out" / "b.txt")
    os.mkfifo(scratch / "out" / "c.txt")
    (scratch / "out" / "d e.txt").write_text("a name with a space")
    assert [path.name for path in collect(scratch, into)] == ["a.txt"]
    assert elsewhere.read_text() == "kept"
    assert (into / "a.txt").read_text() == "new"


def test_an_out_folder_that_is_a_link_gives_nothing(scratch, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("hunter2")
    (scratch / "out").rmdir()
    os.symlink(tmp_path / "secrets", scratch / "out")
    assert collect(scratch, tmp_path / "into") == []
    assert list((tmp_path / "into").iterdir()) == []


def test_the_total_is_limited(scratch, tmp_path):
    for name in "abc":
        (scratch / "out" / name).write_bytes(b"x" * 40)
    with pytest.raises(ToolError, match="left more than"):
        collect(scratch, tmp_path / "into", limit=100)


def test_a_folder_that_is_nested_without_end_does_not_break_the_step(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    remove(tmp_path / "d")
    remove(tmp_path / "nothing")
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
