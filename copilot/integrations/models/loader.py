"""Load a PyTorch image classifier and ask it for probabilities. Nothing is unpickled unless the person allows it."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from copilot.errors import InputError
from copilot.integrations.models.exported_programs import input_shape, load_exported_program
from copilot.integrations.models.spec import InputSpec, ModelFiles, model_card, read_spec, weights_file
from copilot.utils.supervise import in_supervised_child
from copilot.utils.validators import clean_text

BATCH = 256
_AS_PT2 = "Log it with mlflow.pytorch.log_model(..., serialization_format='pt2')"


class LoadedModel:
    """An image classifier in memory.

    Attributes
    ----------
    spec : InputSpec
        The images it takes: read them with ``spec.channels`` and ``spec.size``.
    """

    def __init__(self, module: torch.nn.Module, spec: InputSpec, name: str) -> None:
        self.spec = spec
        self.name = clean_text(name, 100)
        self._module = module
        self._batch = BATCH

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Probability of each class.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, h, w, c)
            Pixels as in the files; they are scaled and normalised here.

        Returns
        -------
        ndarray of float64, shape (n, classes)
            Rows sum to 1. Logits go through a softmax, a single output through a sigmoid.

        Raises
        ------
        InputError
            The images do not fit the model, or what it gives is not one row of scores per image.
        """
        self._check(images)
        scores: list[np.ndarray] = []
        while (start := sum(map(len, scores))) < len(images):
            scores.append(self._scores(images[start : start + self._batch]))
        return _probabilities(np.concatenate(scores), self.spec) if scores else np.zeros((0, self.spec.classes or 0))

    def _check(self, images: np.ndarray) -> None:
        if images.ndim != 4 or images.dtype != np.uint8:
            raise InputError(
                f"Images of shape {images.shape} and type {images.dtype} came.", "Pass uint8 (n, h, w, c)."
            )
        spec, came = self.spec, images.shape[1:]
        expected = (spec.height or came[0], spec.width or came[1], spec.channels or came[2])
        if came != expected:
            raise InputError(
                f"{self.name} takes images of {_shape(expected)}, but images of {_shape(came)} came.",
                "Read the images with the model's size and channels.",
            )

    def _scores(self, images: np.ndarray) -> np.ndarray:
        """Raw output for one batch, shape (at most n, classes)."""
        try:
            output = self._run(images)
        except Exception as error:  # a model may raise anything
            if self._batch > 1 and len(images) > 1:  # exported with an example of one image, it takes only one
                self._batch = 1
                return self._scores(images[:1])
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{self.name} does not take images of {_shape(images.shape[1:])}: {clean_text(reason)}",
                "Log image_size and channels as the model's metadata.",
            ) from error
        if output.ndim == 1 and len(output) == len(images):
            output = output[:, None]
        expected = {1: (1, 2), 2: (1, 2), None: output.shape[-1:]}.get(self.spec.classes, (self.spec.classes,))
        if output.ndim != 2 or len(output) != len(images) or output.shape[1] not in expected:
            wanted = f"({len(images)}, {self.spec.classes or 'classes'})"
            raise InputError(
                f"{self.name} gives values of shape {output.shape}, but {wanted} was expected.",
                "Only image classifiers can be checked.",
            )
        return output

    def _run(self, images: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.ascontiguousarray(images))
        if self.spec.dtype == "float32":
            mean, std = (torch.tensor(v, dtype=torch.float32) for v in (self.spec.mean, self.spec.std))
            tensor = (tensor.float() * self.spec.scale - mean) / std
        if self.spec.layout == "NCHW":
            tensor = tensor.permute(0, 3, 1, 2).contiguous()
        with torch.no_grad():
            return _first_tensor(self._module(tensor)).double().numpy()


def load_model(
    model: ModelFiles | str | Path, *, tracking_uri: str | None = None, allow_pickle: bool = False
) -> LoadedModel:
    """Load a model from MLflow or from a file.

    Parameters
    ----------
    model : ModelFiles, str or Path
        Files that `model_files.fetch_model` has fetched, or a model URI or path to fetch.
    tracking_uri : str, optional
        MLflow store to fetch from.
    allow_pickle : bool, default False
        Load pickled models too (``models.allow_pickle``). Their files can run any code, so this works only in a
        supervised child process.

    Raises
    ------
    NotFoundError
        There is no such model.
    InputError
        It is in a form that is not loaded.
    """
    if not isinstance(model, ModelFiles):
        from copilot.integrations.models.files import fetch_model

        with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as folder:
            files = fetch_model(str(model), tracking_uri=tracking_uri, folder=Path(folder))
            return load_model(files, allow_pickle=allow_pickle)
    file = weights_file(model)
    loaded = _load(file, model, allow_pickle)
    if isinstance(loaded, torch.export.ExportedProgram):
        spec, module = read_spec(model, input_shape(loaded)), loaded.module(check_guards=False)
    else:
        spec, module = read_spec(model), loaded.eval()
    return LoadedModel(module, spec, Path(model.path).name)


def _load(file: Path, files: ModelFiles, allow_pickle: bool) -> torch.nn.Module | torch.export.ExportedProgram:
    try:
        if file.suffix != ".pt2" and _is_torchscript(file):
            return torch.jit.load(str(file), map_location="cpu")
        if allow_pickle and in_supervised_child():
            return _load_trusting(file, files)
        if file.suffix == ".pt2":
            return load_exported_program(file)
    except InputError:
        raise
    except Exception as error:  # torch raises many kinds for a file that it cannot read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{clean_text(file.name)} cannot be loaded: {clean_text(reason)}", f"{_AS_PT2}.") from error
    if allow_pickle:
        raise InputError(
            f"{clean_text(file.name)} is pickled: it is loaded only in a process of its own.",
            "Run the model checks on it: they start one.",
        )
    raise InputError(
        f"{clean_text(file.name)} is pickled: loading it would run any code that is in it.",
        f"{_AS_PT2}, or set models.allow_pickle to true for models that you trust.",
    )


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)


def _load_trusting(file: Path, files: ModelFiles) -> torch.nn.Module | torch.export.ExportedProgram:
    if file.suffix == ".pt2":
        return torch.export.load(file)
    code = ((model_card(files).get("flavors") or {}).get("pytorch") or {}).get("code")
    if code:  # where MLflow keeps the source of the model's class
        sys.path.append(str(Path(files.path) / str(code)))
    loaded = torch.load(file, map_location="cpu", weights_only=False)
    if not isinstance(loaded, torch.nn.Module):
        raise InputError(f"{clean_text(file.name)} holds weights without the network they belong to.", f"{_AS_PT2}.")
    return loaded


def _first_tensor(output: Any) -> torch.Tensor:
    if isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    while isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise TypeError(f"it gives a {type(output).__name__}, not a tensor")
    return output


def _probabilities(scores: np.ndarray, spec: InputSpec) -> np.ndarray:
    if not np.isfinite(scores).all():
        raise InputError("The model gives NaN or infinite scores.", "Check its weights: training may have diverged.")
    in_range = bool((scores >= -1e-6).all() and (scores <= 1 + 1e-6).all())
    if scores.shape[1] == 1:
        positive = scores if in_range and spec.output != "logits" else 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
        return np.hstack([1 - positive, positive])
    sums_to_one = in_range and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3)
    if spec.output == "probabilities" or (spec.output is None and sums_to_one):
        clipped = np.clip(scores, 0.0, None)
        return clipped / np.maximum(clipped.sum(axis=1, keepdims=True), 1e-12)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _shape(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height} x {width} pixels and {channels} channel{'s' if channels != 1 else ''}"
