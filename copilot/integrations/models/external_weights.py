"""All the files that a model consists of, found without loading it: ONNX may keep weights beside the graph."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from copilot.integrations.models.spec import ModelFiles

_USUAL_ENDINGS = (".data", ".onnx_data", ".bin", ".weight", ".weights")
# Fields of messages that lead to tensors, by number, and the message in each: onnx.proto of ONNX.
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2  # of an entry of TensorProto.external_data
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5  # wire types of protobuf


def files_of(files: ModelFiles) -> list[Path]:
    """All files that a model consists of, which is what a process has to read to load it, and what tells it apart.

    Returns
    -------
    list of Path
        The model's folder; or its file and, for ONNX, the files beside or below it that the graph names for weights.
        Of a graph that cannot be read, the files beside it that are called like it and end as weights do.
    """
    path = Path(files.path)
    if path.suffix != ".onnx" or not path.is_file():
        return [path]
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            beside = {found for location in _locations(content) if (found := _beside(path, location))}
    except (OSError, ValueError, IndexError):
        beside = {p for p in path.parent.iterdir() if _is_called_like(p, path)}
    return [path, *sorted(beside - {path})]


def _beside(path: Path, location: str) -> Path | None:
    """The file of a location; None where it leads out of the folder or nowhere, which loading refuses."""
    try:
        found = (path.parent / location).resolve()
        return found if found.is_relative_to(path.parent.resolve()) and found.is_file() else None
    except (OSError, ValueError):
        return None


def _is_called_like(other: Path, path: Path) -> bool:
    return other.name.startswith(path.stem) and other.name.endswith(_USUAL_ENDINGS) and other.is_file()


def _locations(content: mmap.mmap) -> Iterator[str]:
    """Where the tensors of an ONNX model lie outside of it."""
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        if kind == "entry":
            entry = {number: content[a:b] for number, a, b in _sized(content, start, end)}
            if entry.get(_KEY) == b"location":
                yield entry.get(_VALUE, b"").decode("utf-8")
            continue
        inner = _FIELDS[kind]
        waiting += [(inner[number], a, b) for number, a, b in _sized(content, start, end) if number in inner]


def _sized(content: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a message that holds text, bytes or a message."""
    while at < end:
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            at = _varint(content, at)[1]
        elif kind == _SIZED:
            size, at = _varint(content, at)
            if at + size > end:
                raise ValueError("a field that is cut off")
            yield tag >> 3, at, at + size
            at += size
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that is too long")
