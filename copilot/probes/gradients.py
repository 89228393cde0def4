"""Shares of integrated gradients in parts of images, told beside those of covering: within the same budget, or not."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from copilot.core.findings import Evidence
from copilot.probes.asking import Asker, mean_interval
from copilot.probes.base import Attribute, Examined
from copilot.probes.looking import Looked
from copilot.probes.occlusion import shares
from copilot.utils.validators import clean_text

_FIRST, _FEWEST = 4, 8  # images that are timed, and images of a split below which a share says nothing


def gradient_shares(
    examined: Examined, looked: Sequence[Looked], most: int, ask: Asker, rng: np.random.Generator
) -> tuple[list[Evidence], str]:
    """Share of the positive integrated gradients in each part, of up to `most` images of each split.

    Returns
    -------
    evidence : list of Evidence
        Empty where the model has no gradients, fails when asked for them, or no time is left.
    word : str
        A sentence on what was left out, with a space before it; empty where nothing was.
    """
    attribute, wanted = examined.attribute, min([most, *(len(one.images) for one in looked)])
    if attribute is None or wanted < _FEWEST:
        return [], ""
    try:
        began = time.perf_counter()
        attribute(looked[0].images[:_FIRST], looked[0].classes[:_FIRST])
        each = (time.perf_counter() - began) / _FIRST
        n = int(np.clip(ask.left() / (len(looked) * max(each, 1e-9)), 0, wanted))
        if n < _FEWEST:
            return [], " Gradients are left out: the budget leaves no time for them."
        items = [item for one in looked for item in _of_split(attribute, one, n, wanted, rng)]
    except Exception as error:  # no gradients, no Captum, a batch size that is fixed: covering says enough
        return [], f" Gradients are left out: {clean_text(error, 120).rstrip('.')}."
    return items, "" if n == wanted else f" Gradients are of {n} of {wanted} images."


def _of_split(attribute: Attribute, looked: Looked, n: int, wanted: int, rng: np.random.Generator) -> list[Evidence]:
    rows = np.linspace(0, len(looked.images) - 1, n).round().astype(int)
    maps, items = attribute(looked.images[rows], looked.classes[rows]), []
    for part, mask in looked.parts.items():
        share = shares(maps, mask[rows])
        share = share[np.isfinite(share)]
        if len(share) < 3:
            continue
        low, high = mean_interval(share, rng)
        of = f" of {wanted}" if n < wanted else ""
        items.append(
            Evidence(
                name="gradient_share",
                value=float(share.mean()),
                unit="fraction",
                source=f"{part}, {looked.split}, {len(share)}{of} images",
                low=low,
                high=high,
            )
        )
    return items
