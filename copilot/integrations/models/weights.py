"""Weights without their network (safetensors, ``state_dict`` files): put into a network of torchvision by name.

Nothing is unpickled but tensors (``torch.load(weights_only=True)``) and nothing is downloaded.
"""

from __future__ import annotations

import difflib
import inspect
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn
from torch.overrides import TorchFunctionMode

from copilot.errors import InputError
from copilot.integrations.models.archives import MAX_BYTES, within_limits
from copilot.integrations.models.forms import NotWholeError, holds_only_tensors
from copilot.utils.validators import clean_text

HELD_IN = ("state_dict", "model_state_dict", "model", "ema", "model_ema", "state_dict_ema", "net", "weights")
_PREFIX = re.compile(r"^(?:(?:module|model|_orig_mod)\.)+")
_FAMILIES = {"detection": torchvision.models.detection, "segmentation": torchvision.models.segmentation}
_VARIANTS: tuple[dict[str, Any], ...] = ({}, {"aux_logits": False}, {"aux_loss": True})
_DRAWS = frozenset({"normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_"})
_PROBES = (11, 12)  # two numbers of classes: what differs between the networks depends on it

Weights = dict[str, torch.Tensor]


def read_weights(file: Path) -> Weights | None:
    """Tensors by name from a safetensors or PyTorch file; None if the file can only be unpickled.

    Raises
    ------
    InputError
        It is damaged, no such file, too large, or holds no weights.
    """
    shown = clean_text(file.name)
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{shown} is larger than {MAX_BYTES / 1024**3:g} GB.", "Check a smaller model.")
    if file.suffix == ".safetensors":
        return _from_safetensors(file, shown)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            within_limits(file, archive)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle of something else, or of a file that is cut off: PyTorch raises many kinds
        if (reason := _damage(file, error)) is None:
            return None
        raise InputError(f"{shown} is damaged, or no file of PyTorch: {reason}.", "Save or copy it again.") from error
    weights = _tensors(content)
    if weights is None:
        raise InputError(
            f"{shown} holds no weights by name: {clean_text(type(content).__name__, 40)}.",
            f"Save the state_dict itself, or a checkpoint that keeps it as {HELD_IN[0]}.",
        )
    return weights


def _damage(file: Path, error: Exception) -> str | None:
    """Why a file cannot be read; None if only unpickling it was refused."""
    try:
        if not holds_only_tensors(file):
            return None
    except NotWholeError as why:
        return str(why)
    return clean_text((str(error).splitlines() or [type(error).__name__])[0], 120).rstrip(".")


def _from_safetensors(file: Path, shown: str) -> Weights:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _stripped(load_file(file))
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{shown} is no safetensors file: {clean_text(error, 120)}.", "Save it again.") from error


def _tensors(content: Any) -> Weights | None:
    """The weights in a checkpoint, wherever it keeps them."""
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        return _stripped(content)
    for name in HELD_IN:
        if isinstance(content.get(name), Mapping) and (found := _tensors(content[name])):
            return found
    return None


def _stripped(weights: Mapping[str, torch.Tensor]) -> Weights:
    return {_PREFIX.sub("", str(name)): value for name, value in weights.items()}


def build(architecture: str, weights: Weights) -> tuple[nn.Module, str]:
    """The network of torchvision with these weights, and its task.

    Parameters
    ----------
    architecture : str
        A name of ``torchvision.models.list_models()``, such as ``resnet18``.
    weights : dict of str to Tensor
        The number of classes and of input channels is read from their shapes.

    Raises
    ------
    InputError
        There is no such network, or the weights are not its.
    """
    builder, task = _builder(architecture)
    best: tuple[list[str], nn.Module | None] | None = None
    for options in _VARIANTS:
        try:
            shapes = [_shapes(builder, classes, options) for classes in _PROBES]
            classes = _classes(shapes, weights)
            network = _made(builder, classes, options)
        except (TypeError, ValueError):  # this network does not know the option
            continue
        _fit_channels(network, weights)
        wrong = list(_differences(network.state_dict(), weights))
        if best is None or len(wrong) < len(best[0]):
            best = (wrong, network)
        if not wrong:
            network.load_state_dict(weights, strict=False)
            return network.eval(), task
    if best is None:
        raise InputError(f"{architecture} cannot be built.", "Name another network of torchvision.")
    raise InputError(
        f"The weights are not those of {architecture}: {best[0][0]} ({len(best[0])} differences).",
        "Set models.architecture to the network that was trained.",
    )


