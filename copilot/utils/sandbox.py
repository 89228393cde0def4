"""Isolation of a supervised child that runs a stranger's code, such as a pickled model.

It reads Python, the system's libraries, this package and the paths it is given; it writes in its scratch folder alone.
It has no network, starts no program, cannot signal or look into other processes, and holds no rights to give away.
Landlock and seccomp give all of it without privileges, on Linux. What they leave:

- Readable too are the folders on Python's own path (``sys.path``, ``PYTHONPATH``, installed packages), the whole folder
  of a model, and the folders of the images that a table lists, with whatever else lies in them.
- Names, sizes and times of any file can be asked for.
- With an NVIDIA GPU its devices are open and so are the ioctls of their driver: a large, privileged piece of code.
- Processor, memory and the scratch folder are used up to the limits of the step.
- A bug of the kernel is a way out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import site
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from copilot.errors import InputError, NotFoundError, ToolError
from copilot.utils import landlock, seccomp
from copilot.utils.validators import clean_text

ENV = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PYTHONPATH",
)
MAX_FILE_BYTES = 1024**3
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/localtime", "/proc/driver/nvidia")
_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm", "/sys/devices/system", "/sys/fs/cgroup")
_OF_ITSELF = ("maps", "smaps", "status", "stat", "statm", "cgroup", "auxv", "limits", "fd", "task")
_GPU = ("/sys/bus/pci/devices", "/sys/devices", "/sys/module/nvidia", "/proc/devices", "/proc/modules")
_KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # for root: reading what others own, within the paths that are allowed
_PR_CAPBSET_DROP, _CAPABILITY_VERSION = 24, 0x20080522
_CAPGET_CAPSET = {"x86_64": (125, 126), "aarch64": (90, 91)}
_state = {"isolated": False}


@dataclass(frozen=True)
class Isolation:
    """Isolate a supervised child.

    Attributes
    ----------
    read : sequence of Path
        Files and folders, with all beneath them, that it may read besides Python, its libraries and this package.
        Links in them that lead elsewhere lead nowhere.
    """

    read: Sequence[Path | str] = ()

    def checked(self) -> list[str]:
        """The paths, resolved.

        Raises
        ------
        ToolError
            This machine cannot isolate.
        NotFoundError
            A path is not there.
        InputError
            A path is so wide that the isolation would be none.
        """
        if reason := isolation_available():
            raise ToolError(
                f"Code of strangers cannot be isolated here: {reason}.",
                "Use a form of the model that holds no code, such as .pt2 or ONNX, or a Linux machine of 6.2 or later.",
            )
        paths = [Path(path).expanduser().resolve() for path in self.read]
        for path in paths:
            if not path.exists():
                raise NotFoundError(f"There is nothing at {clean_text(path)}.", "Check the path.")
            if Path(home()).is_relative_to(path):
                raise InputError(
                    f"{clean_text(path)} holds the home folder: an isolated process may not read all of it.",
                    "Move the model or the images to a folder of their own.",
                )
        return [str(path) for path in paths]


def isolation_available() -> str | None:
    """Why a stranger's code cannot be isolated on this machine; None if it can."""
    if not sys.platform.startswith("linux"):
        return f"it takes Linux, this is {platform.system() or sys.platform}"
    return landlock.missing() or seccomp.missing()


def isolated() -> bool:
    """True in a process that `enter` has isolated."""
    return _state["isolated"]


def home() -> str:
    """The person's home folder, resolved."""
    return str(Path(os.environ.get("HOME") or "/").resolve())


def enter(scratch: Path, read: Sequence[str], person: str) -> None:
    """Isolate this process and all that it starts, for good. It must not have started a thread.

    Parameters
    ----------
    scratch : Path
        The only folder that can be written in.
    read : sequence of str
        What may be read besides.
    person : str
        `home` of the person: neither it nor what holds it is read, even if Python would look for modules there.

    Raises
    ------
    OSError, RuntimeError
        The kernel refuses, or there are threads that would stay free.
    """
    if (count := seccomp.threads()) != 1:
        raise RuntimeError(f"{count} threads run already")
    _limit_files()
    gpus = sorted(Path("/dev").glob("nvidia*"))
    rules = [
        *_reads(read, person, bool(gpus)),
        (scratch, landlock.OWN),
        *((gpu, landlock.USE | landlock.READ) for gpu in gpus),
    ]
    rules += [(Path("/dev/null"), landlock.USE)]
    seccomp.no_new_privileges()
    landlock.restrict(rules)
    _drop_capabilities()
    seccomp.install(os.getpid(), devices=bool(gpus))
    _state["isolated"] = True


def _reads(read: Sequence[str], person: str, gpu: bool) -> Iterator[tuple[Path, int]]:
    own = [f"/proc/{os.getpid()}/{name}" for name in _OF_ITSELF]
    devices = ["/dev/zero", "/dev/urandom", "/dev/random"]
    for path in (*_SYSTEM, *_MACHINE, *own, *devices, *(_GPU if gpu else ()), *_python(person), *read):
        yield Path(path), landlock.READ


def _python(person: str) -> Iterator[str]:
    """Where Python looks for modules. A checkout's root is no such place: only its package is."""
    package = Path(__file__).resolve().parents[1]
    yield str(package)
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    for entry in (*prefixes, *site.getsitepackages(), *sys.path):
        path = Path(entry).resolve()
        if entry and path != package.parent and not Path(person).is_relative_to(path):
            yield str(path)


def _limit_files() -> None:
    import resource  # not on Windows

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    size = MAX_FILE_BYTES if hard == resource.RLIM_INFINITY else min(MAX_FILE_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Capabilities(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def _drop_capabilities() -> None:
    """Keep of root's powers only what reads files; a person who is not root has none to drop."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = 0
    while libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), *[ctypes.c_ulong(0)] * 3) == 0:
        number += 1  # up to the last that this kernel knows
    header = _CapabilityHeader(_CAPABILITY_VERSION, 0)
    held, kept = (_Capabilities * 2)(), (_Capabilities * 2)()
    read, write = _CAPGET_CAPSET[platform.machine()]
    if libc.syscall(read, ctypes.byref(header), ctypes.byref(held)) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    kept[0].permitted = held[0].permitted & _KEPT_CAPABILITIES
    kept[0].effective = held[0].effective & _KEPT_CAPABILITIES
    if libc.syscall(write, ctypes.byref(header), ctypes.byref(kept)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
