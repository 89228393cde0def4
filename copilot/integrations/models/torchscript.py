"""Load TorchScript. It cannot run Python, but it can do harm: some operators write and read files, call other machines
or take addresses of memory, and ``__setstate__`` runs when the file is loaded.

So the words of its code are looked at before it is loaded (there is no way to spell an operator's name otherwise), and
every operator of every method afterwards, before anything of it runs. What is loaded is the copy that was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from copilot.errors import InputError
from copilot.integrations.models.archives import rewritten
from copilot.utils.validators import clean_text

_KEPT = re.compile(
    r"[^/]+/(data\.pkl|constants\.pkl|version|byteorder|\.data/serialization_id|\.data/version"
    r"|(data|constants)/[\w.]+|code/[\w./]+\.py)"
)
_DROPPED = re.compile(
    r"[^/]+/(code/.*\.debug_pkl|traced_inputs\.pkl|traced_inputs/\d+|extra/.*|\.format_version|\.storage_alignment)"
)
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_FORBIDDEN = {
    *(b"save", b"from_file", b"data_ptr", b"load_tensor", b"set_", b"resize_storage_bytes_"),
    *(b"__setstate__", b"__getstate__", b"getattr", b"rpc_async", b"rpc_sync", b"rpc_remote"),
}  # fmt: skip
_NUMBERED = re.compile(rb'\bgetattr\(([\w.]+), "(\w+)"\)')  # how parts with a number for a name are written
_CLASSES = re.compile(rb"torch\s*\.\s*classes")
_OPERATOR = re.compile(
    r"aten::(?!(save|from_file|set_|data_ptr|set_data)$)\w+|prim::(?!rpc_|PythonOp$|CallMethod$|CallFunction$)\w+"
    r"|(torchvision|quantized)::\w+"
)


def load_torchscript(file: Path) -> torch.jit.ScriptModule:
    """The module in a TorchScript file.

    Raises
    ------
    InputError
        The file is no TorchScript, or its code could do more than compute.
    """

    def clean(name: str, content: bytes) -> bytes | None:
        if _DROPPED.fullmatch(name):
            return None
        if not _KEPT.fullmatch(name):
            raise _refused(file, f"it holds {clean_text(name, 80)}")
        if name.endswith((".py", ".pkl")) and _CLASSES.search(content):
            raise _refused(file, "it holds objects that are not tensors")
        if name.endswith(".py") and (words := _FORBIDDEN & set(_WORD.findall(_plain(content)))):
            raise _refused(file, f"its code says {min(words).decode()!r}")
        return content

    module = torch.jit.load(rewritten(file, "TorchScript archive", clean), map_location="cpu")
    for operator in sorted(set(_operators(module))):
        if not _OPERATOR.fullmatch(operator):
            raise _refused(file, f"it calls {clean_text(operator, 60)!r}")
    return module


def _plain(code: bytes) -> bytes:
    """The code with ``getattr(self.layers, "0")`` written as ``self.layers.0``; other forms stay, and are refused."""
    found = 1
    while found:
        code, found = _NUMBERED.subn(rb"\1.\2", code)
    return code


def takes_list(module: torch.jit.ScriptModule) -> bool:
    """True if it takes a list of images instead of a batch, as detectors of torchvision do."""
    arguments = module.forward.schema.arguments
    return len(arguments) > 1 and str(arguments[1].type).startswith("List[")


def _operators(module: torch.jit.ScriptModule) -> Iterator[str]:
    for part in (module, *module.modules()):
        for name in part._c._method_names():
            yield from _of_block(part._c._get_method(name).inlined_graph)


def _of_block(block: Any) -> Iterator[str]:
    for node in block.nodes():
        yield node.kind()
        if any("torch.classes" in str(value.type()) for value in node.outputs()):
            yield "torch.classes"
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                yield from _of_block(node.g(name))
        for inner in node.blocks():
            yield from _of_block(inner)


def _refused(file: Path, why: str) -> InputError:
    return InputError(
        f"{clean_text(file.name)} is not loaded, because it could do more than compute: {why}.",
        "Log the model again with mlflow.pytorch.log_model(..., serialization_format='pt2'), or save it as ONNX.",
    )
