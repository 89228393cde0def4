"""Odd images of two sets: judged from their properties, and shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from copilot.core.data.image_quality import MILD, ImageQuality, Looks, Odd
from copilot.core.findings import Outcome, Picture
from copilot.errors import InputError
from copilot.integrations.images.base import ImageSet
from copilot.integrations.inspection.measuring import Measured

SHOWN = 24


def judge_quality(
    train: ImageSet,
    val: ImageSet,
    of_train: Measured,
    of_val: Measured,
    check: ImageQuality | None = None,
) -> tuple[Outcome, tuple[Picture, ...]]:
    """Whether images are broken, empty or odd, with a contact sheet of the oddest.

    Parameters
    ----------
    train, val : ImageSet
    of_train, of_val : Measured
        With the values of `imaging.properties.Properties`.
    check : ImageQuality, optional
    """
    check = check or ImageQuality()
    a, b = (Looks(found.values, found.readable, images.labels) for images, found in ((train, of_train), (val, of_val)))
    found = check.find(a, b)
    outcome = check.judge(a, b, found, (train.class_names, val.class_names))
    gathered = {item.name.removesuffix("_share") for item in outcome.evidence if item.name.endswith("_share")}
    left_out = [kind for kind in ("broken", *MILD) if kind not in gathered or kind == "broken"]
    return outcome, odd_sheet((train, val), found, left_out)


def odd_sheet(
    sets: tuple[ImageSet, ImageSet], found: Odd, left_out: Sequence[str] = ("broken",)
) -> tuple[Picture, ...]:
    """The oddest images, kinds in turn so that one does not crowd out the rest."""
    from copilot.probes.sheets import contact_sheet

    turn = np.zeros(len(found.kind), dtype=np.int64)
    for kind in np.unique(found.kind):
        rows = np.flatnonzero(found.kind == kind)
        turn[rows] = np.arange(len(rows))
    images, captions, seen = [], [], set()
    for row in np.lexsort((np.arange(len(turn)), turn)):
        split, place, kind = int(found.split[row]), int(found.places[row]), str(found.kind[row])
        if kind in left_out or (split, place) in seen:
            continue
        seen.add((split, place))
        try:
            images.append(sets[split].image(place))
        except InputError:  # it went away since
            continue
        name = sets[split].names[place]
        captions.append(f"{kind}: {name if len(name) <= 24 else '...' + name[-22:]}")
        if len(images) == SHOWN:
            break
    if not images:
        return ()
    caption = "Images that hold little or are of another kind than their set; of each kind the farthest first."
    return (contact_sheet(images, captions, title=ImageQuality.title, caption=caption, code=ImageQuality.code),)
