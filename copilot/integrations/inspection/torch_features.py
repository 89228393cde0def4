"""Features of a ResNet-18 of torchvision from weights on disk: what its last layer sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision

from copilot.errors import InputError
from copilot.utils.validators import clean_text

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision trained it


def resnet18(weights: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 images (n, 224, 224, 3) to features (n, 512).

    Raises
    ------
    InputError
        The file does not hold the weights of a ResNet-18. It is read without unpickling.
    """
    model = torchvision.models.resnet18(weights=None)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True, mmap=True))
    except Exception as error:  # torch has no error of its own for a file that is something else
        shown = clean_text(weights.name, 60)
        raise InputError(f"{shown} holds no weights of a ResNet-18.", "Remove it or download it anew.") from error
    model.fc = torch.nn.Identity()
    model.eval()
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))

    def extract(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).split(32)
            return torch.cat([model((part.float() / 255 - mean) / deviation) for part in parts]).numpy()

    return extract
