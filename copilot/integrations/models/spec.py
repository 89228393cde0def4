"""What a stored model says about itself: where its weights lie, which images it takes, what it gives. Loads nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from copilot.core.findings import Document
from copilot.errors import InputError, NotFoundError
from copilot.utils.validators import clean_text

WEIGHTS = (".pt2", ".pt", ".pth")
_CARD_BYTES = 5_000_000

# Names that training scripts use for one thing, in metadata of the model and in parameters of its run.
_NAMES = {
    "size": ("image_size", "img_size", "imgsz", "input_size", "image_shape"),
    "height": ("image_height", "img_height", "input_height"),
    "width": ("image_width", "img_width", "input_width"),
    "channels": ("channels", "in_channels", "input_channels", "image_channels", "num_channels", "n_channels"),
    "classes": ("classes", "num_classes", "n_classes", "num_labels"),
    "class_names": ("class_names", "classes", "labels"),
    "mean": ("image_mean", "normalize_mean", "pixel_mean", "mean"),
    "std": ("image_std", "normalize_std", "pixel_std", "std"),
    "scale": ("rescale_factor", "pixel_scale", "rescale", "scale"),
    "range": ("pixel_range", "input_range"),
    "layout": ("layout", "data_format"),
    "output": ("output", "output_type"),
}
_LAYOUTS = {"nchw": "NCHW", "channels_first": "NCHW", "nhwc": "NHWC", "channels_last": "NHWC"}
_OUTPUTS = {"logits": "logits", "probabilities": "probabilities", "softmax": "probabilities"}


class ModelFiles(Document):
    """A model on this machine.

    ``path`` is its folder or file, ``uri`` what the person asked for, ``params`` are those of the run that made it.
    """

    uri: str
    path: str
    params: dict[str, str] = Field(default_factory=dict)


class InputSpec(Document):
    """The images that a model takes and what it gives; None means that nothing says so.

    A pixel value v from 0 to 255 becomes ``(v * scale - mean) / std``.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1 / 255
    dtype: Literal["float32", "uint8"] = "float32"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    output: Literal["logits", "probabilities"] | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels, if both are known."""
        return (self.height, self.width) if self.height and self.width else None


def model_card(files: ModelFiles) -> dict[str, Any]:
    """The ``MLmodel`` file of a model folder; empty if there is none."""
    card = Path(files.path) / "MLmodel"
    if not card.is_file():
        return {}
    if card.stat().st_size > _CARD_BYTES:
        raise InputError(f"The MLmodel file of {clean_text(files.uri)} is too large.", "Log the model again.")
    try:
        content = yaml.safe_load(card.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"The MLmodel file of {clean_text(files.uri)} is not YAML.", "Log the model again.") from error
    return content if isinstance(content, dict) else {}


def weights_file(files: ModelFiles) -> Path:
    """The file that holds the PyTorch model.

    Raises
    ------
    NotFoundError
        There is no such file.
    InputError
        The model was logged with another framework.
    """
    path = Path(files.path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise NotFoundError(f"There is no model at {clean_text(path)}.", "Check the path.")
    flavors = _mapping(model_card(files).get("flavors"))
    if flavors and "pytorch" not in flavors:
        known = clean_text(", ".join(map(str, flavors)), 80)
        raise InputError(
            f"{clean_text(files.uri)} was logged as {known}; only PyTorch models can be checked.",
            "Log it with mlflow.pytorch.log_model.",
        )
    data = _mapping(flavors.get("pytorch")).get("model_data", "")
    folder = (path / str(data)).resolve()
    if not folder.is_relative_to(path.resolve()):
        raise InputError(f"{clean_text(files.uri)} points outside its own folder.", "Log the model again.")
    found = sorted(file for file in folder.glob("*") if file.suffix in WEIGHTS and file.is_file())
    if len(found) != 1:
        what = "no PyTorch model file" if not found else f"{len(found)} model files"
        raise NotFoundError(f"{clean_text(files.uri)} holds {what}.", "Name the .pt2 or .pt file itself.")
    return found[0]


def read_spec(files: ModelFiles, shape: list[int] | None = None) -> InputSpec:
    """What the model's signature, its metadata and its run's parameters say, in this order of trust.

    Parameters
    ----------
    shape : list of int, optional
        Shape of the input that the loaded program asks for, -1 where it may vary.

    Raises
    ------
    InputError
        Mean or standard deviation do not fit the channels.
    """
    card = model_card(files)
    said = _said([_mapping(card.get("metadata")), files.params])
    told = {**said, **_from_shape(shape or []), **_from_signature(_mapping(card.get("signature")))}
    if told.get("dtype") == "uint8":
        told.setdefault("scale", 1.0)
    spec = InputSpec(**told)
    if any(len(v) not in (1, spec.channels or len(v)) for v in (spec.mean, spec.std)) or 0 in spec.std:
        raise InputError(
            f"Mean and standard deviation of {clean_text(files.uri)} do not fit {spec.channels} channels.",
            "Log one number, or one for each channel.",
        )
    return spec


def _said(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of an `InputSpec` that people wrote down, the first source that has one winning."""
    found: dict[str, Any] = {}
    for source in sources:
        plain = {re.sub(r"[^a-z0-9]+", "_", str(key).lower()): value for key, value in source.items()}
        for field, names in _NAMES.items():
            if (value := next((plain[name] for name in names if name in plain), None)) is not None:
                for key, item in _READERS[field](value).items():
                    found.setdefault(key, item)
    return found


