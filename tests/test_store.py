"""The store: round trips, migrations, several processes, and every way in which a database can be wrong."""

import contextlib
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from copilot.core.findings import Analysis, Diagnosis, Evidence, HistoryRecord, PairRecord, Subject
from copilot.errors import CopilotError, InputError, MissingExtraError, NotFoundError, ToolError
from copilot.store import Store
from copilot.store.migrations import HEAD
from copilot.store.models import VERSION_TABLE, Base

HOSTILE = "'; DROP TABLE jobs;-- <script>alert(1)</script> {{7*7}} \u202eabc é 模型 🙂\n\tline 2"


@pytest.fixture
def store():
    with Store() as opened:
        yield opened


def analysis(run_id="run-1", *, experiment="digits", verdict="overfitting", name="calm-fox", summary="since epoch 14"):
    pair = PairRecord(
        quantity="loss", train_name="train_loss", val_name="val_loss", train=(1.0, float("nan")), val=(1.0, 2.0),
        higher_is_better=False,
    )  # fmt: skip
    return Analysis(
        subject=Subject(
            kind="run", run_id=run_id, run_name=name, experiment=experiment, analyzed_at="2025-01-02T03:04:05Z"
        ),
        history=HistoryRecord(epochs=(1, 2), pairs=(pair,)),
        diagnosis=Diagnosis(verdict=verdict, confidence=0.9, severity="high", onset_epoch=14, summary=summary),
        evidence=(Evidence(id="E1", name="gap", value=0.25), Evidence(id="E2", name="seen", value=True)),
    )


# analyses


def test_an_analysis_comes_back_as_it_was_but_for_nan(store):
    saved = analysis()
    id_ = store.save_analysis(saved, "http://host:5000")
    found = store.get_analysis(id_)
    assert found.history.pairs[0].train == (1.0, None)
    assert found.model_dump(exclude={"history"}) == saved.model_dump(exclude={"history"})
    assert type(found.evidence[1].value) is bool
    assert store.get_analyses([id_, 999]) == {id_: found}
    with pytest.raises(NotFoundError, match="no saved analysis 999"):
        store.get_analysis(999)


def test_the_latest_analysis_of_a_run_on_its_server(store):
    store.save_analysis(analysis(verdict="healthy"), "http://a:5000")
    store.save_analysis(analysis(verdict="unstable"), "http://b:5000")
    store.save_analysis(analysis(verdict="overfitting"), "http://ann:secret@a:5000/")
    assert store.latest_analysis("run-1").diagnosis.verdict == "overfitting"
    assert store.latest_analysis("run-1", "http://b:5000").diagnosis.verdict == "unstable"
    assert store.latest_analysis("run-1", "http://bob:other@a:5000").diagnosis.verdict == "overfitting"
    assert store.latest_analysis("run-2") is None


def test_lists_are_newest_first_and_can_be_narrowed(store):
    for run in ("r1", "r2", "r1", None):
        store.save_analysis(analysis(run, experiment="one" if run else None), "sqlite:///m.db")
    store.save_analysis(analysis("r9", experiment="two"))
    assert [row.run_id for row in store.list_analyses()] == ["r9", None, "r1", "r2", "r1"]
    assert [row.id for row in store.list_analyses(experiment="one", latest_only=True)] == [3, 2]
    assert [row.run_id for row in store.list_analyses(latest_only=True)] == ["r9", None, "r1", "r2"]
    assert len(store.list_analyses(limit=2)) == 2
    assert [row.run_id for row in store.list_analyses(tracking_uri="sqlite:///m.db", experiment="two")] == []
    row = store.list_analyses(experiment="two")[0]
    assert (row.verdict, row.severity, row.confidence, row.run_name) == ("overfitting", "high", 0.9, "calm-fox")


def test_credentials_never_reach_the_file(store, home):
    store.save_analysis(analysis(), "https://ann:hunter2@host/path?token=hunter3")
    store.close()
    raw = b"".join(path.read_bytes() for path in home.glob("store.db*"))
    assert b"hunter" not in raw
    assert b"host/path" in raw


