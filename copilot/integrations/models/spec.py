"""What a stored model says about itself: where its weights lie, which images it takes, what it gives. Loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field

from copilot.core.findings import Document
from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.base import Task
from copilot.integrations.models.spec_words import overrides, said, said_by_run
from copilot.utils.validators import clean_text

WEIGHTS = (".pt2", ".pt", ".pth", ".onnx", ".safetensors")
FLAVORS = {"pytorch": "model_data", "onnx": "data"}  # of MLflow, and where each says its file is
_CARD_BYTES = 5_000_000

Dtype = Literal["float32", "float16", "float64", "uint8"]


class ModelFiles(Document):
    """A model on this machine.

    ``path`` is its folder or file, ``uri`` what the person asked for, ``params`` are those of the run that made it.
    """

    uri: str
    path: str
    params: dict[str, str] = Field(default_factory=dict)


class InputSpec(Document):
    """The images that a model takes and what it gives; None means that nothing says so.

    A pixel value v from 0 to 255 becomes ``(v * scale - mean) / std``. ``batch`` is set where the model takes exactly
    so many images at once. ``resize`` is how images of other sizes come to the model's size in detection: stretched, or
    with grey bars; ``background`` whether its class 0 stands for none, as in torchvision's detectors. ``architecture``
    names the network that bare weights belong to. ``sources`` is where each of these fields was told, in words.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1 / 255
    dtype: Dtype = "float32"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    output: Literal["logits", "probabilities"] | None = None
    task: Task = "classification"
    resize: Literal["stretch", "letterbox"] | None = None
    background: bool | None = None
    batch: int | None = None
    architecture: str | None = None
    sources: dict[str, str] = Field(default_factory=dict)

    def told(self) -> str:
        """One line of words: how pixels are prepared, which images the model takes, and where that was told."""
        count = f"{self.channels} channel{'s' if self.channels != 1 else ''}" if self.channels else ""
        images = ", ".join(filter(None, [count, f"{self.height} x {self.width}" if self.size else ""]))
        of_pixels, of_images = self._origin("scale", "mean", "std"), self._origin("channels", "height", "width")
        if not images:
            return f"{self._pixels()}, {of_pixels}; no size of images is told"
        if of_pixels == of_images:
            return f"{self._pixels()} in {images}, {of_pixels}"
        return f"{self._pixels()}, {of_pixels}; {images}, {of_images}"

    def _pixels(self) -> str:
        mean, std = (values if len(set(values)) > 1 else values[:1] for values in (self.mean, self.std))
        if len(mean) == len(std) == 1:
            low, high = (f"{(v * self.scale - mean[0]) / std[0]:.3g}" for v in (0, 255))
            return f"pixels from {low} to {high}"
        means, stds = (", ".join(f"{v:.3g}" for v in values) for values in (mean, std))
        return f"pixels from 0 to {255 * self.scale:.3g} less the mean {means}, divided by {stds}"

    def _origin(self, *fields: str) -> str:
        found = dict.fromkeys(self.sources[field] for field in fields if field in self.sources)
        return f"from {' and '.join(found)}" if found else "as nothing says otherwise"

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
    """The file that holds the model.

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
    flavor = next((name for name in FLAVORS if name in flavors), None)
    if flavors and flavor is None:
        known = clean_text(", ".join(map(str, flavors)), 80)
        raise InputError(
            f"{clean_text(files.uri)} was logged as {known}; only PyTorch and ONNX models can be checked.",
            "Log it with mlflow.pytorch.log_model or mlflow.onnx.log_model.",
        )
    data = _mapping(flavors.get(flavor)).get(FLAVORS[flavor], "") if flavor else ""
    named = (path / str(data)).resolve()
    if not named.is_relative_to(path.resolve()):
        raise InputError(f"{clean_text(files.uri)} points outside its own folder.", "Log the model again.")
    if named.is_file():
        return named
    found = sorted(file for file in named.glob("*") if file.suffix in WEIGHTS and file.is_file())
    if len(found) != 1:
        what = "no PyTorch or ONNX model file" if not found else f"{len(found)} model files"
        raise NotFoundError(f"{clean_text(files.uri)} holds {what}.", "Name the .pt2, .onnx or .pt file itself.")
    return found[0]


def read_spec(
    files: ModelFiles,
    shape: list[int] | None = None,
    *,
    dtype: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    task: Task | None = None,
) -> InputSpec:
    """What the person, the model's signature, its metadata and its run's parameters say, in this order of trust.

    Parameters
    ----------
    shape : list of int, optional
        Shape of the input that the loaded program asks for, -1 where it may vary.
    dtype : str, optional
        Type of that input, as NumPy names it.
    preprocessing : mapping, optional
        ``models.preprocessing`` of the settings.
    task : Task, optional
        What the loaded network is made for, if that is known.

    Raises
    ------
    ConfigError
        `preprocessing` has an unknown key or a value that cannot be read.
    InputError
        Mean or standard deviation do not fit the channels.
    """
    told, sources = _of_itself(files, shape or [], dtype, task)
    chosen = overrides(preprocessing or {})
    if told.get("dtype") == "uint8" and chosen.keys() & {"scale", "mean", "std"}:
        raise InputError(
            f"{clean_text(files.uri)} takes bytes from 0 to 255, but models.preprocessing sets range, mean or std.",
            "Remove them: the model scales its images itself.",
        )
    told |= chosen
    sources |= dict.fromkeys(chosen, "models.preprocessing")
    if told.get("dtype") == "uint8" and "scale" not in told:
        told["scale"], sources["scale"] = 1.0, sources["dtype"]
    spec = InputSpec(**told, sources=sources)
    if any(len(v) not in (1, spec.channels or len(v)) for v in (spec.mean, spec.std)) or 0 in spec.std:
        raise InputError(
            f"Mean and standard deviation of {clean_text(files.uri)} do not fit {spec.channels} channels.",
            "Log one number, or one for each channel.",
        )
    return spec


def _of_itself(
    files: ModelFiles, shape: list[int], dtype: str | None, task: Task | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """What everything but the person says: fields of an `InputSpec`, and where each was told."""
    card = model_card(files)
    by_run, written = said_by_run(files.params), said(_mapping(card.get("metadata")))
    told: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def take(fields: Mapping[str, Any], where: str) -> None:
        told.update(fields)
        sources.update(dict.fromkeys(fields, where))

    for key, (value, name) in by_run.items():
        take({key: value}, f"the run's parameter {name}")
    take({key: value for key, (value, _) in written.items()}, "the model's metadata")
    classes = {"classes": told.get("classes")}
    take(_from_shape(shape), "the model's input")
    take(_from_signature(_mapping(card.get("signature"))), "the model's signature")
    take({"dtype": dtype} if dtype in get_args(Dtype) else {}, "the model's input")
    take({"task": task} if task else {}, "the network")
    if told.get("task", "classification") != "classification":
        told |= classes  # a signature tells the second side of an output, whatever that is
    if len(shape) == 4 and shape[0] > 0:
        told["batch"] = shape[0]
    return told, sources


def _from_signature(signature: Mapping[str, Any]) -> dict[str, Any]:
    inputs, outputs = (_tensor(signature.get(side)) for side in ("inputs", "outputs"))
    found: dict[str, Any] = {}
    if inputs:
        found = {**_from_shape(inputs[1]), "dtype": inputs[0] if inputs[0] in get_args(Dtype) else "float32"}
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


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
