"""validate, data and research: usage, bad input, and the answers of a real repository and of loopback sources."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.integrations.paper_servers import PaperServer
from tests.runs_folder import RUNS


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["validate"], ["--model-uri"]),
        (["validate", "--model-uri", "runs:/x/model"], ["--train"]),
        (["validate", "--model-uri", "runs:/x/model", "--train", "nodir", "--test", "nodir"], ["nodir", "sub-folder"]),
        (["validate", "--model-uri", "x", "--train", ".", "--test", ".", "--suite", "vision"], ["'vision'", "data_in"]),
        (["data", "versions", "--path", "images"], ["Git repository", "dvc.repo"]),
        (["data", "diff", "v1"], ["REV_B"]),
        (["data", "diff", "v1", "v2", "--path", "images"], ["Git repository"]),
        (["data", "log"], ["'log'"]),
        (["research"], ["question"]),
        (["research", "label noise", "--run-id", "x"], ["QUERY", "--run-id"]),
        (["research", "--run-id", "x"], ["tracking URI"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(run, arguments, named):
    run(*arguments).fails(2, *named)


def _git(*arguments: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(run, tmp_path) -> Path:
    """Two versions of a folder of images, of which DVC knows the hashes alone: nothing of it is checked out."""
    _git("init", "-q", ".")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("")
    for tag, cats in (("v1", 2), ("v2", 5)):
        entries = [{"md5": f"{i:032x}", "relpath": f"train/{'cat' if i < cats else 'dog'}/{i}.png"} for i in range(8)]
        listing = json.dumps(entries).encode()
        folder_hash = hashlib.md5(listing).hexdigest()
        cache = tmp_path / ".dvc" / "cache" / "files" / "md5" / folder_hash[:2] / f"{folder_hash[2:]}.dir"
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(listing)
        out = f"- md5: {folder_hash}.dir\n  size: 800\n  nfiles: 8\n  hash: md5\n  path: images\n"
        (tmp_path / "images.dvc").write_text(f"outs:\n{out}")
        _git("add", "images.dvc", ".dvc/config")
        _git("commit", "-q", "-m", f"Images, {tag}")
        _git("tag", tag)
    return tmp_path


def test_data_versions_and_their_difference(run, repository):
    versions = json.loads(run("data", "versions", "--path", "images", "--format", "json").out)
    assert [v["n_files"] for v in versions] == [8, 8]
    assert run("data", "versions", "--path", "images").out.count("Images, v") == 2
    compared = json.loads(run("data", "diff", "v1", "v2", "--path", "images", "--format", "json").out)
    counts = {c["label"]: (c["a"], c["b"]) for c in compared["class_counts"]}
    assert counts == {"cat": (2, 5), "dog": (6, 3)}
    for shown in (
        run("data", "diff", "v1", "v2", "--path", "images", *extra).out for extra in ([], ["--format", "markdown"])
    ):
        assert "+3" in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["versions"], ["dvc.data_path"]),
        (["versions", "--path", "labels"], ["labels"]),
        (["diff", "v1", "v9", "--path", "images"], ["v9"]),
        (["diff", "--path", "images", "--", "--output=x", "v1"], ["--output=x"]),
    ],
)
def test_data_that_is_not_there(run, repository, arguments, named):
    run("data", *arguments).fails(2, *named)


@pytest.fixture
def sources(monkeypatch):
    pytest.importorskip("chromadb")
    with PaperServer() as server:
        monkeypatch.setenv("MLOPS_COPILOT_RESEARCH__ARXIV_URL", server.arxiv_url)
        monkeypatch.setenv("MLOPS_COPILOT_RESEARCH__SEMANTIC_SCHOLAR_URL", server.url)
        yield server


def test_research_lists_papers_and_writes_their_references(run, sources):
    ended = run("research", "learning with noisy labels", "--bibtex", "refs.bib")
    assert ended.code == 0
    assert "Co-teaching" in ended.out
    assert "arXiv: 1 paper\n" in ended.out
    assert ended.out.count("https://arxiv.org/abs/1804.06872") == 1
    assert "@" in Path("refs.bib").read_text()


def test_research_for_a_run_searches_for_its_likely_cause(run, sources, store):
    ended = run("research", "--run-id", RUNS["climbing"], "--tracking-uri", store, "--format", "json")
    assert json.loads(ended.out)["problem"] == "trained_too_long"
    healthy = run("research", "--run-id", RUNS["steady"], "--tracking-uri", store, "--format", "json")
    assert json.loads(healthy.out)["problem"] == "none"


def test_research_without_any_source_is_one_line(run, monkeypatch, free_port):
    for name in ("ARXIV_URL", "SEMANTIC_SCHOLAR_URL"):
        monkeypatch.setenv(f"MLOPS_COPILOT_RESEARCH__{name}", f"http://me:s3cr3t@127.0.0.1:{free_port()}/api/query")
    ended = run("research", "label noise")
    ended.fails(3, "No source answered", "127.0.0.1")
    assert "s3cr3t" not in ended.err


def test_projects_below_a_folder_are_listed(run, repository):
    (found,) = json.loads(run("data", "projects", "--format", "json").out)
    assert found["path"]
    lines = run("data", "projects", "--format", "markdown").out.splitlines()
    assert len(lines) == 3  # a long path does not break its row
    assert all(line.startswith("|") and line.endswith("|") for line in lines)
    run("data", "projects", "nowhere").fails(2, "nowhere")