def test_an_analysis_of_a_newer_version_is_no_analysis(store, home):
    id_ = store.save_analysis(analysis())
    with contextlib.closing(sqlite3.connect(home / "store.db")) as raw:
        raw.execute("UPDATE analyses SET document = json_set(document, '$.new_key', 1)")
        raw.commit()
    assert store.latest_analysis("run-1") is None
    with pytest.raises(ToolError, match="another version"):
        store.get_analysis(id_)


def hostile_round_trip(store):
    lone = "half \ud83d of a pair, a \x00 NUL"
    id_ = store.save_analysis(analysis(run_id=HOSTILE, name=lone, experiment=HOSTILE, summary=HOSTILE + lone), HOSTILE)
    assert store.get_analysis(id_).diagnosis.summary == HOSTILE + lone
    assert store.latest_analysis(HOSTILE, HOSTILE) == store.get_analysis(id_)
    assert "\n" not in store.list_analyses(experiment=HOSTILE)[0].run_name
    talk = store.create_conversation(run_id=HOSTILE, title=HOSTILE)
    message = store.add_message(talk, "user", HOSTILE + lone, [{"id": HOSTILE, "value": float("nan")}])
    store.save_feedback(message, -1, HOSTILE + lone)
    kept = store.list_messages(talk)[0]
    assert kept.text == HOSTILE + "half ? of a pair, a  NUL"
    assert kept.citations == [{"id": HOSTILE, "value": None}]
    assert store.list_conversations(run_id=HOSTILE)[0].id == talk
    job = store.add_job("scan", {"experiment": HOSTILE + lone})
    assert store.get_job(job).payload == {"experiment": HOSTILE + lone}
    with pytest.raises(NotFoundError):
        store.get_job(HOSTILE + lone)
    with pytest.raises(NotFoundError):
        store.list_messages(lone) or store.get_conversation(lone)


def test_hostile_text_comes_back_and_does_nothing(store):
    hostile_round_trip(store)


# conversations


def test_a_conversation_from_start_to_end(store):
    talk = store.create_conversation("run-1", "Why?")
    question = store.add_message(talk, "user", "when?")
    answer = store.add_message(talk, "assistant", "at {E1}", [{"evidence": "E1"}])
    store.save_feedback(answer, -1, "wrong epoch")
    store.save_feedback(answer, 1)
    first, second = store.list_messages(talk)
    assert (first.id, first.role, first.feedback) == (question, "user", None)
    assert (second.text, second.citations, second.feedback) == ("at {E1}", [{"evidence": "E1"}], 1)
    assert [(f.message_id, f.value, f.note) for f in store.list_feedback()] == [(answer, 1, "")]
    store.save_feedback(answer, 0)
    assert store.list_feedback() == []
    store.rename_conversation(talk, "Since when?")
    assert store.get_conversation(talk).title == "Since when?"
    assert store.get_conversation(talk).created_at.utcoffset().total_seconds() == 0
    store.save_feedback(answer, 1)
    store.delete_conversation(talk)
    assert (store.list_conversations(), store.list_messages(talk), store.list_feedback()) == ([], [], [])


def test_conversations_refuse_what_is_not_there(store):
    talk = store.create_conversation()
    for wrong in (
        lambda: store.add_message("nobody", "user", "x"),
        lambda: store.rename_conversation("nobody", "x"),
        lambda: store.save_feedback(77, 1),
        lambda: store.add_message(talk, "system", "x"),
        lambda: store.save_feedback(1, 5),
    ):
        with pytest.raises(InputError):
            wrong()


# jobs