def _builder(architecture: str) -> tuple[Callable[..., nn.Module], str]:
    known = {
        name: (torchvision.models.get_model_builder(name), task)
        for task, family in (("classification", torchvision.models), *_FAMILIES.items())
        for name in torchvision.models.list_models(family)
    }
    by_letters = {_letters(name): found for name, found in known.items()}
    if found := by_letters.get(_letters(architecture)):
        return found
    near = difflib.get_close_matches(architecture.lower(), known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Set models.architecture to a name such as resnet18."
    raise InputError(f"torchvision has no network called {clean_text(architecture, 60)!r}.", hint)


def _letters(name: str) -> str:
    """ResNet-18 and resnet18 are one."""
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _made(builder: Callable[..., nn.Module], classes: int, options: dict[str, Any]) -> nn.Module:
    known = {"weights_backbone": None} if "weights_backbone" in inspect.signature(builder).parameters else {}
    if builder in (torchvision.models.googlenet, torchvision.models.inception_v3):
        known["init_weights"] = False  # its own way of drawing takes half a minute
    with _WithoutDraws():
        return builder(weights=None, num_classes=classes, **known, **options)


class _WithoutDraws(TorchFunctionMode):
    """No first weights are drawn: all are replaced, and drawing those of a large network takes seconds."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        if getattr(func, "__name__", "") in _DRAWS:
            with torch.no_grad():
                return (args[0] if args else (kwargs or {})["tensor"]).zero_()  # some draw again until they like it
        return func(*args, **(kwargs or {}))


def _shapes(builder: Callable[..., nn.Module], classes: int, options: dict[str, Any]) -> dict[str, torch.Size]:
    try:
        with torch.device("meta"):  # no memory, no numbers
            network = _made(builder, classes, options)
    except NotImplementedError:  # some compute their widths with tensors
        network = _made(builder, classes, options)
    return {name: value.shape for name, value in network.state_dict().items()}


def _classes(shapes: list[dict[str, torch.Size]], weights: Weights) -> int:
    """Number of classes that gives the weights their shapes: each such side is ``a * classes + b``."""
    low, high = _PROBES
    for name, shape in shapes[0].items():
        other, found = shapes[1].get(name, shape), weights.get(name)
        if other == shape or found is None or found.dim() != len(shape):
            continue
        side = next(i for i, (a, b) in enumerate(zip(shape, other, strict=True)) if a != b)
        slope = (other[side] - shape[side]) // (high - low)
        classes, rest = divmod(found.shape[side] - (shape[side] - slope * low), slope)
        if rest == 0 and 1 <= classes <= 100_000:
            return classes
    return 1000


def _fit_channels(network: nn.Module, weights: Weights) -> None:
    """Give the first convolution as many input channels as the weights have, such as 1 for grey images."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            found = weights.get(f"{name}.weight")
            if found is None or found.dim() != 4 or found.shape[1] == layer.in_channels or layer.groups != 1:
                return
            parent = network.get_submodule(name.rpartition(".")[0])
            kept = {k: getattr(layer, k) for k in ("kernel_size", "stride", "padding", "dilation", "padding_mode")}
            new = nn.Conv2d(found.shape[1], layer.out_channels, bias=layer.bias is not None, **kept)
            setattr(parent, name.rpartition(".")[2], new)
            return


def _differences(expected: Mapping[str, torch.Tensor], weights: Weights) -> Iterator[str]:
    """One line for each weight that is missing, of another shape, or not of the network."""
    for name, value in expected.items():
        if name not in weights:
            if not name.endswith("num_batches_tracked"):  # older files lack it
                yield f"{name} is missing"
        elif weights[name].shape != value.shape:
            yield f"{name} is of shape {tuple(weights[name].shape)}, not {tuple(value.shape)}"
    for name in weights.keys() - expected.keys():
        yield f"{clean_text(name, 80)} is not part of it"
