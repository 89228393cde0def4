"""The words by which people say what a model takes, in its metadata, its run's parameters and the settings, and how
each is read."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from copilot.errors import ConfigError
from copilot.utils.validators import clean_text

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
    "task": ("task", "task_type"),
    "resize": ("resize", "resize_mode"),
    "background": ("background",),
    "architecture": ("architecture", "arch", "model_name", "backbone", "model"),
}
# In the parameters of a run these may stand for something else: scale of an augmentation, std of first weights, ...
_AMBIGUOUS = frozenset({"mean", "std", "scale", "output", "resize", "labels", "background"})
_CHANNELS = (1, 3, 4)  # any other number is that of a network's inner channels
_LAYOUTS = {"nchw": "NCHW", "channels_first": "NCHW", "nhwc": "NHWC", "channels_last": "NHWC"}
_OUTPUTS = {"logits": "logits", "probabilities": "probabilities", "softmax": "probabilities"}

_TASKS = {
    **dict.fromkeys(("classification", "classify", "image_classification"), "classification"),
    **dict.fromkeys(("detection", "detect", "object_detection"), "detection"),
    **dict.fromkeys(("segmentation", "segment", "semantic_segmentation"), "segmentation"),
}
_RESIZES = {"stretch": "stretch", "letterbox": "letterbox", "pad": "letterbox"}


def overrides(preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an `InputSpec` from the settings.

    Raises
    ------
    ConfigError
        An unknown key, with the nearest known one, or a value that cannot be read.
    """
    found: dict[str, Any] = {}
    for key, value in preprocessing.items():
        if key not in PREPROCESSING:
            near = difflib.get_close_matches(str(key).lower(), PREPROCESSING, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"models.preprocessing has no key {clean_text(key, 60)!r}.",
                f"{hint}Keys: {', '.join(PREPROCESSING)}.",
            )
        if not (read := _READERS[PREPROCESSING[key]](value)):
            raise ConfigError(
                f"models.preprocessing.{key} cannot be read: {clean_text(value, 60)!r}.", f"Such as {_SUCH_AS[key]}."
            )
        found |= read
    return found


def said(metadata: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """The fields of an `InputSpec` that a model's metadata tell, and the name by which each is told."""
    return _said(metadata, _NAMES)


def said_by_run(params: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """The same of the parameters of a run, where short names count for nothing: they may mean anything."""
    clear = {field: tuple(n for n in names if n not in _AMBIGUOUS) for field, names in _NAMES.items()}
    found = _said(params, clear)
    if "channels" in found and found["channels"][0] not in _CHANNELS:
        del found["channels"]
    return found


def _said(source: Mapping[str, Any], known: Mapping[str, Iterable[str]]) -> dict[str, tuple[Any, str]]:
    plain = {re.sub(r"[^a-z0-9]+", "_", str(key).lower()): value for key, value in source.items()}
    found: dict[str, tuple[Any, str]] = {}
    for field, names in known.items():
        if (name := next((n for n in names if plain.get(n) is not None), None)) is not None:
            for key, item in _READERS[field](plain[name]).items():
                found.setdefault(key, (item, name))
    return found


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


def _yes_or_no(value: Any) -> dict[str, Any]:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    word = str(value).strip().lower()
    return {"background": known[word]} if word in known else {}


def _name(value: Any) -> dict[str, Any]:
    found = re.fullmatch(r"[A-Za-z][\w.\- ]{1,60}", value.strip()) if isinstance(value, str) else None
    return {"architecture": found[0]} if found else {}


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
    "task": _word("task", _TASKS),
    "resize": _word("resize", _RESIZES),
    "background": _yes_or_no,
    "architecture": _name,
}
_SUCH_AS = {
    "image_size": "224 or [224, 320]",
    "channels": "3",
    "mean": "[0.485, 0.456, 0.406]",
    "std": "[0.229, 0.224, 0.225]",
    "range": "0..1, 0..255 or -1..1",
    "layout": "NCHW or NHWC",
    "resize": "stretch or letterbox",
    "task": "classification, detection or segmentation",
    "class_names": "[cat, dog]",
    "classes": "10",
    "background": "true",
    "output": "logits or probabilities",
}
PREPROCESSING = {key: {"image_size": "size"}.get(key, key) for key in _SUCH_AS}