def test_a_job_from_start_to_end(store):
    id_ = store.add_job("scan", {"experiment": "digits"}, settings={"a": 1}, queue="q")
    assert [(j.id, j.state, j.active) for j in store.list_jobs(active_only=True)] == [(id_, "queued", True)]
    job = store.claim_job(id_, 42, "here")
    assert (job.state, job.pid, job.host, job.settings) == ("running", 42, "here", {"a": 1})
    assert store.claim_job(id_, 43, "there") is None
    assert store.report_progress(id_, 42, 0.5, "half\nway")
    assert not store.report_progress(id_, 43, 0.9, "not mine")
    assert (store.get_job(id_).progress, store.get_job(id_).message) == (0.5, "half way")
    assert store.finish_job(id_, 42, "done", result={"n": [1, None]})
    done = store.get_job(id_)
    assert (done.state, done.progress, done.result, done.active) == ("done", 1.0, {"n": [1, None]}, False)
    assert done.created_at <= done.started_at <= done.finished_at
    assert store.list_jobs()[0].result is None
    assert not store.cancel_job(id_)
    assert store.list_jobs(active_only=True) == []


def test_a_cancelled_job_stays_cancelled(store):
    id_ = store.add_job("scan", {})
    store.claim_job(id_, 42, "here")
    assert store.cancel_job(id_)
    assert not store.report_progress(id_, 42, 0.5, "still here")
    assert not store.finish_job(id_, 42, "done", result=1)
    assert store.get_job(id_).state == "cancelled"
    assert store.get_job(id_).result is None


def test_a_job_taken_for_lost_comes_back_with_its_workers_next_sign(store):
    id_ = store.add_job("scan", {})
    store.claim_job(id_, 42, "here")
    store.mark_lost([id_], "gone")
    assert (store.get_job(id_).state, store.get_job(id_).error) == ("lost", "gone")
    store.beat([id_], 42)
    assert (store.get_job(id_).state, store.get_job(id_).error) == ("running", "")


def test_old_jobs_are_pruned_and_active_ones_kept(store):
    waiting = store.add_job("scan", {})
    ended = [store.add_job("scan", {}) for _ in range(5)]
    for id_ in ended:
        store.cancel_job(id_)
    assert store.prune_jobs(keep=2) == 3
    assert {job.id for job in store.list_jobs()} == {waiting, *ended[-2:]}


# migrations, processes


