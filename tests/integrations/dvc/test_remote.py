"""A remote that speaks S3 (moto's server on loopback), one that hangs, one whose keys are wrong: nothing is faked."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from copilot.errors import CopilotError, InputError, JobCancelled, NotFoundError, OutOfReachError, ToolError

pytest.importorskip("dvc_s3")
pytest.importorskip("moto.server")
from moto.server import ThreadedMotoServer

from copilot.integrations.dvc.remote import DvcRemote, Wanted
from copilot.integrations.dvc_manager import DvcManager
from tests.integrations.dvc_projects import commit, fingerprint, picture, put, start, track

KEY, SECRET = "AKIAEXAMPLEKEY123456", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLE"
CATS = [f"images/train/cat/{value:03d}.png" for value in range(12)]


def configure(project: Path, url: str, extra: str = "") -> None:
    lines = f'[core]\n    remote = far\n[remote "far"]\n    url = s3://data/set\n    endpointurl = {url}\n{extra}'
    (project / ".dvc" / "config").write_text(lines)
    secrets = f'[remote "far"]\n    access_key_id = {KEY}\n    secret_access_key = {SECRET}\n    region = us-east-1\n'
    (project / ".dvc" / "config.local").write_text(secrets)


@pytest.fixture(scope="module")
def s3(own_dvc_folders, tmp_path_factory):
    """The address of an S3 server with the bucket `data`."""
    import boto3

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):  # those of the person are not read
            patch.setenv(name, str(tmp_path_factory.getbasetemp() / "no-such-file"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        url = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=url, **keys)
        client.create_bucket(Bucket="data")
        yield url, client
    server.stop()


@pytest.fixture(scope="module")
def pushed(s3, tmp_path_factory) -> Path:
    """A project whose objects are in the bucket only: 12 cats, 8 dogs, an empty file; v2 has fewer."""
    repo = start(tmp_path_factory.mktemp("far") / "project")
    configure(repo, s3[0])
    put(repo, "train", "cat", range(12))
    put(repo, "train", "dog", range(100, 108))
    (repo / "images" / "empty.txt").touch()
    track(repo)
    commit(repo, "First", "v1")
    shutil.rmtree(repo / "images" / "train" / "cat")
    track(repo)
    commit(repo, "No cats", "v2")
    shutil.rmtree(repo / ".dvc" / "cache")
    return repo


@pytest.fixture
def project(pushed, tmp_path) -> Path:
    shutil.copytree(pushed, tmp_path / "project")
    return tmp_path / "project"


def line_of(error: BaseException) -> str:
    told = f"{error} {error!r} {error.__cause__!r}"
    assert "\n" not in str(error)
    assert SECRET not in told
    assert KEY not in told
    return str(error)


def test_only_what_is_asked_for_is_fetched_and_fetched_once(project):
    before, manager = fingerprint(project), DvcManager(project)
    assert [v.n_files for v in manager.versions("images")] == [9, 21]
    assert manager.n_fetched == 0
    lines = []
    found = dict(manager.read_many(CATS, "v1", progress=lambda share, line: lines.append(line)))
    assert {name: found[name] for name in CATS} == {name: picture(at) for at, name in enumerate(CATS)}
    assert manager.n_fetched == len(CATS) + 1  # and the folder's list
    assert lines[-1] == "Read 12 of 12 files"
    again = DvcManager(project)
    assert dict(again.read_many(CATS, "v1")) == found
    assert again.n_fetched == 0
    assert fingerprint(project) == before


def test_secrets_are_not_logged(project, caplog):
    with caplog.at_level("DEBUG"):
        assert DvcManager(project).read_bytes(CATS[0], "v1") == picture(0)
    assert SECRET not in caplog.text
    ours = [record for record in caplog.records if record.name.startswith("copilot")]
    assert KEY not in " ".join(record.getMessage() for record in ours)


def test_a_cloud_versioned_remote_is_said(project):
    config = project / ".dvc" / "config"
    config.write_text(config.read_text() + "    version_aware = true\n")
    row = f"- relpath: a.png\n    md5: {'a' * 32}\n    size: 3\n    cloud: {{far: {{version_id: x, etag: y}}}}\n"
    (project / "cloud.dvc").write_text(f"outs:\n- path: cloud\n  hash: md5\n  files:\n  {row}")
    commit(project, "Cloud-versioned")
    manager = DvcManager(project)
    assert [v.n_files for v in manager.versions("cloud")] == [1]
    with pytest.raises(ToolError, match="'far' is cloud-versioned") as error:
        manager.read_bytes("cloud/a.png")
    assert "dvc fetch --all-commits" in line_of(error.value)


def test_an_empty_file_and_a_limit(project):
    manager = DvcManager(project)
    assert manager.read_bytes("images/empty.txt", "v1") == b""
    with pytest.raises(InputError, match="larger than"):
        manager.read_bytes(CATS[0], "v1", limit=10)


@pytest.mark.parametrize("chunk", [len(picture(0)), len(picture(0)) - 1, 7])
def test_objects_larger_than_a_piece_come_whole(project, monkeypatch, chunk):
    monkeypatch.setattr("copilot.integrations.dvc.remote._CHUNK", chunk)
    manager = DvcManager(project, keep_copies=False)
    assert manager.read_bytes(CATS[0], "v1") == picture(0)
    with pytest.raises(InputError, match="larger than"):
        manager.read_bytes(CATS[0], "v1", limit=20)


def test_files_that_are_not_there_do_not_stop_the_others(project, s3):
    manager = DvcManager(project)
    lost = manager.list_files("images", "v1")["train/cat/003.png"].hash
    s3[1].delete_object(Bucket="data", Key=f"set/files/md5/{lost[:2]}/{lost[2:]}")
    try:
        found = dict(manager.read_many([*CATS, "images/none.png", "../out"], "v1"))
    finally:
        s3[1].put_object(Bucket="data", Key=f"set/files/md5/{lost[:2]}/{lost[2:]}", Body=picture(3))
    errors = {name: line_of(found[name]) for name in found if isinstance(found[name], CopilotError)}
    assert set(errors) == {CATS[3], "images/none.png", "../out"}
    assert "neither in the DVC cache nor in the remote 'far'" in errors[CATS[3]]
    assert isinstance(found["images/none.png"], NotFoundError)
    assert len(found) == len(CATS) + 2


def test_reading_many_can_be_cancelled(project):
    def stop(share: float, line: str) -> None:
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        list(DvcManager(project).read_many(CATS, "v1", progress=stop))


def test_a_bucket_that_is_gone(project):
    config = project / ".dvc" / "config"
    config.write_text(config.read_text().replace("s3://data/set", "s3://gone/set"))
    with pytest.raises(ToolError, match="The bucket of the DVC remote 'far' is not there") as error:
        DvcManager(project).read_bytes(CATS[0], "v1")
    assert "dvc remote list" in line_of(error.value)


def test_wrong_keys(project, s3):
    def guard(calls: str) -> None:
        kind = {"Content-Type": "text/plain"}
        urlopen(Request(f"{s3[0]}/moto-api/reset-auth", data=calls.encode(), headers=kind, method="POST")).close()

    guard("0")
    try:
        with pytest.raises(ToolError, match="The DVC remote 'far' refused us") as error:
            DvcManager(project).read_bytes(CATS[0], "v1")
    finally:
        guard("inf")
    assert "credentials" in line_of(error.value)


def test_no_keys_at_all(project):
    (project / ".dvc" / "config.local").unlink()
    with pytest.raises(ToolError, match="refused us") as error:
        DvcManager(project).read_bytes(CATS[0], "v1")
    assert "credentials" in line_of(error.value)


def test_keys_of_the_environment_are_used(project, monkeypatch):
    (project / ".dvc" / "config.local").unlink()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert DvcManager(project).read_bytes(CATS[0], "v1") == picture(0)


def test_a_server_that_never_answers_is_given_up(project):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(project, f"http://127.0.0.1:{silent.getsockname()[1]}")
        manager = DvcManager(project, patience_s=0.5)
        with pytest.raises(OutOfReachError, match="'far' gave no answer in") as error:
            manager.read_bytes(CATS[0], "v1")
        line_of(error.value)
        with pytest.raises(OutOfReachError):  # known to be down: not asked again
            manager.read_bytes(CATS[0], "v1")
    assert len([t for t in threading.enumerate() if t.name == "dvc-remote" and not t.daemon]) == 0


def test_a_local_folder_that_is_gone(project, tmp_path):
    (project / ".dvc" / "config").write_text(f'[core]\n    remote = far\n[remote "far"]\n    url = {tmp_path}/none\n')
    (project / ".dvc" / "config.local").unlink()
    with pytest.raises(ToolError, match="The folder of the DVC remote 'far' is not there"):
        DvcManager(project).read_bytes(CATS[0], "v1")


@pytest.mark.parametrize(
    ("url", "extra"),
    [("ssh://ada:hunter2@host/data", "ssh"), ("gs://bucket/data", "gs"), ("azure://container/data", "azure")],
)
def test_a_kind_whose_packages_are_missing_is_named(url, extra):
    module = {"ssh": "sshfs", "gs": "gcsfs", "azure": "adlfs"}[extra]
    try:
        __import__(module)
    except ImportError:
        pass
    else:
        pytest.skip(f"{module} is installed")
    remote = DvcRemote({"core": {}, "remote": {"far": {"url": url}}}, "far")
    ((_, error),) = remote.read_many([Wanted("0" * 32, False, "a file")], 10)
    assert f"pip install 'dvc[{extra}]'" in str(error)
    assert "hunter2" not in str(error)


def test_secrets_in_what_a_file_system_says_are_taken_out(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    settings = {
        "url": "https://host/x?sig=signature-value",
        "password": "letmein1",
        "connection_string": "AccountKey=abc=",
    }
    remote = DvcRemote({"core": {}, "remote": {"far": settings}}, "far")
    error = remote._down(OSError("letmein1 AccountKey=abc= environment-secret signature-value https://u:pw@host/x"))
    assert str(error).startswith("The DVC remote 'far' could not be read: *** *** *** *** https://***@host/x")
