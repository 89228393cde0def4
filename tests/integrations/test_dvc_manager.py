"""A real Git repository with DVC, a local remote and three data versions; nothing is mocked."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from copilot.errors import ConfigError, InputError, JobCancelled, NotFoundError, ToolError

pytest.importorskip("dvc")
from copilot.integrations.dvc.files import folder_hash, read_outputs
from copilot.integrations.dvc_manager import DvcManager
from tests.conftest import Reply
from tests.integrations.dvc_projects import commit, fingerprint, git, picture, put, start, track

ODD_NAMES = ("with space.png", "Grün-猫.png", "new\nline.png", "-dash.png")


@pytest.fixture(scope="module")
def template(tmp_path_factory, own_dvc_folders) -> Path:
    """v1: 40 train, 20 val. Then code only. v2: fewer train cats, more dogs, one image changed, odd names in val."""
    base = tmp_path_factory.mktemp("dvc")
    repo = start(base / "project")
    (repo / ".dvc" / "config").write_text('[core]\n    remote = store\n[remote "store"]\n    url = ../../store\n')
    put(repo, "train", "cat", range(20))
    put(repo, "train", "dog", range(100, 120))
    put(repo, "val", "cat", range(20, 30))
    put(repo, "val", "dog", range(120, 130))
    track(repo)
    commit(repo, "First images", "v1")
    (repo / "train.py").write_text("print('train')\n")
    commit(repo, "Code only")
    git(repo, "tag", "release-1")
    for value in range(8, 20):
        (repo / "images/train/cat" / f"{value:03d}.png").unlink()
    put(repo, "train", "dog", range(130, 140))
    (repo / "images/train/cat/000.png").write_bytes(picture(250))
    for value, name in enumerate(ODD_NAMES, 200):
        (repo / "images/val/dog" / name).write_bytes(picture(value))
    track(repo)
    commit(repo, "More dogs,\u202e fewer cats\n\nbody", "v2")
    return base


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """A copy of its own, since tests empty caches."""
    shutil.copytree(template, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy" / "project"


def empty_cache(project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")


def object_in(folder: Path, digest: str) -> Path:
    return folder / "files" / "md5" / digest[:2] / digest[2:]


# --- versions


def test_versions_are_the_commits_in_which_the_data_changed(project):
    new, old = DvcManager(project).versions("images")
    assert (new.revision, new.tags, new.n_files) == ("v2", ("v2",), 62)
    assert (old.revision, old.tags, old.n_files) == ("v1", ("v1", "release-1"), 60)  # release-1 marks a later commit
    assert old.size_bytes == sum(len(picture(v)) for v in [*range(30), *range(100, 130)])
    assert new.message == "More dogs, fewer cats"
    assert new.commit == git(project, "rev-parse", "v2^{commit}")
    assert len(new.date) == 25
    assert new.date[10] == "T"
    assert f"md5: {new.hash}" in (project / "images.dvc").read_text()


@pytest.mark.parametrize("path", ["images/", "./images", "", None, "{project}/images"])
def test_a_path_may_be_written_in_many_ways(project, path):
    path = path and path.format(project=project)
    assert [v.n_files for v in DvcManager(project).versions(path)] == [62, 60]


def test_versions_of_a_folder_or_file_inside_the_tracked_one(project):
    manager = DvcManager(project)
    assert [(v.revision, v.n_files) for v in manager.versions("images/val")] == [("v2", 24), ("v1", 20)]
    (unmoved,) = manager.versions("images/val/cat")
    assert (unmoved.revision, unmoved.n_files, set(unmoved.tags)) == ("v1", 10, {"v1", "v2", "release-1"})
    assert [v.size_bytes for v in manager.versions("images/val/dog/with space.png")] == [len(picture(200))]


def test_the_hash_of_an_inner_folder_is_the_one_dvc_would_give(project):
    manager = DvcManager(project)
    files = {name: file.hash for name, file in manager.list_files("images", "v1").items()}
    assert folder_hash(files) == manager.versions("images")[1].hash


def test_versions_follow_branches_reverts_and_merges(project):
    git(project, "checkout", "-q", "-b", "side", "v1")
    put(project, "val", "cat", range(30, 33))
    track(project, push=False)
    side = commit(project, "More val cats")
    git(project, "checkout", "-q", "main")
    git(project, "merge", "-q", "--no-edit", "-s", "ours", "side")
    git(project, "checkout", "-q", "v1", "--", "images.dvc")
    back = commit(project, "Back to the first images")
    versions = DvcManager(project).versions("images")
    assert {v.branches for v in versions} == {("side",), ("main",), ()}
    assert {v.commit for v in versions} == {side, back, *(git(project, "rev-parse", f"{t}^{{}}") for t in ("v1", "v2"))}
    assert versions[0].revision == back[:10]
    assert versions[0].hash == versions[-1].hash
    assert versions[-1].tags == ("v1", "release-1")


def test_progress_may_cancel_and_the_limit_holds(project):
    def stop(fraction: float, line: str) -> None:
        assert 0 <= fraction <= 1
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        DvcManager(project).versions("images", progress=stop)
    assert [v.revision for v in DvcManager(project).versions("images", limit=1)] == ["v2"]


def test_tracked_data_is_listed_with_pipelines_and_without_what_git_keeps(project, monkeypatch):
    from dvc.repo import Repo

    command = "mkdir -p small && cp ../images/val/cat/020.png small/ && echo 1 > score.json"
    monkeypatch.chdir(project)  # DVC writes dvc.yaml into the working folder
    (project / "work").mkdir()
    with Repo(str(project)) as repo:
        repo.run(
            name="shrink", cmd=command, wdir=str(project / "work"), outs=["small"], metrics_no_cache=["score.json"]
        )
    commit(project, "A stage")
    rows = DvcManager(project / "images").datasets()
    assert [(r.path, r.kind, r.n_files, r.defined_in, r.stage) for r in rows] == [
        ("images", "folder", 62, "images.dvc", None),
        ("work/small", "folder", 1, "dvc.lock", "shrink"),
    ]
    assert [r.path for r in DvcManager(project).datasets("v1")] == ["images"]
    assert list(DvcManager(project).list_files("work/small")) == ["020.png"]


# --- comparison


def check_comparison(manager: DvcManager) -> None:
    found = manager.compare("images", "v1", "v2")
    assert (found.n_added, found.n_removed, found.n_changed, found.unchanged_count) == (14, 12, 1, 47)
    assert (found.n_files_a, found.n_files_b) == (60, 62)
    assert found.changed == ("train/cat/000.png",)
    assert set(found.added) == {f"train/dog/{v}.png" for v in range(130, 140)} | {f"val/dog/{n}" for n in ODD_NAMES}
    counts = [(c.split, c.label, c.a, c.b) for c in found.class_counts]
    assert counts == [("train", "cat", 20, 8), ("train", "dog", 20, 30), ("val", "cat", 10, 10), ("val", "dog", 10, 14)]
    assert found.outcomes[0].state == "issue"
    assert found.outcomes[0].value("total_variation_train") == pytest.approx(30 / 38 - 0.5)
    assert "14 files added, 12 removed, 1 changed, 47 unchanged" in found.summary
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_two_revisions_are_compared(project):
    check_comparison(DvcManager(project))
    inner = DvcManager(project).compare("images/train/cat", "v1", "HEAD")
    assert (inner.n_removed, inner.n_changed, inner.n_files_a, inner.n_files_b) == (12, 1, 20, 8)
    assert inner.size_a == sum(len(picture(v)) for v in range(20))


def test_a_folder_that_is_new_compares_with_nothing(project):
    put(project, "test", "cat", range(50, 55))
    track(project, push=False)
    commit(project, "A test set", "v3")
    found = DvcManager(project).compare("images/test", "v2", "v3")
    assert (found.n_files_a, found.n_added, found.n_files_b) == (0, 5, 5)


def test_without_the_cache_the_remote_of_today_is_read(project):
    (project / ".dvc" / "config").write_text('[core]\n    remote = new\n[remote "new"]\n    url = ../../moved\n')
    (project.parent / "store").rename(project.parent / "moved")
    commit(project, "The store moved")
    empty_cache(project)
    manager = DvcManager(project)
    check_comparison(manager)
    assert manager.read_bytes("images/train/cat/000.png", "v1") == picture(0)
    assert manager.list_files("images/val", "v1")["cat/020.png"].size is None
    assert [v.size_bytes for v in manager.versions("images/val")] == [None, None]
    assert not (project / ".dvc" / "cache").exists()


def test_a_remote_on_a_web_server_is_read_once(project, http_server, home):
    empty_cache(project)

    def answer(request):
        file = project.parent / "store" / request.path.removeprefix("/")
        return Reply(file.read_bytes()) if file.is_file() else Reply(status=404)

    (project / ".dvc" / "config").write_text(f'[remote "web"]\n    url = {http_server(answer).url}\n')
    check_comparison(DvcManager(project, remote="web"))
    shutil.rmtree(project.parent / "store")
    check_comparison(DvcManager(project, remote="web"))  # from our own copies
    shutil.rmtree(home / "cache" / "dvc")
    with pytest.raises(ToolError, match="neither in the DVC cache nor in the remote 'web'"):
        DvcManager(project, remote="web").compare("images", "v1", "v2")


# --- nothing changes


def test_reading_leaves_every_file_as_it_was(project):
    (project / "images/train/dog/100.png").write_bytes(b"work in progress")
    (project / "new.dvc").write_text("outs: []\n")
    for cached in (True, False):
        if not cached:
            empty_cache(project)
        before = fingerprint(project.parent)
        manager = DvcManager(project)
        manager.datasets()
        manager.versions("images/train")
        manager.compare("images", "v1", "v2")
        manager.list_files("images", "v1")
        assert manager.open_image("images/train/cat/019.png", "v1").getpixel((0, 0)) == 19
        assert fingerprint(project.parent) == before


def test_a_project_that_dvc_holds_locked_is_read(project):
    from dvc.repo import Repo

    with Repo(str(project)) as repo, repo.lock:
        check_comparison(DvcManager(project))


# --- pictures of old revisions


def test_files_of_any_revision_are_read(project):
    manager = DvcManager(project)
    assert manager.open_image("images/train/cat/000.png", "v1").getpixel((0, 0)) == 0
    assert manager.open_image("images/train/cat/000.png", "v2").getpixel((0, 0)) == 250
    for value, name in enumerate(ODD_NAMES, 200):
        assert manager.read_bytes(f"images/val/dog/{name}") == picture(value)
        assert manager.list_files("images")[f"val/dog/{name}"].size == len(picture(value))


def test_what_is_no_picture_is_said(project):
    (project / "images" / "notes.png").write_text("no picture")
    huge = io.BytesIO()
    Image.new("1", (9000, 9000)).save(huge, "PNG")
    (project / "images" / "huge.png").write_bytes(huge.getvalue())
    (project / "images" / "cut.png").write_bytes(picture(3)[:-30])
    track(project, push=False)
    commit(project, "Bad pictures")
    manager = DvcManager(project)
    for name, words in {"notes": "not a picture", "cut": "not a picture", "huge": "9000 x 9000"}.items():
        with pytest.raises(InputError, match=words):
            manager.open_image(f"images/{name}.png")
    with pytest.raises(InputError, match="larger than"):
        manager.read_bytes("images/huge.png", limit=100)


# --- what can go wrong: one line, and what to do


def line_of(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert error.value.hint
    return text


def test_names_that_are_not_there(project):
    manager = DvcManager(project)
    for revision in ("v9", "--all", "", "v1\nv2", "v1:images.dvc"):
        with pytest.raises(NotFoundError, match="Unknown revision") as error:
            manager.compare("images", revision, "v2")
        assert "Tags here: release-1, v1, v2." in line_of(error)
    for call in (manager.versions, manager.list_files, manager.read_bytes):
        with pytest.raises(NotFoundError, match="does not track data") as error:
            call("data/")
        assert "Tracked there: images." in line_of(error)
    with pytest.raises(NotFoundError, match="does not track images/nothing"):
        manager.compare("images/nothing", "v1", "v2")
    with pytest.raises(NotFoundError, match=r"does not track images/train/cat/999\.png in v1"):
        manager.read_bytes("images/train/cat/999.png", "v1")
    for folder in ("images/train", "images", ""):
        with pytest.raises(InputError, match="is a folder"):
            manager.read_bytes(folder)
    for outside in ("../elsewhere", "/etc/passwd", str(project.parent)):
        with pytest.raises(InputError, match="is not in the DVC project"):
            manager.versions(outside)


def test_places_without_git_or_dvc(project, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="No such folder"):
        DvcManager(tmp_path / "missing")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no Git repository with DVC") as error:
        DvcManager(tmp_path / "bare")
    assert "git init && dvc init" in line_of(error)
    git(tmp_path / "bare", "init", "-q")
    with pytest.raises(InputError, match="DVC is not set up") as error:
        DvcManager(tmp_path / "bare")
    assert "dvc init" in line_of(error)
    (tmp_path / "bare" / ".dvc").mkdir()
    with pytest.raises(InputError, match="no commit yet"):
        DvcManager(tmp_path / "bare").datasets()
    shutil.rmtree(project / ".git")
    with pytest.raises(InputError, match="not in a Git repository"):
        DvcManager(project)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="git command is not installed"):
        DvcManager(project)


def test_the_working_folder_is_the_default(project, monkeypatch):
    monkeypatch.chdir(project / "images" / "train")
    assert DvcManager().root == project.resolve()


def test_a_repository_of_another_user(project, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ToolError, match="belongs to another user") as error:
        DvcManager(project)
    assert "safe.directory" in line_of(error)


def test_a_hook_s_environment_does_not_lead_to_another_repository(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert len(DvcManager(project).versions("images")) == 2


def test_objects_that_are_lost_or_damaged(project):
    manager = DvcManager(project)
    listing, file = manager.versions("images")[1].hash, manager.list_files("images", "v1")["train/cat/019.png"].hash
    cache, store = project / ".dvc" / "cache", project.parent / "store"
    object_in(cache, file).chmod(0o600)
    object_in(cache, file).write_bytes(b"damaged")
    with pytest.raises(ToolError, match="does not match its hash"):
        manager.read_bytes("images/train/cat/019.png", "v1")
    for folder in (cache, store):
        object_in(folder, listing).unlink()
    with pytest.raises(ToolError, match="neither in the DVC cache nor in the remote 'store'") as error:
        DvcManager(project).compare("images", "v1", "v2")
    assert "dvc push" in line_of(error)
    assert [v.n_files for v in DvcManager(project).versions("images/val")] == [24, None]


def test_a_lost_import_names_where_it_came_from(project):
    source = "deps:\n- path: d\n  repo:\n    url: https://tok@host/r.git\n"
    pointer = f"{source}outs:\n- path: d.bin\n  md5: {'a' * 32}\n  hash: md5\n"
    (project / "d.bin.dvc").write_text(pointer)
    commit(project, "An import")
    with pytest.raises(ToolError, match="neither in the DVC cache") as error:
        DvcManager(project).read_bytes("d.bin")
    assert "imported from https://***@host/r.git" in line_of(error)


def test_remotes_that_are_missing_or_dead(project, free_port, http_server):
    empty_cache(project)
    with pytest.raises(NotFoundError, match="no DVC remote called 'origin'") as error:
        DvcManager(project, remote="origin").compare("images", "v1", "v2")
    assert "Remotes here: store." in line_of(error)
    assert len(DvcManager(project, remote="origin").versions("images")) == 2  # needs no remote
    config = project / ".dvc" / "config"
    dead = f"http://ada:hunter2@127.0.0.1:{free_port()}/store"
    config.write_text(f'[core]\n    remote = dead\n[remote "dead"]\n    url = {dead}\n')
    with pytest.raises(ToolError, match="remote 'dead' could not be read") as error:
        DvcManager(project).compare("images", "v1", "v2")
    assert "hunter2" not in line_of(error)
    shut = http_server(lambda request: Reply(status=403)).url
    config.write_text(f'[core]\n    remote = shut\n[remote "shut"]\n    url = {shut}\n')
    with pytest.raises(ToolError, match="remote 'shut' could not be read: 403"):
        DvcManager(project).compare("images", "v1", "v2")
    config.write_text('[core]\n    remote = cloud\n[remote "cloud"]\n    url = gs://bucket/folder\n')
    with pytest.raises(ToolError, match="needs packages that are not installed") as error:
        DvcManager(project).compare("images", "v1", "v2")
    assert "dvc[gs]" in line_of(error)
    config.write_text("[core]\n    analytics = false\n")
    with pytest.raises(ToolError, match="no default remote"):
        DvcManager(project).compare("images", "v1", "v2")
    config.write_text("[core\n")
    with pytest.raises(ConfigError, match="not valid"):
        DvcManager(project)


def test_a_huge_dvc_file_is_neither_held_nor_read(project, monkeypatch):
    monkeypatch.setattr("copilot.integrations.dvc.files.MAX_BYTES", 2_000)
    monkeypatch.setattr("copilot.integrations.dvc.texts.MAX_BYTES", 2_000)
    (project / "huge.dvc").write_text("outs: []\n" + "#" * 3_000_000)
    (project / "odd name\n猫.dvc").write_text(f"outs:\n- path: odd name\n  md5: {'a' * 32}\n  hash: md5\n")
    commit(project, "Huge")
    manager = DvcManager(project)
    assert [row.path for row in manager.datasets()] == ["images", "odd name"]
    assert [stage.name for stage in manager.pipeline().stages if stage.outs] == ["images.dvc", "odd name 猫.dvc"]


def test_hostile_dvc_files_are_left_out(project):
    (project / "evil.dvc").write_text("outs:\n- path: evil\n  md5: ../../../../etc/passwd\n  hash: md5\n")
    (project / "broken.dvc").write_text("outs: [\n")
    (project / "odd.dvc").write_text("- 1\n- 2\n")
    (project / "far.dvc").write_text(f"outs:\n- path: ../../far\n  md5: {'0' * 32}\n  hash: md5\n")
    (project / "cloud.dvc").write_text(f"outs:\n- path: s3://bucket/far\n  md5: {'0' * 32}\n  hash: md5\n")
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    (project / "laughs.dvc").write_text(f"a0: &a0 [x]\n{laughs}outs:\n- path: *a29\n  md5: *a29\n")
    commit(project, "Hostile files")
    assert [row.path for row in DvcManager(project).datasets()] == ["images"]
    assert read_outputs({"a.dvc": b"outs: 3", "dvc.lock": b"stages: [1]", "dvc.yaml": b"stages: no"}) == ()


# --- other layouts


def test_a_project_below_the_top_of_its_repository(template, tmp_path):
    from dvc.repo import Repo

    top = tmp_path / "mono"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    (top / "part").mkdir()
    with Repo.init(str(top / "part"), subdir=True):
        pass
    put(top / "part", "train", "cat", range(3))
    track(top / "part", push=False)
    commit(top, "Part", "v1")
    manager = DvcManager(top / "part" / "images")
    assert [(v.revision, v.n_files) for v in manager.versions("images")] == [("v1", 3)]
    assert manager.read_bytes("images/train/cat/002.png", "v1") == picture(2)


def test_several_tracked_folders_below_one_path(tmp_path):
    repo = start(tmp_path / "project")
    put(repo, "train", "cat", range(4))
    put(repo, "val", "cat", range(4, 6))
    track(repo, "images/train", push=False)
    track(repo, "images/val", push=False)
    (repo / "labels.csv").write_text("a,b\n")
    track(repo, "labels.csv", push=False)
    commit(repo, "Both", "v1")
    put(repo, "val", "cat", range(6, 9))
    track(repo, "images/val", push=False)
    commit(repo, "Val", "v2")
    manager = DvcManager(repo)
    assert [(v.revision, v.n_files) for v in manager.versions("images")] == [("v2", 9), ("v1", 6)]
    assert [v.revision for v in manager.versions("images/train")] == ["v1"]
    assert manager.compare("images", "v1", "v2").added == ("val/cat/006.png", "val/cat/007.png", "val/cat/008.png")
    assert manager.read_bytes("labels.csv") == b"a,b\n"
    assert list(manager.list_files(None))[-1] == "labels.csv"


def test_data_that_dvc_2_stored(project):
    cache = project / ".dvc" / "cache"
    for folder in list((cache / "files" / "md5").iterdir()):
        folder.rename(cache / folder.name)
    pointer = project / "images.dvc"
    pointer.write_text(pointer.read_text().replace("  hash: md5\n", ""))
    commit(project, "As DVC 2 wrote it", "old")
    assert DvcManager(project).read_bytes("images/train/cat/000.png", "old") == picture(250)
    assert len(DvcManager(project).list_files("images", "old")) == 62