def _from_signature(signature: Mapping[str, Any]) -> dict[str, Any]:
    inputs, outputs = (_tensor(signature.get(side)) for side in ("inputs", "outputs"))
    found: dict[str, Any] = {}
    if inputs:
        found = {**_from_shape(inputs[1]), "dtype": "uint8" if inputs[0] == "uint8" else "float32"}
    if outputs and len(outputs[1]) == 2 and outputs[1][1] > 0:
        found["classes"] = outputs[1][1]
    return found


def _from_shape(shape: list[int]) -> dict[str, Any]:
    if len(shape) != 4:
        return {}
    layout = "NHWC" if shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4) else "NCHW"
    sides = ("height", "width", "channels") if layout == "NHWC" else ("channels", "height", "width")
    return {"layout": layout} | {side: n for side, n in zip(sides, shape[1:], strict=True) if n > 0}


def _tensor(text: Any) -> tuple[str, list[int]] | None:
    """Type and shape of the only tensor of one side of a signature."""
    try:
        (tensor,) = json.loads(text)
        shape = tensor["tensor-spec"]["shape"]
        return str(tensor["tensor-spec"]["dtype"]), [int(n) for n in shape]
    except (TypeError, ValueError, KeyError, OverflowError):
        return None


def _numbers(value: Any) -> list[float]:
    """Numbers in a value that may be a list, a number, or text such as "[0.5, 0.5]", "32x32" and "0.5"."""
    words = value if isinstance(value, list | tuple) else re.findall(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", str(value))
    try:
        numbers = [float(word) for word in words]
    except (TypeError, ValueError):
        return []
    return numbers if len(numbers) <= 16 and all(map(math.isfinite, numbers)) else []


def _count(name: str):
    def read(value: Any) -> dict[str, Any]:
        numbers = [] if isinstance(value, list | tuple | bool) else _numbers(value)
        return {name: int(numbers[0])} if len(numbers) == 1 and 1 <= numbers[0] <= 1_000_000 else {}

    return read


def _sizes(value: Any) -> dict[str, Any]:
    numbers = [int(n) for n in _numbers(value) if 1 <= n <= 100_000]
    channels = {n for n in numbers if n in (1, 3, 4)} if len(numbers) == 3 else set()
    sides = [n for n in numbers if n not in channels] if channels else numbers
    return {"height": sides[0], "width": sides[-1]} if 1 <= len(sides) <= 2 else {}


def _vector(name: str):
    def read(value: Any) -> dict[str, Any]:
        numbers = _numbers(value)
        return {name: tuple(numbers)} if len(numbers) in (1, 3, 4) else {}

    return read


def _scale(value: Any) -> dict[str, Any]:
    numbers = _numbers(value)
    known = {1.0: 1.0, 255.0: 1 / 255}
    small = len(numbers) == 1 and math.isclose(numbers[0], 1 / 255, rel_tol=0.01)
    return {"scale": 1 / 255} if small else {"scale": known[numbers[0]]} if numbers and numbers[0] in known else {}


def _range(value: Any) -> dict[str, Any]:
    """From "0..1", "0-255" or [-1, 1]: the scale, and for another lower end the mean and std that give it."""
    numbers = _numbers(value if not isinstance(value, str) else re.sub(r"\.\.+|(?<=\d)\s*-\s*(?=\d)", " ", value))
    known = {(0, 1): {"scale": 1 / 255}, (0, 255): {"scale": 1.0}}
    return known.get(tuple(numbers), {"mean": (0.5,), "std": (0.5,)} if numbers == [-1, 1] else {})


def _class_names(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.strip().startswith("["):
        value = _list_in(value)
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value, key=lambda key: (len(str(key)), str(key)))]
    if not isinstance(value, list | tuple) or not value:
        return {}
    return {"class_names": tuple(clean_text(name, 80) for name in value), "classes": len(value)}


def _list_in(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return None


def _word(name: str, known: Mapping[str, str]):
    def read(value: Any) -> dict[str, Any]:
        word = known.get(str(value).strip().lower())
        return {name: word} if word else {}

    return read


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_READERS = {
    "size": _sizes,
    "height": _count("height"),
    "width": _count("width"),
    "channels": _count("channels"),
    "classes": _count("classes"),
    "class_names": _class_names,
    "mean": _vector("mean"),
    "std": _vector("std"),
    "scale": _scale,
    "range": _range,
    "layout": _word("layout", _LAYOUTS),
    "output": _word("output", _OUTPUTS),
}
