"""Where a model looks in the images of a split, and how much a part of the image draws beyond its area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copilot.core.statistics import student_quantile
from copilot.probes.occlusion import shares


@dataclass(frozen=True)
class Looked:
    """Where the model looks in one split: images, their classes, maps (n, h, w), and parts as masks (n, h, w).

    ``of`` ends the sources where the budget allowed fewer images than were wanted.
    """

    split: str
    images: np.ndarray
    classes: np.ndarray
    maps: np.ndarray
    parts: dict[str, np.ndarray]
    grid: int
    of: str = ""

    def telling(self, part: str, min_fall: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of the attribution and of the area of the images that tell something, and which these are."""
        mask = self.parts[part]
        area = mask.mean(axis=(1, 2))
        usable = (self.maps.max(axis=(1, 2)) >= min_fall) & (area > 0.02) & (area < 0.9)
        if part == "background":
            usable &= area > 0.15
        return shares(self.maps, mask)[usable], area[usable], usable


@dataclass(frozen=True)
class Beyond:
    """How a part draws compared with its area; ``label`` is the class it is told of, None for all.

    ``low`` and ``high`` are the 95 % interval of the odds; ``sure`` is the lower bound that is corrected for the number
    of parts and classes, by which it is judged.
    """

    part: str
    label: int | None
    share: float
    area: float
    odds: float
    low: float
    high: float
    sure: float


def compared(part: str, label: int | None, share: np.ndarray, area: np.ndarray, significance: float) -> Beyond:
    """Odds of a part from shares (n,) of the attribution and of the area; ``significance`` is that of `Beyond.sure`."""
    mean, n = float(share.mean()), len(share)
    error = max(float(share.std(ddof=1)), 0.02) / n**0.5
    half, sure = student_quantile(n - 1) * error, student_quantile(n - 1, 1 - significance) * error
    place = float(area.mean())
    odds, low, high, bound = (_odds(x) / _odds(place) for x in (mean, mean - half, mean + half, mean - sure))
    return Beyond(part, label, mean, place, odds, low, high, bound)


def _odds(share: float) -> float:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return share / (1 - share)