def test_scripts_make_the_tables_that_the_code_uses(store, home):
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    import copilot.store.migrations as scripts

    config = Config()
    config.set_main_option("script_location", str(Path(scripts.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    with create_engine(f"sqlite:///{home / 'store.db'}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == HEAD


def test_the_file_is_wal_with_foreign_keys(store, home):
    with store._reading() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


WRITER = """
import sys
from copilot.store import Store
print("ready", flush=True)
sys.stdin.readline()
with Store(sys.argv[1] or None) as store:
    for _ in range(25):
        talk = store.create_conversation(title="t")
        store.add_message(talk, "user", "x")
"""


def write_from_processes(url="", count=2):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url], **pipes) for _ in range(count)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # all at once: each finds no tables
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, "")


def test_processes_open_a_new_store_at_once_and_write_to_it(home):
    write_from_processes()
    with Store() as store:
        assert len(store.list_conversations(limit=1000)) == 50


def test_threads_open_a_new_store_at_once(home):
    opened, together = [], threading.Barrier(4)

    def open_store():
        together.wait()
        with Store() as store:
            opened.append(store.create_conversation())

    threads = [threading.Thread(target=open_store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4


# what can be wrong


def one_line(error: CopilotError) -> str:
    assert "\n" not in str(error)
    assert error.hint
    return str(error)


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        ("nonsense", InputError, "not a database address"),
        ("postgresql://ann:hunter2@host:notaport/x", InputError, "not a database address"),
        ("mysql://ann:hunter2@host/x", InputError, "'mysql'"),
        ("sqlite://", InputError, "needs a file"),
        ("sqlite:///:memory:", InputError, "needs a file"),
        ("sqlite:////nowhere/at/all/store.db", InputError, "/nowhere/at/all/store.db cannot be opened"),
        ("postgresql+asyncpg://ann:hunter2@host/x", InputError, "'asyncpg'"),
    ],
)
def test_a_wrong_address_is_one_line_without_the_password(url, kind, says):
    with pytest.raises(kind) as error:
        Store(url)
    assert says in one_line(error.value)
    assert "hunter2" not in str(error.value)


def test_files_that_are_no_store_are_refused_untouched(tmp_path):
    (tmp_path / "text.db").write_text("This is a diary, and no database at all. " * 40)
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE experiments (id)")
        other.execute("CREATE TABLE jobs (id)")
        other.execute("CREATE TABLE alembic_version (version_num)")
        other.commit()
    (tmp_path / "folder.db").mkdir()
    for name, says in (
        ("text.db", "is not a database"),
        ("other.db", "belongs to another program (it holds alembic_version"),
        ("folder.db", "cannot be opened"),
    ):
        before = (tmp_path / name).read_bytes() if name != "folder.db" else b""
        with pytest.raises(InputError) as error:
            Store(f"sqlite:///{tmp_path / name}")
        assert says in one_line(error.value)
        assert before == ((tmp_path / name).read_bytes() if name != "folder.db" else b"")


def test_a_store_of_a_newer_version_says_so(store, home):
    store.close()
    with contextlib.closing(sqlite3.connect(home / "store.db")) as raw:
        raw.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        raw.commit()
    with pytest.raises(ToolError, match="newer version"):
        Store()


def test_a_damaged_store_is_one_line(store, home):
    for _ in range(50):
        store.add_job("scan", {"x": "y" * 500})
    store.close()
    raw = bytearray((home / "store.db").read_bytes())
    raw[4096:] = os.urandom(len(raw) - 4096)
    (home / "store.db").write_bytes(raw)
    with pytest.raises(ToolError) as error, Store() as opened:
        opened.list_jobs()
    assert "damaged" in one_line(error.value)


# PostgreSQL


def test_postgresql_without_its_driver_names_the_extra(monkeypatch):
    monkeypatch.setattr("copilot.store.database.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"mlops-copilot\[postgres\]"):
        Store("postgresql://ann:hunter2@127.0.0.1/x")


def postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return Path(found).resolve().parent if found else next((f for f in folders if (f / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgres():
    """A throw-away PostgreSQL server on loopback; it refuses to run as root, so it then runs as nobody."""
    if find_spec("psycopg") is None:
        pytest.skip("PostgreSQL: the driver psycopg is not installed (pip install 'mlops-copilot[postgres]')")
    if (programs := postgres_programs()) is None:
        pytest.skip("PostgreSQL: no server programs (initdb) on this machine")
    folder = Path(tempfile.mkdtemp(prefix="copilot-postgres-", dir="/tmp"))  # pytest's own folders are closed to nobody
    user = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "password").write_text("hunter2")
    (folder / "password").chmod(0o644)
    data = folder / "data"
    first = [programs / "initdb", "-D", data, "-U", "ann", "-A", "scram-sha-256", "--pwfile", folder / "password", "-N"]
    subprocess.run(first, check=True, capture_output=True, cwd=folder, **user)
    serve = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "fsync=off"]
    server = subprocess.Popen(serve, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **user)
    try:
        for _ in range(100):
            if (
                subprocess.run(
                    [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True
                ).returncode
                == 0
            ):
                break
            assert server.poll() is None
            time.sleep(0.1)
        yield f"postgresql://ann:hunter2@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


def test_the_store_in_postgresql(postgres):
    write_from_processes(postgres)
    with Store(postgres) as store:
        assert len(store.list_conversations(limit=1000)) == 50
        hostile_round_trip(store)
        talk = store.create_conversation("r")
        store.save_feedback(store.add_message(talk, "assistant", "x"), 1)
        store.delete_conversation(talk)
        assert talk not in {found.id for found in store.list_conversations(limit=1000)}
        job = store.add_job("scan", {"x": 1})
        assert store.claim_job(job, 1, "here").state == "running"
        assert store.finish_job(job, 1, "done", result=[1])
        assert store.get_job(job).started_at.utcoffset().total_seconds() == 0


def test_postgresql_errors_are_one_line_without_the_password(postgres):
    port = postgres.rsplit(":", 1)[1].split("/")[0]
    for wrong in (f"postgresql://ann:hunter3@127.0.0.1:{port}/postgres", "postgresql://ann:hunter3@127.0.0.1:1/x"):
        with pytest.raises(ToolError) as error:
            Store(wrong)
        assert "hunter" not in one_line(error.value)
