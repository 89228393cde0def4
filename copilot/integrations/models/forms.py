"""What form a model's file has, by looking at it. Nothing is loaded or run, and PyTorch is not imported."""

from __future__ import annotations

import pickletools
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from copilot.integrations.models.archives import BROKEN
from copilot.integrations.models.program_archives import could_run_code
from copilot.integrations.models.spec import ModelFiles, weights_file

_MAX_PICKLE_BYTES = 200_000_000
_ZIP_START, _OLD_MAGIC, _OLD_PICKLES = (
    b"PK\x03\x04",
    0x1950A86A20F9469CFC6C,
    4,
)  # of torch.save; see its serialization.py
_NOT_WHOLE = (*BROKEN, OSError, ArithmeticError, struct.error, MemoryError)
# What `torch.load(weights_only=True)` takes without asking and files of weights are made of; a test compares both.
_PLAIN = re.compile(
    r"collections (OrderedDict|Counter)|(__builtin__|builtins) (set|bytearray|complex)"
    r"|torch (\w+Storage|Size|Tensor|device|bool|bfloat16|u?int(8|16|32|64)|(float|complex)(32|64|128)|float16)"
    r"|torch\.storage (Typed|Untyped)Storage|torch\.nn\.parameter Parameter"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter|qtensor)"
)
_OTHER_NAMES = frozenset({"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"})  # torch.save writes none of them


class NotWholeError(ValueError):
    """A file that is cut off, or no file of PyTorch at all."""


def needs_unpickling(files: ModelFiles) -> bool:
    """Whether a model can be loaded only by unpickling, or else running, what its file holds.

    Such a model is loaded only where ``models.allow_pickle`` is on, in an isolated process. ONNX, safetensors,
    TorchScript, exported programs of plain operators and tensors, and weights are not, nor is a damaged file: all of
    these `loader.load_model` loads or refuses without isolation.

    Raises
    ------
    NotFoundError, InputError
        As `spec.weights_file`.
    """
    file = weights_file(files)
    if file.suffix in (".onnx", ".safetensors"):
        return False
    if file.suffix == ".pt2":
        return could_run_code(file)
    try:
        return not is_torchscript(file) and not holds_only_tensors(file)
    except _NOT_WHOLE:
        return False


def is_torchscript(file: Path) -> bool:
    """True for an archive with the records of TorchScript."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)


def holds_only_tensors(file: Path) -> bool:
    """Whether the pickles in a file of ``torch.save`` name nothing but tensors and plain containers.

    Raises
    ------
    NotWholeError
        It is cut off, or no such file.
    """
    try:
        if zipfile.is_zipfile(file):
            return _in_archive(file)
        with file.open("rb") as stream:
            if stream.read(len(_ZIP_START)) == _ZIP_START:
                raise NotWholeError("its archive is cut off")
            stream.seek(0)
            return _in_old_form(stream)
    except NotWholeError:
        raise
    except _NOT_WHOLE as error:
        raise NotWholeError("it cannot be read to its end") from error


def _in_archive(file: Path) -> bool:
    with zipfile.ZipFile(file) as archive:
        found = [r for r in archive.infolist() if r.filename == "data.pkl" or r.filename.endswith("/data.pkl")]
        if not found:
            raise NotWholeError("its archive holds no data.pkl")
        with archive.open(found[0]) as stream:
            return len(found) == 1 and found[0].file_size <= _MAX_PICKLE_BYTES and all(map(_is_plain, _names(stream)))


def _in_old_form(stream: IO[bytes]) -> bool:
    """Of PyTorch before 1.6: a magic number, a version, a dictionary, the object, all pickled, then the tensors."""
    first = next((value for _, value, _ in pickletools.genops(stream) if isinstance(value, int) and value > 255), None)
    if first != _OLD_MAGIC:
        return False  # a pickle of another kind
    stream.seek(0)
    return all(_is_plain(name) for _ in range(_OLD_PICKLES) for name in _names(stream))


def _names(stream: IO[bytes]) -> Iterator[str]:
    """The names that one pickle looks up, as "module name"."""
    for operation, value, _ in pickletools.genops(stream):
        if operation.name == "GLOBAL" or operation.name in _OTHER_NAMES:
            yield str(value)


def _is_plain(name: str) -> bool:
    return bool(_PLAIN.fullmatch(name))
