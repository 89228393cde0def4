"""The cache's files: written once, checked when read, of no consequence when lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from copilot.integrations import parquet_segments
from copilot.integrations.parquet_segments import Segments


def rows_of(folder: Segments) -> list[int]:
    return sorted(v for name in folder.names() if (f := folder.read(name)) is not None for v in f["n"].to_list())


def test_what_was_written_is_read_newest_first(tmp_path):
    folder = Segments(tmp_path / "made" / "when needed")
    assert folder.names() == []
    folder.append(pl.DataFrame({"n": [1, 2], "text": ["a", None]}))
    folder.append(pl.DataFrame({"n": [3], "text": ["c"]}))
    newest, oldest = folder.names()
    assert folder.read(newest)["n"].to_list() == [3]
    assert folder.read(oldest, ["text"]).to_dict(as_series=False) == {"text": ["a", None]}


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "text"])
def test_a_damaged_file_is_removed_and_told_once(tmp_path, harm):
    told: list[str] = []
    folder = Segments(tmp_path, told.append)
    for n in range(3):
        folder.append(pl.DataFrame({"n": [n]}))
    for name in folder.names()[:2]:
        content = bytearray((tmp_path / name).read_bytes())
        if harm == "flip":
            content[len(content) // 2] ^= 1
        made = {"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b"", "text": b"not Parquet"}[harm]
        (tmp_path / name).write_bytes(made)
    assert rows_of(folder) == [0]
    assert len(folder.names()) == 1
    assert told == ["A cache file was damaged. It was removed, and what it held is read from its source again."]


def test_a_file_that_vanishes_is_no_error(tmp_path):
    told: list[str] = []
    folder = Segments(tmp_path, told.append)
    folder.append(pl.DataFrame({"n": [1]}))
    (name,) = folder.names()
    (tmp_path / name).unlink()
    assert folder.read(name) is None
    assert told == []


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path):
    told: list[str] = []
    (tmp_path / "file").write_text("in the way")
    Segments(tmp_path / "file" / "cache", told.append).append(pl.DataFrame({"n": [1]}))
    assert len(told) == 1
    assert "cannot be written" in told[0]


def test_small_files_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_segments, "MOST_SMALL", 5)
    folder = Segments(tmp_path)
    for n in range(9):
        folder.append(pl.DataFrame({"key": [n % 2], "n": [n]}))
    folder.tidy(lambda frame: frame.unique("key", keep="last", maintain_order=True))
    assert len(folder.names()) == 1
    assert rows_of(folder) == [7, 8]


def test_the_oldest_go_when_there_is_too_much(tmp_path, monkeypatch):
    folder = Segments(tmp_path)
    for n in range(4):
        folder.append(pl.DataFrame({"n": [n]}))
    size = sum((tmp_path / name).stat().st_size for name in folder.names())
    monkeypatch.setattr(parquet_segments, "MOST_BYTES", size // 2)
    folder.tidy(lambda frame: frame)
    assert rows_of(folder) == [2, 3]


def test_several_processes_write_and_tidy_at_once(tmp_path):
    script = (
        "import sys, pathlib, polars as pl\n"
        "from copilot.integrations import parquet_segments as ps\n"
        "ps.MOST_SMALL = 3\n"
        "folder = ps.Segments(pathlib.Path(sys.argv[1]))\n"
        "for n in range(int(sys.argv[2]), int(sys.argv[2]) + 30):\n"
        "    folder.append(pl.DataFrame({'n': [n]}))\n"
        "    folder.tidy(lambda frame: frame.unique('n', keep='last'))\n"
    )
    root = Path(parquet_segments.__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(start)], cwd=root) for start in (0, 100, 200)
    ]
    assert [w.wait(timeout=120) for w in writers] == [0, 0, 0]
    folder = Segments(tmp_path)
    assert set(rows_of(folder)) <= {*range(30), *range(100, 130), *range(200, 230)}
    assert {29, 129, 229} <= set(rows_of(folder)), "what was written last is there"
    assert not list(tmp_path.glob("*.part"))
