"""Pipelines of real repositories: a stage that DVC ran, and files as people and older versions write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("dvc")
from copilot.errors import NotFoundError
from copilot.integrations.dvc.pipelines import PipelineFiles
from copilot.integrations.dvc_manager import DvcManager
from tests.integrations.dvc_projects import commit, fingerprint, start, track

pytestmark = pytest.mark.usefixtures("own_dvc_folders")
MD5 = "0123456789abcdef0123456789abcdef"
PIPELINE = """
vars: [{folder: made}]
stages:
  prepare:
    cmd: mkdir -p ${folder} && cp raw/* ${folder}
    deps: [raw]
    params: [prepare.size]
    outs: ["${folder}"]
  train:
    cmd: cp made/a.txt model.bin && echo '{"val":{"acc":0.5}}' > score.json && echo '{"loss":1.5}' > kept.json
    deps: [made]
    params: [train.lr, {other.toml: [seed]}]
    outs: [model.bin]
    metrics: [{score.json: {cache: false}}, kept.json]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, own_dvc_folders) -> Path:
    """A tracked folder, and two stages that DVC ran; then other parameters, not run again."""
    from dvc.repo import Repo

    repo = start(tmp_path_factory.mktemp("pipeline") / "project")
    (repo / "raw").mkdir()
    (repo / "raw" / "a.txt").write_text("a")
    track(repo, "raw", push=False)
    commit(repo, "Data", "data")
    (repo / "dvc.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("prepare: {size: 8}\ntrain: {lr: 1e-3, layers: [1, 2]}\n")
    (repo / "other.toml").write_text("seed = 3\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repo)
        with Repo(str(repo)) as opened:
            opened.reproduce()
    commit(repo, "Pipeline", "run1")
    (repo / "params.yaml").write_text("prepare: {size: 8}\ntrain: {lr: 1e-2}\n")
    (repo / "score.json").write_text(json.dumps({"val": {"acc": 0.75}}))
    commit(repo, "Other rate", "run2")
    return repo


def test_stages_and_what_flows_between_them(project):
    before = fingerprint(project)
    found = DvcManager(project).pipeline("run1")
    assert [(s.name, s.kind, s.recorded) for s in found.stages] == [
        ("raw.dvc", "data", True),
        ("prepare", "stage", True),
        ("train", "stage", True),
    ]
    assert [(e.source, e.target, e.path) for e in found.edges] == [
        ("raw.dvc", "prepare", "raw"),
        ("prepare", "train", "made"),
    ]
    prepare, train = found.stages[1:]
    assert prepare.command == "mkdir -p made && cp raw/* made"
    assert prepare.params == {"prepare.size": 8}
    assert train.params == {"train.lr": 0.001, "other.toml:seed": 3}
    assert {out.path: out.hash is not None for out in train.outs} == {
        "model.bin": True,
        "score.json": True,
        "kept.json": True,
    }
    assert prepare.outs[0].hash.endswith(".dir")
    assert [s.name for s in found.upstream("model.bin")] == ["raw.dvc", "prepare", "train"]
    assert found.notes == ()
    assert type(found).model_validate_json(found.model_dump_json()) == found
    assert [s.name for s in DvcManager(project).pipeline("data").stages] == ["raw.dvc"]
    assert fingerprint(project) == before


def test_parameters_and_metrics_across_revisions(project):
    manager = DvcManager(project)
    params = manager.params_across(["data", "run1", "run2"])
    rows = {(row.file, row.name): row for row in params.rows}
    assert rows["params.yaml", "train.lr"].values == (None, 0.001, 0.01)
    assert rows["params.yaml", "train.layers.1"].values == (None, 2, None)
    assert rows["other.toml", "seed"].values == (None, 3, 3)
    assert {row.name for row in manager.params_across(["run1", "run2"]).changed} == {
        "train.lr",
        "train.layers.0",
        "train.layers.1",
    }
    metrics = manager.metrics_across(["run1", "run2"])
    assert [(row.file, row.name, row.values, row.changed) for row in metrics.rows] == [
        ("kept.json", "loss", (1.5, 1.5), False),
        ("score.json", "val.acc", (0.5, 0.75), True),
    ]
    with pytest.raises(NotFoundError, match="Unknown revision"):
        manager.params_across(["run1", "none"])


def test_metrics_that_dvc_lost_are_said(project, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    shutil.rmtree(copy / ".dvc" / "cache")
    table = DvcManager(copy).metrics_across(["run1"])
    assert [row.file for row in table.rows] == ["score.json"]
    assert any("not in the DVC cache" in note and note.startswith("run1: ") for note in table.notes)


def read(files: dict[str, str], others: dict[str, str] | None = None) -> PipelineFiles:
    held = {path: text.encode() for path, text in (others or {}).items()}
    return PipelineFiles({path: text.encode() for path, text in files.items()}, held.get)


def names(files: PipelineFiles) -> list[str]:
    return [stage.name for stage in files.pipeline("r", "c").stages]


def test_foreach_and_matrix_are_written_out():
    yaml = """
    stages:
      clean:
        foreach: ${sets}
        do: {cmd: "clean ${item}", outs: ["out/${item}"]}
      named:
        foreach: {a: {n: 1}, b: {n: 2}}
        do: {cmd: "run ${key} ${item.n}", deps: ["out/x"]}
      grid:
        matrix: {model: [cnn, vit], size: [1, 2], cfg: [{a: 1}]}
        cmd: train ${item.model} ${item.size} ${item.cfg.a} ${unknown}
    """
    files = read({"dvc.yaml": yaml}, {"params.yaml": "sets: [x, y]"})
    pipeline = files.pipeline("r", "c")
    commands = {stage.name: stage.command for stage in pipeline.stages}
    assert commands == {
        "clean@x": "clean x",
        "clean@y": "clean y",
        "named@a": "run a 1",
        "named@b": "run b 2",
        "grid@cnn-1-cfg0": "train cnn 1 1 ${unknown}",
        "grid@cnn-2-cfg0": "train cnn 2 1 ${unknown}",
        "grid@vit-1-cfg0": "train vit 1 1 ${unknown}",
        "grid@vit-2-cfg0": "train vit 2 1 ${unknown}",
    }
    assert {(e.source, e.target) for e in pipeline.edges} == {("clean@x", "named@a"), ("clean@x", "named@b")}
    assert not any(stage.recorded for stage in pipeline.stages)


def test_items_that_only_the_lock_knows():
    yaml = "stages: {clean: {foreach: '${computed}', do: {cmd: 'clean ${item}', wdir: sub}}}"
    row = f"{{path: out, md5: {MD5}.dir, nfiles: 3}}"
    lock = f"schema: '2.0'\nstages:\n  clean@z:\n    cmd: clean z\n    outs:\n    - {row}\n"
    (stage,) = read({"dvc.yaml": yaml, "dvc.lock": lock}).pipeline("r", "c").stages
    assert (stage.name, stage.command, stage.recorded) == ("clean@z", "clean z", True)
    assert (stage.outs[0].path, stage.outs[0].n_files) == ("sub/out", 3)


def test_locks_of_schema_1_and_2_and_stages_of_dvc_0():
    yaml = "stages: {a: {cmd: run, outs: [x], frozen: true, desc: A step}}"
    row = f"cmd: run it\n  outs:\n  - {{path: x, md5: {MD5}}}\n"
    for lock in (f"a:\n  {row}", f"schema: '2.0'\nstages:\n  a:\n    {row.replace(chr(10), chr(10) + '  ')}"):
        (stage,) = read({"dvc.yaml": yaml, "dvc.lock": lock}).pipeline("r", "c").stages
        assert (stage.command, stage.frozen, stage.description) == ("run it", True, "A step")
        assert stage.outs[0].hash == MD5
    old = f"cmd: python train.py\ndeps:\n- {{path: data, md5: {MD5}}}\nouts:\n- {{path: m.bin, md5: {MD5}}}\n"
    (stage,) = read({"train.dvc": old}).pipeline("r", "c").stages
    assert (stage.kind, stage.deps[0].path) == ("stage", "data")


def test_imports_name_their_source_without_credentials():
    url = f"deps:\n- {{path: 'https://ada:pw@host/f.zip', etag: x}}\nouts:\n- {{path: f.zip, md5: {MD5}}}\n"
    source = "{path: d, repo: {url: 'https://tok@host/r.git', rev_lock: abc}}"
    repo = f"frozen: true\ndeps:\n- {source}\nouts:\n- {{path: d, md5: {MD5}.dir}}\n"
    found = read({"a.dvc": url, "b.dvc": repo}).pipeline("r", "c").stages
    assert [(s.kind, s.source, s.deps) for s in found] == [
        ("import", "https://***@host/f.zip", ()),
        ("import", "https://***@host/r.git", ()),
    ]


def test_several_pipelines_keep_apart_and_meet_by_their_files():
    files = read(
        {
            "a/dvc.yaml": "stages: {s: {cmd: x, outs: [o]}}\nmetrics: [m.yaml]",
            "b/dvc.yaml": "stages: {s: {cmd: y, wdir: .., deps: [a/o/part]}}",
        },
        {"a/m.yaml": "acc: 1"},
    )
    assert names(files) == ["a:s", "b:s"]
    assert [(e.source, e.target) for e in files.pipeline("r", "c").edges] == [("a:s", "b:s")]
    assert files.metrics() == {("a/m.yaml", "acc"): 1}


def test_circles_and_hostile_files_do_no_harm():
    circle = "stages: {a: {cmd: x, deps: [p], outs: [q]}, b: {cmd: y, deps: [q], outs: [p]}}"
    assert sorted(names(read({"dvc.yaml": circle}))) == ["a", "b"]
    odd = "stages: {a: {cmd: [1], deps: 3, outs: {a: 1}, params: x}}"
    for text in ("stages: 3", "stages: [1]", "stages: {a: 1}", odd):
        assert names(read({"dvc.yaml": text})) in ([], ["a"])
    evil = read({"evil.dvc": "[" * 200_000, "dvc.lock": "stages: {1: 2}", "x.dvc": "a: &a [*a]"})
    assert evil.pipeline("r", "c").notes[0].startswith("evil.dvc cannot be read")
    huge = "stages: {a: {matrix: {" + ", ".join(f"x{n}: [1, 2, 3]" for n in range(40)) + "}, cmd: x}}"
    files = read({"dvc.yaml": huge})
    assert names(files) == []
    assert files.notes == ["The items of stage a in dvc.yaml are not known before DVC has run it."]
    outside = read({"dvc.yaml": "params: [../../secret.yaml, /etc/passwd, a.py]\nstages: {}"}, {"a.py": "lr = 1"})
    assert outside.params() == {}
    assert any("a.py is not read" in note for note in outside.notes)
