"""Isolation: what a hostile step tries comes to nothing, and what an honest one needs works."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from copilot.errors import InputError, NotFoundError, ToolError
from copilot.utils import scratch_space
from copilot.utils.sandbox import Isolation, isolated, isolation_available
from copilot.utils.supervise import run_supervised
from tests.conftest import REPOSITORY

ATTACKS = Path(__file__).with_name("sandbox_attacks.py")
pytestmark = pytest.mark.skipif(isolation_available() is not None, reason=str(isolation_available()))


@pytest.fixture(scope="module", autouse=True)
def steps(tmp_path_factory):
    """The attacks as a module of the package, found by the child's start-up file."""
    folder = tmp_path_factory.mktemp("steps")
    shutil.copy(ATTACKS, folder)
    (folder / "sitecustomize.py").write_text(f"import copilot\ncopilot.__path__.append({str(folder)!r})\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ATTACKS.parents[2]), str(folder)]))
        yield folder


class World:
    """What there is to harm: a home with a secret, a file that may be read, a process, three listening sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heard = folder, []
        for name in ("home", "data"):
            (folder / name).mkdir()
        (folder / "home" / "key").write_text("hunter2")
        (folder / "data" / "readable").write_text("fine")
        self.victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.servers = [socket.socket(), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        addresses = [("127.0.0.1", 0), str(folder / "s"), f"\0mlops-copilot-{os.getpid()}-{id(self)}"]
        for server, address in zip(self.servers, addresses, strict=True):
            server.bind(address)
            server.listen()
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()
        self.payload = {
            "victim": self.victim.pid,
            "secret": str(folder / "home" / "key"),
            "home": str(folder / "home"),
            "readable": str(folder / "data" / "readable"),
            "outside": str(folder / "was_here"),
            "socket": addresses[1],
            "abstract": addresses[2][1:],
            "port": self.servers[0].getsockname()[1],
        }

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                self.heard.append(
                    server.accept()
                )  # the link too: closed at once, it could break while it is written to
            except OSError:
                return

    def files(self) -> dict[str, str]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(p.relative_to(self.folder)): f"{p.read_text()} {p.stat().st_mode:o}" for p in paths}

    def close(self) -> None:
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
            server.close()
        self.victim.kill()
        self.victim.communicate()


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield made
    made.close()


def run(name, payload, read=(), **options):
    return run_supervised(
        f"copilot.sandbox_attacks:{name}",
        payload,
        timeout_s=60,
        memory_limit_gb=3,
        isolation=Isolation(read=list(read)),
        **options,
    )


def test_nothing_that_a_hostile_step_tries_works(world, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/hunter2")
    before, modified = world.files(), os.stat(world.payload["readable"]).st_mtime
    found = run("attack", world.payload, [world.folder / "data"], pass_env=["AWS_SECRET_ACCESS_KEY"])
    for who in (found["child"], ast.literal_eval(found["grandchild"])):
        assert {name: came for name, came in who.items() if came.startswith("done")} == {}
        errors = ("PermissionError", "OSError ENOSYS", "OSError EXDEV")
        assert {name: came for name, came in who.items() if not came.startswith(errors)} == {}
    assert "hunter2" not in str(found)
    assert world.payload["home"] not in found["environment"].values()
    assert world.victim.poll() is None
    assert world.heard == []
    assert world.files() == before
    assert os.stat(world.payload["readable"]).st_mtime == modified
    assert not Path("/dev/shm/was_here").exists()


def test_without_isolation_the_same_attacks_work(world):
    """So that the test above cannot pass because the attacks are broken."""
    world.payload["victim"] = os.getpid()  # looked at, not killed
    code = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(ATTACKS.parent)!r})
        import sandbox_attacks as module
        at = {{**{world.payload!r}, "parent": 0}}
        harmless = ["write a file", "write in the home", "append to what it reads", "change a mode", "change a time"]
        harmless += ["read a secret", "list the home", "a TCP connection", "a unix socket", "an abstract socket"]
        harmless += ["a memfd", "leave the tree that is watched", "outlive the parent", "hide what it holds"]
        harmless += ["read another's environment", "a socket pair", "start Python", "raw socket()", "raw openat()"]
        came = {{name: module._tried(name, module.attacks(at)[name]) for name in harmless}}
        print({{name: what for name, what in came.items() if not what.startswith("done")}})
    """)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=world.folder)
    assert told.stdout.strip() == "{}"
    assert len(world.heard) == 3
    assert (world.folder / "was_here").exists()


