"""What a hostile model may try; runs inside the isolated child, as ``copilot.sandbox_attacks``.

Each attack leaves a trace outside if it works. `attack` tells what each came to: an error's name, or "done".
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {  # x86_64, aarch64
    "socket": (41, 198),
    "kill": (62, 129),
    "openat": (257, 56),
    "io_uring_setup": (425, 425),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "unshare": (272, 97),
    "mount": (165, 40),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clone": (56, 220),
    "shmget": (29, 194),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "prctl": (157, 167),
    "fchmodat": (268, 53),
    "pidfd_open": (434, 434),
    "open_tree_attr": (467, 467),
}


def call(name, *values, extra=0):
    number = NUMBERS[name][platform.machine() == "aarch64"] + extra
    if LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(v) if isinstance(v, int) else v for v in values]) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path):
    Path(path).write_text("was here")


def connect(family, address):
    with socket.socket(family) as link:
        link.settimeout(2)
        link.connect(address)
        link.sendall(b"was here")


def own_signals(pid):
    """The kernel sends a signal to the owner of a pipe."""
    read, write = os.pipe()
    fcntl.fcntl(read, fcntl.F_SETOWN, pid)
    fcntl.fcntl(read, 10, signal.SIGKILL)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(write, b"x")


def attacks(at):
    victim, secret, readable = at["victim"], at["secret"], at["readable"]
    return {
        "write a file": lambda: write(at["outside"]),
        "write in the home": lambda: write(Path(at["home"], "was_here")),
        "write where it reads": lambda: write(Path(readable).with_name("was_here")),
        "append to what it reads": lambda: open(readable, "a").write("was here"),
        "truncate what it reads": lambda: os.truncate(readable, 0),
        "remove what it reads": lambda: os.unlink(readable),
        "rename what it reads": lambda: os.rename(readable, "mine"),
        "link out": lambda: os.link(readable, "mine"),
        "change a mode": lambda: os.chmod(readable, 0o777),
        "change a mode by descriptor": lambda: os.fchmod(os.open(readable, os.O_RDONLY), 0o777),
        "change a time": lambda: os.utime(readable, (0, 0)),
        "change an owner": lambda: os.chown(readable, os.getuid(), os.getgid()),
        "set an attribute": lambda: os.setxattr(readable, "user.x", b"y"),
        "make a folder": lambda: os.mkdir(at["outside"]),
        "make a link": lambda: os.symlink("/", at["outside"]),
        "make a pipe": lambda: os.mkfifo(at["outside"]),
        "shared memory by path": lambda: write("/dev/shm/was_here"),
        "read a secret": lambda: Path(secret).read_text(),
        "read a secret through a link": lambda: (os.symlink(secret, f"l{os.getpid()}"), open(f"l{os.getpid()}").read()),
        "list the home": lambda: os.listdir(at["home"]),
        "read the users": lambda: open("/etc/passwd").read(),
        "read another's environment": lambda: open(f"/proc/{victim}/environ").read(),
        "read another's memory": lambda: open(f"/proc/{victim}/mem", "rb").read(1),
        "read another's files": lambda: os.listdir(f"/proc/{victim}/fd"),
        "through the root of another": lambda: open(f"/proc/{victim}/root{secret}").read(),
        "a TCP connection": lambda: connect(socket.AF_INET, ("127.0.0.1", at["port"])),
        "a unix socket": lambda: connect(socket.AF_UNIX, at["socket"]),
        "an abstract socket": lambda: connect(socket.AF_UNIX, "\0" + at["abstract"]),
        "a socket pair": lambda: socket.socketpair(),
        "a netlink socket": lambda: socket.socket(16, socket.SOCK_RAW),
        "kill another": lambda: os.kill(victim, signal.SIGKILL),
        "kill all": lambda: os.kill(-1, signal.SIGKILL) if os.getuid() else os.kill(-victim, signal.SIGKILL),
        "kill the parent": lambda: os.kill(at["parent"], signal.SIGKILL),
        "kill a thread": lambda: signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGKILL),
        "a signal by a pipe": lambda: own_signals(victim),
        "limit another": lambda: __import__("resource").prlimit(victim, 7, (0, 0)),
        "start a program": lambda: subprocess.run(["/bin/sh", "-c", f"echo x > {at['outside']}"], check=True),
        "start Python": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        "leave the group": lambda: os.setsid(),
        "raw socket()": lambda: call("socket", 2, 1, 0),
        "raw socket() of x32": lambda: call("socket", 2, 1, 0, extra=0x40000000),
        "raw kill()": lambda: call("kill", victim, 9),
        "raw openat()": lambda: call("openat", -100, ctypes.c_char_p(at["outside"].encode()), 0o101, 0o644),
        "raw io_uring_setup()": lambda: call("io_uring_setup", 4, ctypes.create_string_buffer(256)),
        "raw ptrace()": lambda: call("ptrace", 16, victim, 0, 0),
        "raw process_vm_readv()": lambda: call("process_vm_readv", victim, 0, 0, 0, 0, 0),
        "raw process_vm_writev()": lambda: call("process_vm_writev", victim, 0, 0, 0, 0, 0),
        "raw unshare()": lambda: call("unshare", 0x10000000),
        "raw clone() into a namespace": lambda: call("clone", 0x10000000 | 17, 0, 0, 0, 0),
        "raw clone() for the parent": lambda: call("clone", 0x8000 | 17, 0, 0, 0, 0),
        "raw mount()": lambda: call("mount", 0, ctypes.c_char_p(b"/tmp"), ctypes.c_char_p(b"tmpfs"), 0, 0),
        "raw keyctl()": lambda: call("keyctl", 0, -4, 0),
        "raw add_key()": lambda: call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"x"), 0, 0, -4),
        "raw bpf()": lambda: call("bpf", 0, 0, 0),
        "raw shmget()": lambda: call("shmget", 0, 4096, 0o1600),
        "raw memfd_create()": lambda: call("memfd_create", ctypes.c_char_p(b"x"), 0),
        "raw memfd_secret()": lambda: call("memfd_secret", 0),
        "a memfd": lambda: os.memfd_create("x"),
        "leave the tree that is watched": lambda: call("prctl", 36, 0, 0, 0, 0),
        "outlive the parent": lambda: call("prctl", 1, 0, 0, 0, 0),
        "hide what it holds": lambda: call("prctl", 4, 0, 0, 0, 0),
        "raw call of tomorrow": lambda: call("open_tree_attr", -1, 0, 0, 0, 0),
    }


def _tried(name, act):
    try:
        value = act()
    except BaseException as error:
        return f"{type(error).__name__} {errno.errorcode.get(getattr(error, 'errno', None) or 0, '')}".strip()
    return f"done {value!r}"[:80]


def _all(at):
    return {name: _tried(name, act) for name, act in attacks(at).items()}


def attack(payload, progress):
    """Try everything here, then in a grandchild."""
    at = {**payload, "parent": os.getppid()}
    found = {"child": _all(at)}
    told = Path("grandchild")
    if (pid := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            told.write_text(repr(_all(at)))
        os._exit(0)
    os.waitpid(pid, 0)
    found["grandchild"] = told.read_text()
    found["environment"] = dict(os.environ)
    found["environ file"] = _tried("", lambda: Path("/proc/self/environ").read_text())
    return found


def work(payload, progress):
    """What an honest step does."""
    import threading

    import numpy as np
    import torch

    seen = []
    thread = threading.Thread(target=seen.append, args=(1,))
    thread.start()
    thread.join()
    progress(0.5, "half way")
    Path("note.txt").write_text(Path(payload["readable"]).read_text())
    np.save("out/numbers.npy", np.arange(3))
    Path("out/.hidden").write_text("x")
    Path("out/inner").mkdir()
    Path("out/inner/x").write_text("x")
    os.symlink(payload["secret"], "out/link.txt")
    os.link("note.txt", "out/hard.txt")
    torch.set_num_threads(2)
    return {
        "sum": float((torch.ones(300, 300) @ torch.ones(300, 300)).sum()),
        "thread": seen,
        "note": payload["readable"],
    }


def answer(payload, progress):
    """Leave a hostile answer instead of returning."""
    result = Path(os.getcwd(), "result.json")
    if payload["link"]:
        os.symlink(payload["link"], result)
    else:
        result.write_text(payload["text"])
    os._exit(0)


def linger(payload, progress):
    """Leave a process behind that is no child of ours."""
    if os.fork() == 0:
        if os.fork() == 0:
            Path("out/pid").write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    os.wait()
    while not (Path("out/pid").exists() and Path("out/pid").read_text()):
        pass
    return {}


def fill(payload, progress):
    """Leave more than agreed."""
    with open("out/large", "wb") as file:
        file.truncate(300_000_000)
    return {}


def hoard(payload, progress):
    """Write 100 MB in all, though no file is large."""
    block, kept = b"x" * 10_000_000, []
    for number in range(10):
        with open(str(number), "w+b") as file:
            file.write(block)
            file.flush()
            if payload["how"] == "open":
                kept.append(os.dup(file.fileno()))
            elif payload["how"] == "mapped":
                kept.append(mmap.mmap(file.fileno(), len(block)))
        if payload["how"] != "kept":
            os.unlink(str(number))
    time.sleep(20)
    return {"files": len(kept)}


def scatter(payload, progress):
    """Leave many empty files."""
    for number in range(300):
        Path(str(number)).touch()
    time.sleep(20)
    return {}


def memory(payload, progress):
    """Hold memory in a grandchild that tries to leave the tree."""
    with contextlib.suppress(OSError):
        call("prctl", 36, 0, 0, 0, 0)
    if os.fork() == 0:
        if os.fork() == 0:
            held = bytearray(b"x" * 800_000_000)
            time.sleep(30)
            os._exit(len(held) == 0)
        os._exit(0)
    os.wait()
    time.sleep(30)
    return {}


def load_pickle(payload, progress):
    """Load a pickled model with the package's own loader."""
    import numpy as np

    from copilot.integrations.models.loader import load_model
    from copilot.integrations.models.spec import ModelFiles

    model = load_model(ModelFiles(**payload["files"]), allow_pickle=True)
    return {"rows": model.predict(np.array(payload["images"], np.uint8)).tolist()}
