"""A small image classification project for tests: two folders of images, and models that know them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("bright", "dark", "striped")
SIDE = 12


@dataclass(frozen=True)
class Project:
    """Folders of training and validation images, and the pixels and labels of the former."""

    train: Path
    val: Path
    images: np.ndarray
    labels: np.ndarray


def made_images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of uint8, shape (n, 12, 12, 3), and labels: noisy, so that no model is perfect."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    level = np.where(labels == 0, 150, np.where(labels == 1, 105, 128))[:, None, None, None]
    stripes = np.where(np.arange(SIDE) % 4 < 2, 35, -35)[None, None, :, None] * (labels == 2)[:, None, None, None]
    images = level + stripes + rng.normal(0, 45, (n, 1, 1, 1)) * 0.4 + rng.normal(0, 40, (n, SIDE, SIDE, 3))
    return images.clip(0, 255).astype(np.uint8), labels


def write_project(folder: Path, n_train: int = 90, n_val: int = 60) -> Project:
    """Write both folders, one folder a class in each."""
    for name, n, seed in (("train", n_train, 1), ("val", n_val, 2)):
        images, labels = made_images(n, seed)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / name / CLASSES[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number:03}.png")
    images, labels = made_images(n_train, 1)
    return Project(folder / "train", folder / "val", images, labels)


def fitted(project: Project, ridge: float = 30.0):
    """A linear classifier as a PyTorch module that takes float (n, 3, 12, 12), fitted by least squares."""
    import torch

    rows = project.images.transpose(0, 3, 1, 2).reshape(len(project.images), -1) / 255
    means = rows.mean(axis=0)
    target = np.eye(len(CLASSES))[project.labels] - 1 / len(CLASSES)
    inner = (rows - means).T @ (rows - means) + ridge * np.eye(rows.shape[1])
    weights = np.linalg.solve(inner, (rows - means).T @ target) * 12
    layer = torch.nn.Linear(rows.shape[1], len(CLASSES))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights.T, dtype=torch.float32))
        layer.bias.copy_(torch.tensor(-means @ weights, dtype=torch.float32))
    return torch.nn.Sequential(torch.nn.Flatten(), layer).eval()


def write_pt2(module, path: Path) -> Path:
    """Export the module for any number of images."""
    import torch

    example = torch.zeros(2, 3, SIDE, SIDE)
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: batch},)), path)
    return path