def test_an_honest_step_works_and_its_files_come_back(world, tmp_path):
    out, seen = tmp_path / "back", []
    result = run("work", world.payload, [world.folder / "data"], collect=out, progress=lambda *step: seen.append(step))
    assert result["sum"] == 300**3
    assert result["thread"] == [1]
    assert [path.name for path in out.iterdir()] == ["numbers.npy"]  # no links, folders or hidden files
    assert np.load(out / "numbers.npy").tolist() == [0, 1, 2]
    assert seen[-1] == (0.5, "half way")
    assert not isolated()


def test_files_beyond_the_limit_do_not_come_back(tmp_path):
    with pytest.raises(ToolError, match="200 MB"):
        run("fill", {}, collect=tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "[]", '{"result": 3}', '{"error": {"kind": 1}}', '{"error": 7}', '{"result": {}} x', "\udcff"],
)
def test_a_hostile_answer_is_one_line(text):
    text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    with pytest.raises(ToolError) as caught:
        run("answer", {"link": "", "text": text})
    assert len(str(caught.value)) < 300


def test_an_answer_that_is_a_link_is_not_followed(world):
    target = world.folder / "home" / "answer.json"
    target.write_text('{"result": {"secret": "hunter2"}}')
    with pytest.raises(ToolError, match="crashed"):
        run("answer", {"link": str(target)})


def test_no_process_is_left_behind(tmp_path):
    run("linger", {}, collect=tmp_path)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("how", ["kept", "open", "mapped"])
def test_many_files_are_counted_together_also_removed_ones(monkeypatch, how):
    monkeypatch.setattr(scratch_space, "MAX_BYTES", 50_000_000)
    with pytest.raises(ToolError, match=r"wrote more than 0\.05 GB and was stopped"):
        run("hoard", {"how": how})


def test_many_empty_files_are_counted(monkeypatch):
    monkeypatch.setattr(scratch_space, "MAX_ENTRIES", 200)
    with pytest.raises(ToolError, match="wrote more than 200 files"):
        run("scatter", {})


def test_memory_of_a_grandchild_that_tries_to_leave_is_counted():
    with pytest.raises(ToolError, match="more memory than its limit"):
        run_supervised("copilot.sandbox_attacks:memory", {}, timeout_s=25, memory_limit_gb=0.5, isolation=Isolation())


def test_what_may_be_read_is_checked_before_anything_starts(world):
    with pytest.raises(NotFoundError):
        run("work", {}, [world.folder / "nothing"])
    for path in (world.folder / "home", world.folder, "/"):
        with pytest.raises(InputError, match="home folder"):
            run("work", {}, [path])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="made with a filter of Linux")
def test_a_kernel_without_landlock_is_told_and_nothing_starts(steps):
    """In a process for which the calls of Landlock do not exist, by a real filter."""
    code = """
        import ctypes, errno
        from copilot.errors import CopilotError
        from copilot.utils import seccomp, sandbox
        from copilot.utils.supervise import run_supervised
        unknown = seccomp._returns(seccomp._ERRNO | errno.ENOSYS)
        lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), unknown, seccomp._returns(seccomp._ALLOW)]
        filters = (seccomp._Filter * len(lines))(*(seccomp._Filter(*line) for line in lines))
        program = seccomp._Program(len(lines), filters)
        seccomp.no_new_privileges()
        seccomp._prctl(22, 2, ctypes.byref(program))
        print(sandbox.isolation_available())
        try:
            isolation = sandbox.Isolation()
            run_supervised("copilot.sandbox_attacks:work", {}, timeout_s=9, memory_limit_gb=1, isolation=isolation)
        except CopilotError as error:
            print(error)
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    reason, refusal = told.stdout.splitlines()
    assert reason == "the kernel offers no Landlock (Linux 6.2 or later, enabled at boot)"
    assert refusal.startswith(f"Code of strangers cannot be isolated here: {reason}")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="takes root to become somebody else")
def test_it_needs_no_privileges():
    if not all(folder.stat().st_mode & 0o001 for folder in (REPOSITORY, *REPOSITORY.parents)):
        pytest.skip("the repository lies where nobody else may read")
    code = "from copilot.utils import sandbox; sandbox.enter(__import__('pathlib').Path('/tmp'), [], '/root'); print(1)"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.stdout.strip() == "1", told.stderr
