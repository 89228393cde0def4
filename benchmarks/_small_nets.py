"""Small convolutional networks trained on the CPU in seconds, the same by seed, on subsets of CIFAR-10 and MNIST.

pictures = cifar10(train=500, val=500, seed=0)
net = fit(pictures.train_images, pictures.train_labels, epochs=30, seed=0)
net.predict(pictures.val_images)  # probabilities, float64 of shape (n, 10)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

IMAGES = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "images"
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Pictures:
    """Training and validation images, uint8 of shape (n, h, w, c), with their labels, int64 of shape (n,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    val_images: np.ndarray
    val_labels: np.ndarray
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Net:
    """A trained network: ``module`` takes float (n, c, h, w) from 0 to 1 and gives logits."""

    module: nn.Module

    def predict(self, images: np.ndarray, batch: int = 500) -> np.ndarray:
        """Probabilities of uint8 images (n, h, w, c), float64 of shape (n, classes)."""
        self.module.eval()
        with torch.no_grad():
            parts = [
                self.module(_tensor(images[i : i + batch])).double().softmax(1) for i in range(0, len(images), batch)
            ]
        return torch.cat(parts).numpy()

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        return float((self.predict(images).argmax(axis=1) == labels).mean())


class SmallCNN(nn.Module):
    """Three convolutions with batch normalisation, halved in size after each; pooled to 2 x 2; a linear layer."""

    def __init__(self, classes: int = 10, channels: int = 3, width: int = 16, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = (channels, width, 2 * width, 4 * width)
        self.features = nn.Sequential(*(part for a, b in pairwise(sizes) for part in _block(a, b)))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout), nn.Linear(16 * width, classes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features((x - 0.5) / 0.25))


def _block(a: int, b: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)


def cifar10(train: int, val: int, seed: int = 0) -> Pictures:
    """Random images of the CIFAR-10 subset: at most 5,000 for training and 1,000 for validation."""
    with np.load(IMAGES / "cifar10_small.npz", allow_pickle=False) as file:
        return _drawn(file, train, val, seed, CIFAR10)


def mnist(train: int, val: int, seed: int = 0) -> Pictures:
    """Random images of MNIST, one channel, 28 pixels wide: at most 60,000 and 10,000."""
    with np.load(IMAGES / "mnist.npz", allow_pickle=False) as file:
        return _drawn(file, train, val, seed, tuple("0123456789"))


def _drawn(file: np.lib.npyio.NpzFile, train: int, val: int, seed: int, names: tuple[str, ...]) -> Pictures:
    rng, parts = np.random.default_rng(seed), []
    for split, n in (("train", train), ("test", val)):
        labels = file[f"y_{split}"].astype(np.int64)
        chosen = np.sort(rng.permutation(len(labels))[:n])
        images = file[f"x_{split}"][chosen]
        parts += [images if images.ndim == 4 else images[..., None], labels[chosen]]
    return Pictures(*parts, names)


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    seed: int = 0,
    classes: int = 10,
    width: int = 16,
    rate: float = 2e-3,
    decay: float = 0.0,
    dropout: float = 0.0,
    batch: int = 64,
    change: Change | None = None,
) -> Net:
    """Train a `SmallCNN` with AdamW and a cosine schedule; the global random state is left as it was.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c)
    labels : ndarray of int, shape (n,)
    change : callable, optional
        Augmentation: takes a float batch (k, c, h, w) and a generator, gives a batch. See `flips_and_shifts`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = SmallCNN(classes, images.shape[-1], width, dropout)
        _train(module, _tensor(images), torch.as_tensor(labels).long(), epochs, seed, rate, decay, batch, change)
    return Net(module.eval())


def _train(
    module: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    epochs: int,
    seed: int,
    rate: float,
    decay: float,
    batch: int,
    change: Change | None,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay)
    batches = max(len(x) // batch, 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    module.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for rows in order.tensor_split(batches):
            part = x[rows] if change is None else change(x[rows], generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(part), y[rows]).backward()
            optimizer.step()
            schedule.step()


def flips_and_shifts(x: torch.Tensor, generator: torch.Generator, reach: int = 3) -> torch.Tensor:
    """Each image mirrored with chance one half and moved by up to `reach` pixels, edges repeated."""
    flip = torch.rand(len(x), generator=generator) < 0.5
    return shifts(torch.where(flip[:, None, None, None], x.flip(-1), x), generator, reach)


def shifts(x: torch.Tensor, generator: torch.Generator, reach: int = 2) -> torch.Tensor:
    """Each image moved by up to `reach` pixels: for digits, which no mirror keeps."""
    padded = nn.functional.pad(x, (reach,) * 4, mode="replicate")
    moves = torch.randint(0, 2 * reach + 1, (len(x), 2), generator=generator).tolist()
    h, w = x.shape[-2:]
    return torch.stack([image[:, i : i + h, j : j + w] for image, (i, j) in zip(padded, moves, strict=True)])


def _tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).contiguous().float().div_(255)
