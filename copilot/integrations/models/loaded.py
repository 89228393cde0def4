"""A model in memory: images in, probabilities, boxes or masks out, whatever form the model was loaded from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from copilot.errors import InputError, ToolError
from copilot.integrations.models.outputs import class_scores, detections, first_array, probabilities
from copilot.integrations.models.preparing import Placed, back_to_image, check_image, place, prepare, shape_of
from copilot.integrations.models.spec import InputSpec
from copilot.utils.validators import clean_text

BATCH = 256
PIXELS = 64 * 224 * 224  # of a batch: what a network makes of them has to fit into memory
Run = Callable[[Any], Any]
Attribute = Callable[[np.ndarray, np.ndarray], np.ndarray]


class LoadedModel:
    """A model of images in memory.

    Attributes
    ----------
    spec : InputSpec
        The images it takes: read them with ``spec.channels`` and ``spec.size``. ``spec.task`` tells which of `predict`,
        `detect` and `segment` it answers.
    name : str
        Cleaned for showing.
    module : Module or None
        The PyTorch module; None for ONNX.
    device : str
        Where it runs: ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        run: Run,
        spec: InputSpec,
        name: str,
        *,
        module: nn.Module | None = None,
        device: str = "cpu",
        takes_list: bool = False,
    ) -> None:
        self.spec = spec
        self.name = clean_text(name, 100)
        self.module = module
        self.device = device
        self._call = run
        self._takes_list = takes_list
        self._batch: int | None = spec.batch
        self._tensors_at = "cpu" if module is None else device  # ONNX Runtime brings arrays to its device itself
        self._no_gradients = torch.inference_mode

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
        ToolError
            Not even one image fits into memory.
        """
        self._asked("classification")
        self._check(images)
        scores: list[np.ndarray] = []
        while (start := sum(map(len, scores))) < len(images):
            scores.append(self._scores(images[start : start + self._rows(images)]))
        return probabilities(np.concatenate(scores), self.spec) if scores else np.zeros((0, self.spec.classes or 0))

    def detect(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Objects in each image.

        Parameters
        ----------
        images : sequence of ndarrays of uint8, shape (h, w, c)
            Each of its own size.

        Returns
        -------
        list of ndarrays of float64, shape (k, 6)
            Class (an index into the class names, without background), score, x, y, width, height in pixels of the
            image; the likeliest first.

        Raises
        ------
        InputError
            The images do not fit the model, or it gives no boxes of a known form.
        """
        self._asked("detection")
        found = []
        for image in images:
            placed = self._placed(image, self.spec.resize or "letterbox")
            rows = detections(self._answer(placed.image[None]), 1, self.spec)[0]
            found.append(placed.boxes_back(rows))
        return found

    def segment(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Class of each pixel.

        Parameters
        ----------
        images : sequence of ndarrays of uint8, shape (h, w, c)
            Each of its own size.

        Returns
        -------
        list of ndarrays of uint8, shape (h, w)
            Scores are brought to the size of the image before the highest is taken.

        Raises
        ------
        InputError
            The images do not fit the model, or it gives no scores for each class and pixel.
        """
        self._asked("segmentation")
        masks = []
        for image in images:
            placed = self._placed(image, "stretch")
            try:
                scores = class_scores(self._answer(placed.image[None]), 1, self.spec)
            except TypeError as error:
                raise self._does_not_take(image.shape, error) from error
            masks.append(back_to_image(scores, image.shape[:2]))
        return masks

    @property
    def attribute(self) -> Attribute | None:
        """A function that tells how much each pixel speaks for a class; None without gradients, or for other tasks.

        It takes images (n, h, w, c) and classes (n,) and gives float64 (n, h, w): integrated gradients
        (`attributions.integrated_gradients`) summed over channels, negative where a pixel speaks against the class.
        """
        without = self.module is None or self.spec.dtype == "uint8" or self.spec.task != "classification"
        return None if without else self._attribute

    def _attribute(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        from copilot.integrations.models.attributions import integrated_gradients

        self._check(images)
        found = []
        rows = self._rows(images)
        for start in range(0, len(images), rows):
            part, labels = images[start : start + rows], torch.as_tensor(classes[start : start + rows])
            tensor, black = (prepare(a, self.spec, self.device) for a in (part, np.zeros_like(part[:1])))
            try:
                values = integrated_gradients(self.module, tensor, black, labels.long().to(self.device), rows)
            except Exception as error:  # a model may raise anything
                raise self._does_not_take(images.shape[1:], error) from error
            found.append(values.sum(axis=1 if self.spec.layout == "NCHW" else 3))
        return np.concatenate(found) if found else np.zeros(images.shape[:3])

    def _asked(self, task: str) -> None:
        if self.spec.task != task:
            raise InputError(
                f"{self.name} is a model of {self.spec.task}, not of {task}.", "Set task in models.preprocessing."
            )

    def _check(self, images: np.ndarray) -> None:
        if images.ndim != 4 or images.dtype != np.uint8:
            raise InputError(
                f"Images of shape {images.shape} and type {images.dtype} came.",
                "Pass uint8 (n, h, w, c), values from 0 to 255; they are scaled for the model here.",
            )
        check_image(images.shape[1:], self.spec, self.name)

    def _placed(self, image: np.ndarray, how: str) -> Placed:
        if image.ndim != 3 or image.dtype != np.uint8:
            raise InputError(
                f"An image of shape {image.shape} and type {image.dtype} came.",
                "Pass uint8 (h, w, c), values 0 to 255.",
            )
        placed = place(image, self.spec.size, how)
        check_image(placed.image.shape, self.spec, self.name)
        return placed

    def _rows(self, images: np.ndarray) -> int:
        return self._batch or max(1, min(BATCH, PIXELS // max(1, images.shape[1] * images.shape[2])))

    def _scores(self, images: np.ndarray) -> np.ndarray:
        """Raw output for one batch, shape (at most n, classes)."""
        try:
            output = first_array(self._answer(images), "logits").astype(np.float64)
        except _Smaller as smaller:
            self._batch = smaller.rows
            return self._scores(images[: self._batch])
        except TypeError as error:
            raise self._does_not_take(images.shape[1:], error) from error
        if output.ndim == 1 and len(output) == len(images):
            output = output[:, None]
        expected = {1: (1, 2), 2: (1, 2), None: output.shape[-1:]}.get(self.spec.classes, (self.spec.classes,))
        if output.ndim != 2 or len(output) != len(images) or output.shape[1] not in expected:
            wanted = f"({len(images)}, {self.spec.classes or 'classes'})"
            raise InputError(
                f"{self.name} gives values of shape {output.shape}, but {wanted} was expected.",
                "Set task, or class_names for another number of classes, in models.preprocessing.",
            )
        return output

    def _answer(self, images: np.ndarray) -> Any:
        """What the model gives for a batch.

        Raises
        ------
        _Smaller
            It takes fewer images at once.
        """
        try:
            return self._run(images)
        except Exception as error:  # a model may raise anything
            short = _out_of_memory(error)
            if short and self.device == "cuda":
                torch.cuda.empty_cache()
            if len(images) > 1 and not self.spec.batch:  # exported with an example of one image, it takes only one
                raise _Smaller(len(images) // 2 if short else 1) from None
            if short:
                raise ToolError(
                    f"{self.name} needs more memory than there is for one image of {shape_of(images.shape[1:])}.",
                    "Set models.device to cpu, or a smaller image_size in models.preprocessing.",
                ) from error
            raise self._does_not_take(images.shape[1:], error) from error

    def _run(self, images: np.ndarray) -> Any:
        n = len(images)
        if self._takes_list:
            batch: Any = list(prepare(images, self.spec, self._tensors_at))
        else:
            missing = max(0, (self.spec.batch or 0) - n)  # it takes exactly so many: the last is repeated
            batch = prepare(np.concatenate([images, images[-1:].repeat(missing, axis=0)]), self.spec, self._tensors_at)
        try:
            with self._no_gradients():
                output = self._call(batch)
        except RuntimeError as error:
            if self._no_gradients is torch.no_grad or "nference" not in str(error):
                raise
            self._no_gradients = torch.no_grad  # some programs save tensors for gradients, which inference forbids
            return self._run(images)
        return output if self._takes_list or n == self.spec.batch or not self.spec.batch else _first(output, n)

    def _does_not_take(self, shape: tuple[int, ...], error: Exception) -> InputError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1 if _is_script(error) else 0]
        return InputError(
            f"{self.name} does not take images of {shape_of(shape)}: {clean_text(reason)}",
            "Log image_size and channels as the model's metadata, or set them in models.preprocessing.",
        )


class _Smaller(Exception):
    """The model takes fewer images at once."""

    def __init__(self, rows: int) -> None:
        self.rows = rows


def _first(output: Any, n: int) -> Any:
    """The first `n` rows of whatever a model gives."""
    if isinstance(output, dict):
        return {key: _first(value, n) for key, value in output.items()}
    return type(output)(_first(item, n) for item in output) if isinstance(output, tuple | list) else output[:n]


def _out_of_memory(error: Exception) -> bool:
    text = str(error)
    words = ("out of memory", "not enough memory", "can't allocate memory", "Failed to allocate memory", "bad_alloc")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in text for word in words)


def _is_script(error: Exception) -> bool:
    """TorchScript's errors begin with where, and end with what."""
    return "TorchScript" in str(error)
