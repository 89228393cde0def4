"""Runs in a real MLflow store, data in a real repository: each link of the chain, and each gap that people leave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("dvc")
from copilot.core.lineage import Lineage
from copilot.errors import NotFoundError
from copilot.integrations.dvc_manager import DvcManager
from copilot.integrations.lineage import data_change, lineage_of, runs_by_version
from copilot.integrations.lineage_clues import read_clues
from copilot.integrations.mlflow.records import make_dataset, make_run
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.mlflow_settings import MlflowSettings
from tests.integrations.dvc_projects import commit, fingerprint, git, put, start, track


@pytest.fixture(scope="module")
def project(tmp_path_factory, own_dvc_folders) -> Path:
    """v1: 3 cats; code only; v2: 5 cats, and a stage that DVC ran on them."""
    from dvc.repo import Repo

    repo = start(tmp_path_factory.mktemp("lineage") / "project")
    (repo / ".dvc" / "config").write_text('[core]\n    remote = s\n[remote "s"]\n    url = https://ada:pw@host/data\n')
    put(repo, "train", "cat", range(3))
    track(repo, push=False)
    commit(repo, "First images", "v1")
    (repo / "train.py").write_text("print()\n")
    commit(repo, "Code only")
    put(repo, "train", "cat", range(5))
    track(repo, push=False)
    (repo / "dvc.yaml").write_text("stages: {shrink: {cmd: cp -r images small, deps: [images], outs: [small]}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repo)
        with Repo(str(repo)) as opened:
            opened.reproduce()
    commit(repo, "More images", "v2")
    return repo


@pytest.fixture(scope="module")
def store(project, tmp_path_factory) -> tuple[MlflowSource, dict[str, str]]:
    """Runs that say more or less of their data; their ids by name."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    uri = str(tmp_path_factory.mktemp("runs") / "mlruns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(uri)
    experiment = client.create_experiment("pets")
    v1, code, v2 = (git(project, "rev-parse", f"{rev}^{{commit}}") for rev in ("v1", "v2~1", "v2"))
    hashes = {v.revision: v.hash for v in DvcManager(project).versions("images")}

    def log(name: str, tags: dict[str, str], **params: str) -> str:
        run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
        return run_id

    git_tag = "mlflow.source.git.commit"
    runs = {
        "full": log("full", {git_tag: v2, "dvc.md5": hashes["v2"], "dvc.path": "images"}),
        "plain": log("plain", {git_tag: code}),
        "stage": log("stage", {git_tag: v2}, data_path="small"),
        "bare": log("bare", {}),
        "named": log("named", {git_tag: v2}, data_version="v1"),
        "branch": log("branch", {git_tag: v1}, data_version="main"),
        "lost": log("lost", {git_tag: "f" * 40}),
        "dirty": log("dirty", {git_tag: v1, "dvc.md5": "0" * 32 + ".dir", "mlflow.git.dirty": "true"}),
        "ahead": log("ahead", {git_tag: v1, "data_hash": hashes["v2"]}),
        "other": log("other", {git_tag: "e" * 40, "mlflow.source.git.repoURL": "git@host:team/other.git"}),
        "apart": log("apart", {git_tag: "d" * 40, "dvc.md5": hashes["v1"]}),
        "wrong": log("wrong", {git_tag: v2}, data_version="v9"),
    }
    dataset = Dataset("cats", "1a2b3c", "local", f'{{"uri": "{project}/images/train"}}')
    client.log_inputs(runs["plain"], [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    return MlflowSource(MlflowSettings(tracking_uri=uri)), runs


def chain(store, project, name: str) -> Lineage:
    found = lineage_of(store[0], store[1][name], DvcManager(project))
    assert Lineage.model_validate_json(found.model_dump_json()) == found
    assert all(gap.hint and "\n" not in gap.what for gap in found.missing)
    ends = {node.id for node in found.nodes}
    assert all(link.source in ends and link.target in ends for link in found.links)
    return found


def certainties(found: Lineage) -> dict[str, str]:
    labels = {node.id: node.label for node in found.nodes}
    return {labels[link.source]: link.certainty for link in found.links if link.target == "run"}


def test_a_run_that_carries_all_has_a_whole_chain(store, project):
    before = fingerprint(project)
    found = chain(store, project, "full")
    assert found.missing == ()
    assert [node.kind for node in found.nodes] == ["run", "code", "data", "version", "remote"]
    assert found.of_kind("version")[0].label == "v2"
    assert found.of_kind("remote")[0].facts == {"address": "https://***@host/data"}
    assert "pw" not in found.of_kind("remote")[0].facts["address"]
    assert certainties(found)["images"] == "matched"
    assert found.versions["images"].n_files == 5
    code = found.of_kind("code")[0].label
    assert found.summary == f"Run full ran at commit {code} on images as of v2 kept in s."
    assert fingerprint(project) == before


def test_without_a_hash_the_commit_is_assumed_and_said(store, project):
    found = chain(store, project, "plain")
    assert certainties(found) == {"cats": "recorded", found.of_kind("code")[0].label: "recorded", "images": "assumed"}
    assert found.versions["images"].revision == "v1"  # the commit changed code only
    assert [(gap.at, "dvc.md5" in gap.hint) for gap in found.missing] == [("data", True)]


def test_the_stages_that_made_the_data_are_in_the_chain(store, project):
    found = chain(store, project, "stage")
    assert [node.label for node in found.of_kind("stage")] == ["images.dvc", "shrink"]
    assert [node.label for node in found.of_kind("data")] == ["small"]
    assert {link.label for link in found.links} >= {"made", "images"}


def test_what_is_missing_is_said_plainly(store, project):
    def gaps(name: str) -> str:
        return " | ".join(f"{gap.what} {gap.hint}" for gap in chain(store, project, name).missing)

    assert "carries no Git commit" in gaps("bare")
    assert "mlflow.source.git.commit" in gaps("bare")
    assert "ffffffffff is not in the clone" in gaps("lost")
    assert "git fetch" in gaps("lost")
    assert "changed and not committed" in gaps("dirty")
    assert "No commit holds data with the hash" in gaps("dirty")
    assert f"data is images of v2, which {git(project, 'rev-parse', 'v1^{commit}')[:10]} does not" in gaps("ahead")
    assert chain(store, project, "ahead").versions["images"].revision == "v2"
    apart = chain(store, project, "apart")  # its code is in another repository, its data is known by its hash
    assert (apart.versions["images"].revision, certainties(apart)["images"]) == ("v1", "matched")
    assert [gap.at for gap in apart.missing] == ["code"]
    assert "The run's code is in git@host:team/other.git: set dvc.repo" in gaps("other")
    git(project, "remote", "add", "origin", "https://ada@host/team/other")
    assert "git fetch --all" in gaps("other")
    git(project, "remote", "remove", "origin")
    assert "'v9', is no revision" in gaps("wrong")
    assert "names v1 of images, while its commit holds v2" in gaps("named")
    assert "'main' as its data version, which moves on" in gaps("branch")
    assert chain(store, project, "branch").versions["images"].revision == "v1"
    assert chain(store, project, "bare").summary.startswith("Where the data of run bare came from is not known.")
    alone = lineage_of(store[0], store[1]["full"], None)
    assert [gap.at for gap in alone.missing] == ["data"]
    with pytest.raises(NotFoundError):
        lineage_of(store[0], "0" * 32, None)


def test_a_project_without_a_remote_says_so(store, project, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (copy / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    found = chain(store, copy, "full")
    assert [gap.at for gap in found.missing] == ["remote"]


def test_runs_by_version(store, project):
    source, runs = store
    found = runs_by_version(source, "pets", DvcManager(project), "images")
    names = {run_id: name for name, run_id in runs.items()}
    groups = {row.version.revision: {names[run_id] for run_id in row.run_ids} for row in found.versions}
    assert groups == {"v2": {"full", "stage", "ahead", "wrong"}, "v1": {"plain", "named", "branch", "apart"}}
    assert {names[run_id] for run_id in found.unknown} == {"bare", "lost", "dirty", "other"}
    assert "not committed" in found.unknown[runs["dirty"]]
    assert found.summary == "8 runs used 2 versions of images; of 4 the data is not known."


def test_what_moved_in_the_data_between_two_runs(store, project):
    source, runs = store
    manager = DvcManager(project)
    moved = data_change(source, runs["plain"], runs["full"], manager, "images")
    assert (moved.same, moved.comparison.n_added, moved.comparison.n_removed) == (False, 2, 0)
    assert moved.summary.startswith("From v1 to v2: 2 files added")
    assert type(moved).model_validate_json(moved.model_dump_json()) == moved
    same = data_change(source, runs["full"], runs["ahead"], manager)
    assert (same.same, same.path, same.comparison) == (True, "images", None)
    unknown = data_change(source, runs["full"], runs["bare"], manager)
    assert unknown.same is None
    assert "no Git commit" in unknown.missing[0].what


def test_clues_are_read_in_many_words():
    def clues(tags=(), params=(), datasets=()):
        common = {"experiment_id": "1", "name": "n", "status": 3, "start_ms": 1, "end_ms": 2, "metrics": ()}
        return read_clues(make_run(run_id="r", tags=tags, params=params, datasets=datasets, **common))

    md5 = "0123456789ABCDEF0123456789abcdef"
    assert clues([("git_sha", "ABCDEF1")]).commit == "abcdef1"
    assert clues([("mlflow.source.git.commit", "not a commit; rm -rf")]).commit is None
    assert clues(params=[("DVC-Rev", "v3")]).revision == "v3"
    assert clues(params=[("data.version", md5)]) == clues()._replace(hashes=(md5.lower(),))
    source = '{"uri": "file:///data/with%20space"}'
    found = clues(datasets=[make_dataset("d", md5, "training", source), make_dataset("e", "x", "", "s3://b/k")])
    assert (found.paths, found.hashes) == (("/data/with space",), (md5.lower(),))
    assert clues([("mlflow.source.git.repoURL", "https://tok@host/r.git")]).repository == "https://***@host/r.git"
