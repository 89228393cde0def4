"""How much of the disk a scratch folder holds, as if its owner meant harm: removed files that are still open count."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

MAX_BYTES = 2_000_000_000
MAX_ENTRIES = 100_000
_BLOCK = 512  # st_blocks counts these, see stat(2)


def too_full(scratch: Path, pids: Iterable[int]) -> str | None:
    """What of a scratch folder is more than agreed, in words; None if all is well.

    Parameters
    ----------
    scratch : Path
        Resolved.
    pids : iterable of int
        Processes that write in it. What they removed and still hold open or mapped is counted too (Linux).
    """
    used = _Used()
    if not used.add_folder(scratch):
        return f"{MAX_ENTRIES:,} files"
    for pid in pids:
        used.add_removed(pid, str(scratch))
    return f"{MAX_BYTES / 1e9:g} GB" if sum(used.bytes.values()) > MAX_BYTES else None


class _Used:
    """Bytes of each file once, whatever leads to it."""

    def __init__(self) -> None:
        self.bytes: dict[int, int] = {}
        self._entries = 0

    def add_folder(self, folder: Path) -> bool:
        """False where it holds too many entries; links are not followed."""
        waiting = [str(folder)]
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > MAX_ENTRIES:
                        return False
                    with contextlib.suppress(OSError):
                        self._add(entry.stat(follow_symlinks=False))
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
        return True

    def add_removed(self, pid: int, scratch: str) -> None:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    about = entry.stat()
                    if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                        self._add(about)
        with (
            contextlib.suppress(OSError, ValueError),
            open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps,
        ):
            for line in maps:
                if line.endswith("(deleted)\n") and f" {scratch}/" in line:
                    span, _, _, _, number, _ = line.split(maxsplit=5)
                    start, end = (int(value, 16) for value in span.split("-"))
                    self.bytes[int(number)] = max(self.bytes.get(int(number), 0), end - start)

    def _add(self, about: os.stat_result) -> None:
        size = getattr(about, "st_blocks", -(-about.st_size // _BLOCK)) * _BLOCK  # Windows has no blocks
        self.bytes[about.st_ino] = max(self.bytes.get(about.st_ino, 0), size)
