"""Landlock by its kernel calls: what a process may still open. See landlock(7); works without any privilege."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_NEEDED = 3  # the first version that can forbid truncating and linking out of a folder

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(1, 6))
_MAKE_DIR, _MAKE_REG, _MAKE_SYM, _REFER, _TRUNCATE, _IOCTL = 1 << 7, 1 << 8, 1 << 12, 1 << 13, 1 << 14, 1 << 15
_ALL = {3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by the version that brought the last of them
_NETWORK, _SCOPES = {4: 3}, {6: 3}  # TCP bind and connect; abstract sockets and signals outside the domain

READ = _READ_FILE | _READ_DIR
OWN = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
USE = _READ_FILE | _WRITE_FILE | _IOCTL  # a device
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """Version of Landlock that the kernel offers; 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)))


def missing() -> str | None:
    """What keeps this machine from restricting files; None if nothing does."""
    found = version()
    if found == 0:
        return "the kernel offers no Landlock (Linux 6.2 or later, enabled at boot)"
    return f"the kernel's Landlock is of version {found}, {_NEEDED} is needed (Linux 6.2)" if found < _NEEDED else None


def restrict(rules: Iterable[tuple[Path, int]]) -> None:
    """Forbid this thread and all that it starts to open anything but `rules`; there is no way back.

    Parameters
    ----------
    rules : iterable of (Path, int)
        A file or folder, with all beneath it, and ``READ``, ``OWN`` or ``USE``. What is not there is passed over.

    Raises
    ------
    OSError
        The kernel refuses.
    """
    found = version()
    known = _newest(_ALL, found)
    wanted = _Ruleset(known, _newest(_NETWORK, found), _newest(_SCOPES, found))
    size = 24 if found >= 6 else 16 if found >= 4 else 8
    ruleset = _call(_CREATE, ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path, allowed in rules:
            _allow(ruleset, path, allowed & known)
        _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not for this user: then there is nothing to allow
        return
    try:
        rule = _Beneath(allowed if path.is_dir() else allowed & _OF_FILES, target)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(target)


def _newest(by_version: dict[int, int], found: int) -> int:
    return next((value for number, value in sorted(by_version.items(), reverse=True) if number <= found), 0)


def _call(number: int, *values: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = libc.syscall(ctypes.c_long(number), *values)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return answer
