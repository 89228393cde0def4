"""Zip archives from strangers: copied record by record, so that what is loaded is what was looked at."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from copilot.errors import InputError
from copilot.utils.validators import clean_text

MAX_BYTES = 4 * 1024**3
_MAX_RECORDS = 100_000
_MAX_RATIO, _SMALL = 200, 10_000_000  # weights hardly shrink; a record that shrinks so much only fills the memory
BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
)


def rewritten(path: Path, kind: str, clean: Callable[[str, bytes], bytes | None]) -> io.BytesIO:
    """A copy of an archive in memory.

    Parameters
    ----------
    path : Path
    kind : str
        What the file should be, for the message.
    clean : callable
        Gets a record's name and content, gives what is kept of it, or None for nothing; raises ``InputError``.

    Raises
    ------
    InputError
        It is no whole archive, too large, holds a record twice, or `clean` refuses a record.
    """
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as kept:
            for record in within_limits(path, archive):
                content = clean(record.filename, archive.read(record))
                if content is not None:
                    kept.writestr(record.filename, content)
    except (*BROKEN, RecursionError) as error:
        reason = clean_text(error, 120)
        raise InputError(f"{clean_text(path.name)} is not a whole {kind}: {reason}.", "Save it again.") from error
    copy.seek(0)
    return copy


def within_limits(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The records of an archive.

    Raises
    ------
    InputError
        Unpacked they are too large or too many, or two have one name.
    BadZipFile
        It does not begin with a record: of an archive that is cut off, one inside it may have been found.
    """
    records, name = archive.infolist(), clean_text(path.name)
    if records and min(record.header_offset for record in records) != 0:
        raise zipfile.BadZipFile("its end is missing")
    if sum(record.file_size for record in records) > MAX_BYTES or len(records) > _MAX_RECORDS:
        raise InputError(f"{name} is larger than {MAX_BYTES / 1024**3:g} GB.", "Check a smaller model.")
    if any(r.file_size > max(_SMALL, _MAX_RATIO * r.compress_size) for r in records):
        raise InputError(f"{name} holds a record that unpacks to far more than it is.", "Save the model again.")
    if len({record.filename for record in records}) != len(records):
        raise InputError(f"{name} is not loaded, because it holds a record twice.", "Save the model again.")
    return records
