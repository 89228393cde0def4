"""Run one step in a child process under time, memory and environment limits.

The child is a fresh interpreter in its own process group. It gets JSON on stdin, writes progress lines to stdout and
its result to a file, sees no secrets in its environment, and dies with its parent. Memory is the resident size of the
whole process tree, watched from outside: an address-space limit would stop PyTorch from starting.
A child that runs a stranger's code is isolated besides (`copilot.utils.sandbox`); what it answers is never trusted.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import re
import signal
import site
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from copilot import errors
from copilot.errors import CopilotError, InputError, ToolError
from copilot.utils import handed_back, sandbox
from copilot.utils.child_process import STARTING, Child
from copilot.utils.logging import no_telemetry
from copilot.utils.sandbox import Isolation
from copilot.utils.scratch_space import too_full
from copilot.utils.validators import clean_text, without_credentials

Progress = Callable[[float, str], None]

POLL_S = 0.2
LOOK_S = 1.0  # between two looks at the scratch folder
PASSED_ENV = (
    "PATH",
    "HOME",
    "SYSTEMROOT",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MLOPS_COPILOT_HOME",
    "PYTHONPATH",
)
_MARK = "MLOPS_COPILOT_SUPERVISED"
_TARGET = re.compile(r"copilot(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*")
_RESULT = "result.json"
_RESULT_BYTES = 64_000_000
_MORE = "Run it again with --debug to see more of its messages."
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def run_supervised(
    target: str,
    payload: dict[str, Any],
    *,
    timeout_s: float,
    memory_limit_gb: float,
    progress: Progress | None = None,
    pass_env: Sequence[str] = (),
    section: str = "",
    isolation: Isolation | None = None,
    collect: Path | None = None,
) -> dict[str, Any]:
    """Call ``function(payload, progress)`` of this package in a child process and return what it returns.

    Parameters
    ----------
    target : str
        ``module:function`` inside the ``copilot`` package.
    payload : dict
        JSON values for the function.
    timeout_s : float
        Wall-clock seconds, start of the interpreter included.
    memory_limit_gb : float
        Resident memory of the child and its descendants, in GiB.
    progress : callable, optional
        Called with the child's last fraction and line every 0.2 s, also while the child is silent.
        Any exception from it (``JobCancelled``) kills the child and passes through.
    pass_env : sequence of str
        Environment variables to pass on besides ``PASSED_ENV``.
    section : str
        Section of the settings that holds ``timeout_s`` and ``memory_limit_gb``, for the hint of an error.
    isolation : Isolation, optional
        Isolate the child before the function's module is imported. ``pass_env`` and the home folder are not passed on.
    collect : Path, optional
        Folder for the regular files that the function left in ``out/`` of its working directory, 200 MB at most.

    Raises
    ------
    CopilotError
        The error that the function raised, as the same class.
    ToolError
        A limit was exceeded, the child was killed, or it crashed; or this machine cannot isolate it.
    """
    if not _TARGET.fullmatch(target):
        raise InputError(f"{target!r} is not a function of this package.", "Name it as copilot.module:function.")
    limits = {"read": isolation.checked(), "home": sandbox.home()} if isolation else None
    scratch = Path(tempfile.mkdtemp(prefix="mlops-copilot-")).resolve()
    try:
        task = scratch / "task.json"
        asked = {"target": target, "payload": payload, "isolation": limits}
        task.write_text(json.dumps(asked), encoding="utf-8")
        (scratch / handed_back.OUT).mkdir()
        if progress:
            progress(*STARTING)
        with Child(task, _environment(scratch, pass_env, isolation is not None)) as child:
            _watch(child, timeout_s, memory_limit_gb, progress, section, scratch if isolation else None)
        answer = _outcome(child, scratch, section)
        if collect:
            handed_back.collect(scratch, collect)
        return answer
    finally:
        handed_back.remove(scratch)


def in_supervised_child() -> bool:
    """True inside a process that `run_supervised` started."""
    return os.environ.get(_MARK) == "1"


def _watch(
    child: Child,
    timeout_s: float,
    memory_limit_gb: float,
    progress: Progress | None,
    section: str,
    bounded: Path | None,
) -> None:
    """Wait for the child's end; `bounded` is the scratch folder of an isolated one, whose size is limited."""
    deadline, look = time.monotonic() + timeout_s, 0.0
    while True:
        if ended := child.wait(0):
            child.drain()
        if progress:
            progress(*child.last)
        if ended:
            return
        if time.monotonic() > deadline:
            what = f"The step took longer than its limit of {timeout_s:g} s and was stopped."
            raise ToolError(what, f"Raise {_setting(section, 'timeout_s')} in the settings, or use less data.")
        if child.memory_bytes() > memory_limit_gb * 1024**3:
            what = f"The step used more memory than its limit of {memory_limit_gb:g} GB and was stopped."
            raise ToolError(what, f"Raise {_setting(section, 'memory_limit_gb')} in the settings, or use less data.")
        if bounded and time.monotonic() > look:
            if much := too_full(bounded, child.pids()):
                raise ToolError(f"The step wrote more than {much} and was stopped.", "Look at what the model does.")
            look = time.monotonic() + LOOK_S
        child.wait(POLL_S)


