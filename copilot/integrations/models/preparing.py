"""Images as files hold them -> what a model takes: size, scale, layout; and boxes and masks back to the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from copilot.errors import InputError
from copilot.integrations.models.spec import InputSpec

GREY = 114  # of the bars beside an image, as YOLO is trained with
_TYPES = {"float32": torch.float32, "float16": torch.float16, "float64": torch.float64}


def prepare(images: np.ndarray, spec: InputSpec, device: str = "cpu") -> torch.Tensor:
    """A batch for the model.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
    spec : InputSpec
    device : str
        Pixels travel as bytes and are scaled there.

    Returns
    -------
    Tensor
        As `spec` says: its layout and type, scaled and normalised.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    if spec.layout == "NCHW":
        tensor = tensor.permute(0, 3, 1, 2).contiguous()  # while it is small
    if spec.dtype == "uint8":
        return tensor
    shape = (1, -1, 1, 1) if spec.layout == "NCHW" else (1, 1, 1, -1)
    mean, std = (torch.tensor(v, dtype=torch.float32, device=device).view(shape) for v in (spec.mean, spec.std))
    scaled = tensor.float().mul_(spec.scale / std)
    if any(spec.mean):
        scaled.sub_(mean / std)
    return scaled.to(_TYPES[spec.dtype])


def check_image(shape: tuple[int, ...], spec: InputSpec, name: str) -> None:
    """Raise ``InputError`` unless images of this shape (h, w, c) are those that the model takes."""
    expected = (spec.height or shape[0], spec.width or shape[1], spec.channels or shape[2])
    if tuple(shape) != expected:
        raise InputError(
            f"{name} takes images of {shape_of(expected)}, but images of {shape_of(shape)} came.",
            "Read the images with the model's size and channels.",
        )


def shape_of(shape: tuple[int, ...]) -> str:
    """Height, width and channels in words."""
    height, width, channels = shape
    return f"{height} x {width} pixels and {channels} channel{'s' if channels != 1 else ''}"


@dataclass(frozen=True)
class Placed:
    """An image brought to the model's size: pixel (x, y) of it lies at ``(x * across + left, y * down + top)``."""

    image: np.ndarray
    own: tuple[int, int]
    across: float = 1.0
    down: float = 1.0
    left: int = 0
    top: int = 0

    def boxes_back(self, rows: np.ndarray) -> np.ndarray:
        """Class, score, x1, y1, x2, y2 in the placed image -> class, score, x, y, width, height in the image's own."""
        height, width = self.own
        x = np.clip((rows[:, [2, 4]] - self.left) / self.across, 0, width)
        y = np.clip((rows[:, [3, 5]] - self.top) / self.down, 0, height)
        found = np.column_stack([rows[:, :2], x[:, 0], y[:, 0], x[:, 1] - x[:, 0], y[:, 1] - y[:, 0]])
        return found[(found[:, 4] > 0) & (found[:, 5] > 0)]


def place(image: np.ndarray, size: tuple[int, int] | None, how: str) -> Placed:
    """Bring an image to a size.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, c)
    size : (int, int) or None
        Height and width; None leaves the image as it is.
    how : {"stretch", "letterbox"}
        Both sides to the size, or the image as a whole with grey bars around it.
    """
    own = (image.shape[0], image.shape[1])
    if size is None or own == size:
        return Placed(image, own)
    if how == "stretch":
        return Placed(_resized(image, size), own, size[1] / own[1], size[0] / own[0])
    scale = min(size[0] / own[0], size[1] / own[1])
    inner = (max(1, round(own[0] * scale)), max(1, round(own[1] * scale)))
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    whole = np.full((*size, image.shape[2]), GREY, np.uint8)
    whole[top : top + inner[0], left : left + inner[1]] = _resized(image, inner)
    return Placed(whole, own, inner[1] / own[1], inner[0] / own[0], left, top)


def back_to_image(scores: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Scores of one image (1, classes, h, w) -> its classes in its own size, uint8."""
    if tuple(scores.shape[2:]) != tuple(size):
        scores = torch.nn.functional.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)
    return scores[0].argmax(dim=0).to(torch.uint8).numpy()


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False, antialias=True)
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
