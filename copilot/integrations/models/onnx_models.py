"""Load ONNX models with ONNX Runtime, on the GPU if there is one. No library of custom operators is ever loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.external_data_helper import ExternalDataInfo

from copilot.errors import InputError
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text

no_telemetry()  # before ONNX Runtime is imported, which starts it

import onnxruntime  # noqa: E402

MAX_BYTES = 4 * 1024**3
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_OPERATORS_OUT = frozenset({"EPContext", "PyOp", "PythonOp", "PyCustomOp"})  # these hold compiled code, or name it
_TYPES = {"float": "float32", "float16": "float16", "double": "float64", "uint8": "uint8"}


class OnnxModel:
    """An ONNX model in memory: call it with one batch.

    Attributes
    ----------
    shape : list of int
        Shape of its input, -1 where it may vary.
    dtype : str
        Type of its input, as NumPy names it.
    device : str
        Where ONNX Runtime runs it: ``cuda`` or ``cpu``; it falls back to the latter by itself.
    """

    def __init__(self, session: onnxruntime.InferenceSession, shown: str) -> None:
        inputs = session.get_inputs()
        if len(inputs) != 1:
            raise InputError(f"{shown} takes {len(inputs)} inputs, not one batch of images.", "Export it with one.")
        kind = inputs[0].type.removeprefix("tensor(").removesuffix(")")
        if kind not in _TYPES:
            raise InputError(
                f"{shown} takes values of type {clean_text(inputs[0].type, 40)}.", "Export it for float32."
            )
        self.dtype = _TYPES[kind]
        self.shape = [n if isinstance(n, int) and n > 0 else -1 for n in inputs[0].shape]
        self._input = inputs[0].name
        self._session = session
        self.device = "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """What the model gives for a batch, by the names of its outputs."""
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(None, {self._input: batch}), strict=True))


def load_onnx(file: Path, root: Path, device: str = "cpu", *, threads: int = 0) -> OnnxModel:
    """Load an ONNX file.

    Parameters
    ----------
    file : Path
    root : Path
        The model's folder: weights in files of their own must lie in it.
    device : {"cpu", "cuda"}
        Wanted; ``OnnxModel.device`` tells which it is.
    threads : int, default 0
        That compute one operator; 0 leaves it to ONNX Runtime, which takes all cores.

    Raises
    ------
    InputError
        It is no ONNX model, its weights lie outside its folder, or an operator is not known.
    """
    shown = clean_text(file.name)
    _check(file, root.resolve(), shown)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its warnings are for whoever builds it
    options.intra_op_num_threads = threads
    known = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
    providers = [name for name in (*wanted, "CPUExecutionProvider") if name in known]
    try:
        session = onnxruntime.InferenceSession(str(file.resolve()), options, providers=providers)
    except Exception as error:  # its exceptions share no base
        reason = clean_text((str(error).splitlines() or [type(error).__name__])[0])
        raise InputError(f"{shown} cannot be loaded: {reason}", "Export the model to ONNX again.") from error
    return OnnxModel(session, shown)


def _check(file: Path, root: Path, shown: str) -> None:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{shown} is larger than {MAX_BYTES / 1024**3:g} GB.", "Check a smaller model.")
        model = onnx.load(str(file), load_external_data=False)
    except InputError:
        raise
    except Exception as error:  # protobuf's own errors
        raise InputError(f"{shown} is not an ONNX model.", "Export the model to ONNX again.") from error
    parts = list(_parts(model))
    tensors = [part for part in parts if isinstance(part, onnx.TensorProto)]
    outside = [tensor for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL]
    places = {ExternalDataInfo(tensor).location for tensor in outside}
    if file.stat().st_size + sum(_external(place, file, root, shown) for place in places) > MAX_BYTES:
        raise InputError(f"{shown} is larger than {MAX_BYTES / 1024**3:g} GB.", "Check a smaller model.")
    known = _DOMAINS | {function.domain for function in model.functions}
    for node in parts:
        if isinstance(node, onnx.NodeProto) and (node.domain not in known or node.op_type in _OPERATORS_OUT):
            name = clean_text(f"{node.domain}::{node.op_type}", 60)
            raise InputError(f"{shown} needs the operator {name}, which is not one of ONNX.", "Export it without.")


def _parts(message: Any) -> Iterator[Any]:
    """All that a model is made of, the bodies of If, Loop and Scan and of functions included."""
    yield message
    if isinstance(message, onnx.TensorProto):  # its numbers would be copied
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _parts(part)


def _external(location: str, file: Path, root: Path, shown: str) -> int:
    """Bytes of a file of weights."""
    path = (file.parent / location).resolve()
    if Path(location).is_absolute() or not path.is_relative_to(root):
        raise InputError(
            f"{shown} keeps weights outside its own folder: {clean_text(location, 80)}.", "Save the model again."
        )
    if not path.is_file():
        raise InputError(f"{shown} keeps weights in {clean_text(location, 80)}, which is missing.", "Bring it along.")
    return path.stat().st_size
