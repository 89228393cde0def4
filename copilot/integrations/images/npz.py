"""Arrays of a NumPy archive, one at a time and no larger than they must be; nothing in it is unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from copilot.errors import InputError, NotFoundError
from copilot.utils.validators import clean_text

MAX_BYTES = 8_000_000_000
CHUNK_BYTES = 32_000_000
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    MemoryError,
)


class Npz:
    """An ``.npz`` file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    NotFoundError
        It is not there.
    InputError
        It is no NumPy archive, or holds arrays that are not readable without pickle.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._shown = path, clean_text(path)
        if not path.is_file():
            raise NotFoundError(f"Array file not found: {self._shown}", "Pass an .npz file.")
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, np.dtype] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if member.endswith(".npy"):
                        with archive.open(member) as file:
                            shape, _, kind = _header(file)
                        self.shapes[member[:-4]], self.kinds[member[:-4]] = shape, kind
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def whole(self, key: str) -> np.ndarray:
        """An array as it is, such as labels."""
        return self.rows(key, lambda rows: rows)

    def rows(self, key: str, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """An array that `change` goes over part by part, so that floats are never held whole; uint8 is left as it is.

        An uncompressed array of uint8 is mapped from the file instead of read.
        """
        if self.kinds[key].hasobject:
            raise InputError(f"{key} in {self._shown} holds Python objects.", "Save plain arrays: they need no pickle.")
        try:
            with zipfile.ZipFile(self._path) as archive:
                info = archive.getinfo(f"{key}.npy")
                if info.compress_type == zipfile.ZIP_STORED and self.kinds[key] == np.uint8:
                    return self._mapped(info)
                with archive.open(info) as file:
                    return self._read(file, info.file_size, change)
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _mapped(self, info: zipfile.ZipInfo) -> np.ndarray:
        with open(self._path, "rb") as file:
            file.seek(info.header_offset + 26)
            name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
            file.seek(info.header_offset + 30 + name + extra)
            shape, fortran, kind = _header(file)
            order = "F" if fortran else "C"
            if min(shape, default=0) < 0 or math.prod(shape) > info.file_size:
                raise ValueError(f"an array of shape {shape} is cut off")
            if math.prod(shape) == 0:
                return np.zeros(shape, kind)
            return np.memmap(self._path, kind, "r", file.tell(), shape, order)

    def _read(self, file: BinaryIO, size: int, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        shape, fortran, kind = _header(file)
        if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize > min(size, MAX_BYTES):
            raise ValueError(f"an array of shape {shape} is too large, or cut off")
        if fortran or not shape or math.prod(shape) == 0:
            whole = np.frombuffer(_exactly(file, math.prod(shape) * kind.itemsize), kind)
            whole = whole.reshape(shape[::-1]).T if fortran else whole.reshape(shape)
            return change(whole) if kind != np.uint8 else whole
        a_row = math.prod(shape[1:]) * kind.itemsize
        step = max(1, CHUNK_BYTES // a_row)
        changed = None
        for start in range(0, shape[0], step):
            n = min(step, shape[0] - start)
            part = np.frombuffer(_exactly(file, n * a_row), kind).reshape(n, *shape[1:])
            part = change(part) if kind != np.uint8 else part
            if changed is None:
                changed = np.empty((shape[0], *part.shape[1:]), part.dtype)
            changed[start : start + n] = part
        return changed

    def _unreadable(self, error: Exception) -> InputError:
        reason = clean_text(getattr(error, "strerror", None) or error, 120).rstrip(".")
        return InputError(f"{self._shown} cannot be read: {reason}.", "Pass a file that np.savez wrote.")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) != n:
        raise EOFError("the array is cut off")
    return data
