"""Load a model of images from whatever form it has. Nothing is unpickled unless the person allows it and the process is
isolated (`copilot.utils.sandbox`)."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from copilot.errors import CopilotError, InputError, MissingExtraError
from copilot.integrations.models.exported_programs import input_dtype, input_shape, load_exported_program
from copilot.integrations.models.forms import is_torchscript
from copilot.integrations.models.loaded import LoadedModel
from copilot.integrations.models.spec import ModelFiles, model_card, read_spec, weights_file
from copilot.integrations.models.torchscript import load_torchscript, takes_list
from copilot.utils.sandbox import isolated, isolation_available
from copilot.utils.validators import clean_text

__all__ = ["LoadedModel", "load_model"]
_AS_PT2 = "Log it with mlflow.pytorch.log_model(..., serialization_format='pt2')"


def load_model(
    model: ModelFiles | str | Path,
    *,
    tracking_uri: str | None = None,
    allow_pickle: bool = False,
    architecture: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> LoadedModel:
    """Load a model from MLflow or from a file.

    Parameters
    ----------
    model : ModelFiles, str or Path
        Files that `files.fetch_model` has fetched, or a model URI or path to fetch.
    tracking_uri : str, optional
        MLflow store to fetch from.
    allow_pickle : bool, default False
        Load pickled models too (``models.allow_pickle``). Their files can run any code, so this works only in a
        supervised child process that is isolated: ``run_supervised(..., isolation=Isolation(read=files_of(files)))``
        (`external_weights.files_of`). ``forms.needs_unpickling`` tells which models these are.
    architecture : str, optional
        ``models.architecture``: the network that bare weights belong to; default: what the model or its run says.
    preprocessing : mapping, optional
        ``models.preprocessing``: what the model takes and gives, over what it says.
    device : {"auto", "cpu", "cuda"}, default "cpu"
        ``models.device``; auto: the GPU if there is one.

    Raises
    ------
    NotFoundError
        There is no such model.
    ConfigError
        `preprocessing` has an unknown key or a value that cannot be read.
    InputError
        It is in a form that is not loaded.
    """
    if not isinstance(model, ModelFiles):
        from copilot.integrations.models.files import fetch_model

        with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as folder:
            files = fetch_model(str(model), tracking_uri=tracking_uri, folder=Path(folder))
            options = {"allow_pickle": allow_pickle, "architecture": architecture, "device": device}
            return load_model(files, preprocessing=preprocessing, **options)
    file, name, place = weights_file(model), Path(model.path).name, _device(device)
    read_spec(model, preprocessing=preprocessing)  # what cannot be read is told before anything is loaded
    if file.suffix == ".onnx":
        return _of_onnx(file, model, name, place, preprocessing)
    loaded, task = _load(file, model, allow_pickle, architecture)
    if isinstance(loaded, torch.export.ExportedProgram):
        shape, dtype = input_shape(loaded), input_dtype(loaded)
        spec, module = read_spec(model, shape, dtype=dtype, preprocessing=preprocessing), _module(loaded, place)
    else:
        spec, module = read_spec(model, preprocessing=preprocessing, task=task), loaded.eval().to(place)
    lists = _takes_list(module)
    if lists and spec.task == "classification":
        spec = spec.model_copy(update={"task": "detection"})
    return LoadedModel(module, spec, name, module=module, device=place, takes_list=lists)


def _device(wanted: str) -> str:
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise InputError("models.device is cuda, but PyTorch sees no GPU here.", "Set models.device to auto or cpu.")
    return "cuda" if there and wanted != "cpu" else "cpu"


def _module(program: torch.export.ExportedProgram, device: str) -> nn.Module:
    if device != "cpu":
        program = torch.export.passes.move_to_device_pass(program, device)
    return program.module(check_guards=False)


def _takes_list(module: nn.Module) -> bool:
    if isinstance(module, torch.jit.ScriptModule):
        return takes_list(module)
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    return isinstance(getattr(module, "transform", None), GeneralizedRCNNTransform)


def _of_onnx(
    file: Path, files: ModelFiles, name: str, device: str, preprocessing: Mapping[str, Any] | None
) -> LoadedModel:
    try:
        from copilot.integrations.models.onnx_models import load_onnx
    except ImportError as error:
        raise MissingExtraError("Loading ONNX models", "models") from error
    root = Path(files.path)
    model = load_onnx(file, root if root.is_dir() else file.parent, device, threads=torch.get_num_threads())
    spec = read_spec(files, model.shape, dtype=model.dtype, preprocessing=preprocessing)

    def run(batch: torch.Tensor) -> dict[str, Any]:
        return model(batch.cpu().numpy())

    return LoadedModel(run, spec, name, device=model.device)


def _load(
    file: Path, files: ModelFiles, allow_pickle: bool, architecture: str | None
) -> tuple[nn.Module | torch.export.ExportedProgram, Any]:
    """The module or program in a file, and its task if that is known."""
    try:
        if file.suffix not in (".pt2", ".safetensors") and is_torchscript(file):
            return load_torchscript(file), None
        if file.suffix == ".pt2" and not (allow_pickle and isolated()):
            return load_exported_program(file), None
        if file.suffix != ".pt2" and (found := _from_weights(file, files, architecture)):
            return found
        if allow_pickle and isolated():
            return _load_trusting(file, files), None
    except CopilotError:
        raise
    except Exception as error:  # torch raises many kinds for a file that it cannot read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{clean_text(file.name)} cannot be loaded: {clean_text(reason)}", f"{_AS_PT2}.") from error
    raise _pickled(clean_text(file.name), allow_pickle)


def _pickled(shown: str, allowed: bool) -> InputError:
    if allowed and (reason := isolation_available()):
        return InputError(
            f"{shown} is pickled, and its code cannot be isolated here: {reason}.",
            f"{_AS_PT2}, or check it on Linux 6.2 or later.",
        )
    if allowed:
        return InputError(
            f"{shown} is pickled: it is loaded only in an isolated process of its own.",
            "Run the model checks on it: they start one.",
        )
    return InputError(
        f"{shown} is pickled: loading it would run any code that is in it.",
        f"{_AS_PT2}, or set models.allow_pickle to true: it is then loaded in an isolated process.",
    )


def _from_weights(file: Path, files: ModelFiles, architecture: str | None) -> tuple[nn.Module, Any] | None:
    """The network with the weights in a file; None if the file holds something else."""
    from copilot.integrations.models.weights import build, read_weights

    weights = read_weights(file)
    if weights is None:
        return None
    named = architecture or read_spec(files).architecture
    if not named:
        raise InputError(
            f"{clean_text(file.name)} holds weights without the network they belong to.",
            "Set models.architecture to its name in torchvision, such as resnet18.",
        )
    return build(named, weights)


def _load_trusting(file: Path, files: ModelFiles) -> nn.Module | torch.export.ExportedProgram:
    """Unpickle; only in an isolated process."""
    if file.suffix == ".pt2":
        return torch.export.load(file)
    code = ((model_card(files).get("flavors") or {}).get("pytorch") or {}).get("code")
    if code:  # where MLflow keeps the source of the model's class
        sys.path.append(str(Path(files.path) / str(code)))
    loaded = torch.load(file, map_location="cpu", weights_only=False)
    if isinstance(loaded, dict):  # a training checkpoint that holds the module beside other things
        loaded = next(
            (v for k in ("ema", "model", "module", "net") if isinstance(v := loaded.get(k), nn.Module)), loaded
        )
    if not isinstance(loaded, nn.Module):
        raise InputError(
            f"{clean_text(file.name)} holds a {clean_text(type(loaded).__name__, 40)}, not a network.", f"{_AS_PT2}."
        )
    return loaded.float()
