"""Features of images for comparing sets: of the person's model, of a network on disk, else classical ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from copilot.errors import InputError
from copilot.imaging.features import ClassicalFeatures
from copilot.integrations.images.base import ImageSet, Size
from copilot.integrations.images.subset import ImageSubset
from copilot.integrations.inspection.measuring import measured
from copilot.utils.config import ExecutorSettings
from copilot.utils.validators import clean_text

Progress = Callable[[float, str], None]
BATCH = 256
BATCH_BYTES = 64_000_000
_NETWORK = "resnet18-*.pth"  # as torchvision names its weights: the end is the first eight digits of the file's SHA-256


@dataclass(frozen=True)
class Embedding:
    """How images become features.

    Attributes
    ----------
    words : str
        What the features are, for a sentence.
    extract : callable, optional
        From uint8 (n, h, w, channels) to floats of shape (n, ...). None: classical features, which are cached.
    channels : {1, 3}
    size : int or (int, int), optional
        Height and width that `extract` takes; default: the images' own, which must be equal then.
    groups : mapping of str to int
        Kinds of features in order, with how many there are of each; may be empty.
    """

    words: str
    extract: Callable[[np.ndarray], np.ndarray] | None = None
    channels: int = 3
    size: Size | None = None
    groups: Mapping[str, int] = field(default_factory=dict)


CLASSICAL = Embedding("edges, layout, levels and texture", groups=ClassicalFeatures.GROUPS)


def embedding_of(model: Any = None) -> Embedding:
    """What to compare images by.

    Parameters
    ----------
    model : Embedding, LoadedModel or callable, optional
        A loaded classifier is asked for the logarithms of its probabilities, which are its logits up to a constant. A
        callable takes uint8 images (n, h, w, 3) of one size and gives features (n, ...). Default: a ResNet-18 whose
        weights torchvision has on disk, else classical features. Nothing is downloaded.

    Raises
    ------
    InputError
        It is none of these.
    """
    if isinstance(model, Embedding):
        return model
    if model is None:
        return network_on_disk() or CLASSICAL
    if hasattr(model, "predict") and hasattr(model, "spec"):
        words = f"the outputs of {clean_text(getattr(model, 'name', 'the model'), 60)}"
        return Embedding(words, _Logits(model.predict), model.spec.channels or 3, model.spec.size)
    if callable(model):
        return Embedding("the features of the given model", model)
    raise InputError(f"A {type(model).__name__} gives no features.", "Pass a loaded model or a function of images.")


def network_on_disk() -> Embedding | None:
    """ResNet-18 by weights that lie in the folder of PyTorch's hub and are as their name says; None without them."""
    try:
        home = Path(os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch")
        files = sorted((home.expanduser() / "hub" / "checkpoints").glob(_NETWORK))
    except (OSError, RuntimeError):  # no home folder, or none that may be read
        return None
    for file in files:
        if _is_whole(file):
            from copilot.integrations.inspection.torch_features import resnet18

            return Embedding("the features of a ResNet-18 (ImageNet)", resnet18(file), 3, 224)
    return None


def features_of(
    images: ImageSet,
    places: np.ndarray,
    embedding: Embedding,
    *,
    executor: ExecutorSettings | None = None,
    progress: Progress | None = None,
    refresh: bool = False,
) -> np.ndarray:
    """Features of some images that can be read.

    Parameters
    ----------
    images : ImageSet
    places : ndarray of int64, shape (n,)
    embedding : Embedding
    executor, progress, refresh
        As in `measured`; for classical features alone.

    Returns
    -------
    ndarray of float32, shape (n, d)

    Raises
    ------
    InputError
        An image cannot be read, the model fails, or what comes back is not a row of finite numbers for each image.
    """
    if embedding.extract is None:
        part = ImageSubset(images, places)
        found = measured(part, [ClassicalFeatures()], executor=executor, progress=progress, refresh=refresh)
        return found["features"]
    rows: list[np.ndarray] = []
    start, step = 0, 1  # the first image alone, by whose size the batches are cut
    while start < len(places):
        batch = images.read(places[start : start + step], channels=embedding.channels, size=embedding.size)
        rows.append(_answer(embedding.extract, batch))
        start += len(batch)
        step = int(np.clip(BATCH_BYTES // batch[0].nbytes, 1, BATCH))
        if progress:
            progress(start / len(places), f"{start:,} of {len(places):,} images embedded")
    return np.concatenate(rows)


def sample_by_content(keys: Sequence[str], places: np.ndarray, most: int) -> np.ndarray:
    """At most so many of `places`, those with the lowest hash of their content: another revision draws the same ones.

    Parameters
    ----------
    keys : sequence of str
        `content_key` of all images of the set.
    places : ndarray of int64, shape (n,)
    most : int
    """
    if len(places) <= most:
        return places
    ranks = [hashlib.blake2b(f"sample:{keys[i]}".encode(), digest_size=8).digest() for i in places]
    return np.sort(places[sorted(range(len(places)), key=ranks.__getitem__)[:most]])


@dataclass(frozen=True)
class _Logits:
    predict: Callable[[np.ndarray], np.ndarray]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(self.predict(images), 1e-12))


def _answer(extract: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    try:
        rows = np.asarray(extract(images))
    except InputError:
        raise
    except Exception as error:  # a function of the person's own may raise anything
        told = clean_text(f"{type(error).__name__}: {error}", 160)
        raise InputError(f"The model fails on these images: {told}", "Try it on one batch of images.") from error
    if rows.ndim < 2 or len(rows) != len(images) or rows.dtype.kind not in "fiu" or not np.isfinite(rows).all():
        raise InputError(
            "The model does not answer with a row of finite numbers for each image.", "Try it on one batch of images."
        )
    return rows.reshape(len(images), -1).astype(np.float32)


def _is_whole(file: Path) -> bool:
    """Whether a file's SHA-256 begins with what the end of its name says."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest().startswith(file.stem.rpartition("-")[2])
    except OSError:
        return False