def _setting(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _outcome(child: Child, scratch: Path, section: str) -> dict[str, Any]:
    code = child.process.returncode
    content = handed_back.read_file(scratch / _RESULT, _RESULT_BYTES) if code == 0 else None
    if content is None:
        lines = _lines(child.errors) or ["it left no message."]
        error = _killed(-code, section) if code < 0 else ToolError(f"The step crashed: {lines[-1]}", _MORE)
        error.add_note("\n".join(lines[-40:]))
        raise error
    try:
        answer = json.loads(content)
        if "error" in answer:
            raise _same_error(*(str(answer["error"][key]) for key in ("kind", "message", "hint")))
        return dict(answer["result"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ToolError("The step left an answer that cannot be read.", _MORE) from error


def _killed(number: int, section: str) -> ToolError:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    short = f"The machine may be out of memory: use less data, or lower {_setting(section, 'memory_limit_gb')}."
    return ToolError(f"The step was killed by signal {name}.", short if name == "SIGKILL" else _MORE)


def _lines(stderr: bytes) -> list[str]:
    lines = stderr.decode("utf-8", "replace").splitlines()
    return [clean_text(without_credentials(line), 300) for line in lines if line.strip()]


def _same_error(kind: str, message: str, hint: str) -> CopilotError:
    found = getattr(errors, kind, None)
    known = isinstance(found, type) and issubclass(found, CopilotError)
    error = CopilotError.__new__(found if known else ToolError)
    CopilotError.__init__(error, clean_text(message, 1000), clean_text(hint, 1000))  # children take other arguments
    return error


def _environment(folder: Path, pass_env: Sequence[str], isolated: bool) -> dict[str, str]:
    names = sandbox.ENV if isolated else (*PASSED_ENV, *pass_env)
    env = {name: os.environ[name] for name in names if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    if root not in site.getsitepackages():  # a checkout that may not be installed
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")]))
    own = ("TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", *(("HOME", "MLOPS_COPILOT_HOME") if isolated else ()))
    env.update(dict.fromkeys(own, str(folder)))  # removed with it, whatever ends the child
    if isolated:
        env["LOGNAME"] = "nobody"  # PyTorch asks for it, and would look into the list of users
    return {**env, _MARK: "1", "MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}


def _main(scratch: Path, parent: int) -> None:
    """The child's side: read the task, run it, leave the answer in the scratch folder."""
    _bind_to_parent(parent)
    no_telemetry()
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to stderr; stdout carries progress alone

    def progress(fraction: float, text: str) -> None:
        lines.write(json.dumps([fraction, clean_text(text)]) + "\n")
        lines.flush()

    task = json.load(sys.stdin)
    if limits := task["isolation"]:
        sandbox.enter(scratch, limits["read"], limits["home"])
    try:
        answer = {"result": _function(task["target"])(task["payload"], progress)}
    except CopilotError as error:
        answer = {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
    partial = scratch / f"{_RESULT}.part"
    partial.write_text(json.dumps(answer), encoding="utf-8")
    partial.replace(scratch / _RESULT)


def _function(target: str) -> Callable[[dict[str, Any], Progress], dict[str, Any]]:
    module, _, name = target.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if getattr(found, "__module__", None) != module:  # an import of something else's
        raise InputError(f"{target!r} is not a function of this package.", "Name it as copilot.module:function.")
    return found


def _bind_to_parent(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # keeps detached grandchildren in the tree that is watched
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stderr.flush()
    os._exit(0)  # the answer is written; taking PyTorch down in order would take seconds more
