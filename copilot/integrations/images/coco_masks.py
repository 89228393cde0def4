"""Masks of COCO annotations: run lengths are decoded here, polygons are drawn by pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np

from copilot.errors import MissingExtraError
from copilot.integrations.images.decoding import MAX_PIXELS

MAX_POINTS = 1_000_000


def instance_mask(segmentation: Any, width: int, height: int) -> np.ndarray:
    """Pixels of one object.

    Parameters
    ----------
    segmentation : list or dict
        Polygons (lists of x, y, x, y, ...) or run lengths (``{"size": [h, w], "counts": ...}``, a list or
        COCO's packed text).
    width, height : int
        Of the image.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    ValueError
        It is neither, or does not fit the image.
    MissingExtraError
        It holds polygons and pycocotools is not installed.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"an image of {width} x {height} pixels")
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, width, height)
    if isinstance(segmentation, list) and segmentation:
        return _from_polygons(segmentation, width, height)
    raise ValueError("neither polygons nor run lengths")


def _from_runs(rle: dict, width: int, height: int) -> np.ndarray:
    if rle.get("size") != [height, width]:
        raise ValueError(f"run lengths of another size than the image, {height} x {width}")
    counts = rle.get("counts")
    runs = _unpacked(counts) if isinstance(counts, str | bytes) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= MAX_PIXELS for run in runs):
        raise ValueError("run lengths that are no counts")
    if sum(runs) != width * height:
        raise ValueError(f"run lengths of {sum(runs)} pixels for {width * height}")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return pixels.reshape(width, height).T  # runs go down the columns


def _unpacked(packed: str | bytes) -> list[int]:
    """COCO's text: 5 bits a character, with a sign, each count from the third on as the difference to that two before.

    The format is that of ``rleFrString`` in the COCO API (maskApi.c).
    """
    text = packed.encode("ascii", "replace") if isinstance(packed, str) else packed
    runs: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            if at >= len(text) or not 48 <= text[at] < 112 or shift > 40:
                raise ValueError("packed run lengths that are damaged")
            code = text[at] - 48
            value |= (code & 31) << shift
            more, at, shift = bool(code & 32), at + 1, shift + 5
            if not more and code & 16:
                value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


def _from_polygons(polygons: list, width: int, height: int) -> np.ndarray:
    try:
        from pycocotools import mask as coco_mask
    except ImportError as error:
        raise MissingExtraError("Masks drawn from polygons", "models") from error
    drawn = []
    for polygon in polygons:
        points = np.array(polygon, dtype=float) if isinstance(polygon, list) else np.zeros(0)
        if points.ndim != 1 or not 6 <= len(points) <= MAX_POINTS or len(points) % 2 or not np.isfinite(points).all():
            continue
        # the C code trusts its input: nothing outside the image reaches it
        points[0::2], points[1::2] = points[0::2].clip(0, width), points[1::2].clip(0, height)
        drawn.append(points.tolist())
    if not drawn:
        raise ValueError("polygons of fewer than three points")
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(drawn, height, width))).astype(bool)
