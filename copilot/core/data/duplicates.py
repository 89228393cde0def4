"""OVF402: validation images that are in the training set too, as they are or changed a little."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # its parts load when first used
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.data.duplicate_search import Pairs, Prints, Progress, find_pairs
from copilot.core.findings import Evidence, Outcome, Severity, State
from copilot.core.statistics import difference_interval, wilson_interval

_STAGES = {"across": 0.6, "train": 0.25, "val": 0.15}  # share of the time


class DuplicateThresholds(Thresholds):
    """When two images are one picture, and how many such pairs matter."""

    difference: float = Field(
        0.105,
        gt=0,
        description="Share of the variance in which a near duplicate may differ after both are fitted, "
        "where unrelated neighbours differ wholly.",
    )
    closeness: float = Field(
        0.75, ge=0, description="Power of the other neighbours' median difference by which the limit shrinks."
    )
    certain: float = Field(0.0015, gt=0, description="Difference below which neighbours do not matter.")
    colour: float = Field(16.0, gt=0, description="Chroma levels of 256 by which colours may differ on average.")
    detail: float = Field(
        4.0, gt=0, description="Grey levels by which an image must vary; flatter ones are compared exactly only."
    )
    near_share: float = Field(0.002, ge=0, lt=1, description="Share of near duplicates that counts without exact ones.")
    medium_share: float = Field(0.01, gt=0, lt=1, description="Share of validation of medium severity.")
    high_share: float = Field(0.05, gt=0, lt=1, description="Share of validation of high severity.")
    within_share: float = Field(0.02, gt=0, lt=1, description="Share of repeats inside one set that counts.")
    within_images: int = Field(
        2000, ge=0, description="Images of each set whose near repeats inside it are looked for."
    )
    comparisons: float = Field(
        2e10, gt=0, description="Pairs of images at most; beyond, a sample of the validation images is looked up."
    )


@dataclass(frozen=True)
class Duplicated:
    """Pairs across the sets (first: validation, second: training) and inside each."""

    across: Pairs
    train: Pairs
    val: Pairs


class Duplicates(BaseCheck):
    """Validation images are in the training set too, so that the validation score counts what was learned by heart.

    Exact duplicates have the same pixels, whatever file holds them. Near duplicates are looked for in two stages.
    Two small descriptors of each image, one of them centred on what it shows, find the nearest training images, as they
    are and mirrored. Each candidate is then fitted to the image by least squares (contrast, brightness, blur, zoom and
    shift), and the share of the variance that remains is the difference. How small it must be depends on the
    neighbours: the limit is `difference` times the median difference of the image's other candidates to the power
    `closeness`, so that where everything looks alike, as digits do, only what is far closer than the rest counts.
    Below `certain` neighbours do not matter. Colours must agree within `colour`; a grey copy of a colour image counts.
    Shares come with Wilson's 95 % interval. Repeats inside one set are counted too: exact ones in all of it, near ones
    on a sample. Where it is known which validation images the model gets right, the score is told without the
    duplicates. Groups of duplicates that carry different labels are counted.

    Why it matters: A model that has seen a validation image in training gets it right by memory. The score is then too
    good, overfitting is seen late or not at all, and models that memorise more are chosen. Copies with different
    labels show label noise as such.

    Source: B. Barz and J. Denzler, Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 6(6),
    2020, arXiv:1902.00423, who find 3.3 % of CIFAR-10's test images in its training set; B. D. Lucas and T. Kanade, An
    Iterative Image Registration Technique, IJCAI 1981, for the fit. The limits are this project's own, chosen on
    planted duplicates in MNIST and CIFAR-10; `benchmarks/duplicates.py` measures them on others.

    When it is wrong: Frames of one video and shots of one burst are told as duplicates, which they are for this
    purpose. Crops of more than about a tenth, rotations and collages are missed. Of strokes as simple as a handwritten
    1 a few in ten thousand are one picture by chance. Plain areas hold nothing to compare. If a training image has so
    many near copies that they crowd out all other candidates, their limit is stricter.
    """

    code = "OVF402"
    title = "Images in both sets"
    name: ClassVar[str] = "duplicates"
    scope: ClassVar[str] = "images"
    Thresholds = DuplicateThresholds

    def find(self, train: Prints, val: Prints, *, seed: int = 0, progress: Progress | None = None) -> Duplicated:
        """Look for duplicates across the sets and inside each.

        Parameters
        ----------
        train, val : Prints
        seed : int, default 0
            Of the samples.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line.
        """
        limits = self.thresholds
        most = max(1, int(limits.comparisons / max(len(train), 1)))
        inside = {"within": True, "most": min(limits.within_images, most), "seed": seed}
        told = [_part(progress, stage) for stage in _STAGES]
        return Duplicated(
            across=find_pairs(val, train, limits, most=most, seed=seed, progress=told[0]),
            train=find_pairs(train, train, limits, progress=told[1], **inside),
            val=find_pairs(val, val, limits, progress=told[2], **inside),
        )

    def judge(self, train: Prints, val: Prints, found: Duplicated, *, correct: np.ndarray | None = None) -> Outcome:
        """The outcome of what `find` found.

        Parameters
        ----------
        train, val : Prints
        found : Duplicated
        correct : ndarray of bool, shape (len(val),), optional
            Whether the model gets each validation image right.
        """
        if not len(train) or not len(val):
            return self.outcome("not_applicable", "There are no images that can be read in one of the sets.")
        across = found.across
        hits = np.zeros(len(val), bool)
        hits[across.first] = True
        best = across.best()
        exact = int(across.exact[best].sum())
        searched = np.zeros(len(val), bool)
        searched[across.searched] = True
        share = float(hits[searched].mean())
        evidence = [*self._counts(across, best, share), *_inside(found, train, val)]
        conflicts, example = _conflicts(found, train, val)
        evidence.append(Evidence(name="groups_with_different_labels", value=conflicts, unit="groups"))
        told, more = _score(hits[searched], None if correct is None else np.asarray(correct, bool)[searched])
        state, severity, confidence = self._state(exact, share, found, train, val, conflicts)
        words = [self._sentence(len(best), exact, across, val, share), told, example, self._repeats(found, train, val)]
        return self.outcome(
            state,
            " ".join(filter(None, words)),
            severity=severity,
            confidence=confidence,
            evidence=[*evidence, *more],
        )

    def _state(
        self, exact: int, share: float, found: Duplicated, train: Prints, val: Prints, conflicts: int
    ) -> tuple[State, Severity, float]:
        limits = self.thresholds
        if exact or share > limits.near_share:
            sure = 0.99 if exact else confidence_from(math.log(share / max(limits.near_share, 1e-6)))
            return "issue", severity_of(max(share, 1e-12), limits.medium_share, limits.high_share), sure
        inside = max(_share_inside(found.train, len(train)), _share_inside(found.val, len(val)))
        if inside >= limits.within_share or conflicts:
            return "issue", "low", confidence_from(math.log(max(inside, 1e-6) / limits.within_share))
        return "passed", "none", confidence_from(math.log(limits.near_share / max(share, 1e-6)))

    def _counts(self, across: Pairs, best: np.ndarray, share: float) -> list[Evidence]:
        low, high = wilson_interval(share, len(across.searched))
        near = ~across.exact[best]
        return [
            Evidence(name="duplicate_images", value=len(best), unit="images"),
            Evidence(
                name="duplicate_share", value=round(share, 6), unit="fraction", low=round(low, 6), high=round(high, 6)
            ),
            Evidence(name="exact_duplicates", value=int((~near).sum()), unit="images"),
            Evidence(name="near_duplicates", value=int(near.sum()), unit="images"),
            Evidence(name="mirrored_duplicates", value=int(across.mirrored[best].sum()), unit="images"),
            Evidence(name="images_searched", value=len(across.searched), unit="images"),
        ]

    def _sentence(self, count: int, exact: int, across: Pairs, val: Prints, share: float) -> str:
        part = len(across.searched) < len(val)
        of = (
            f"Near duplicates were looked for among {len(across.searched):,} of {len(val):,} validation images. " * part
        )
        if not count:
            return f"{of}No validation image is in the training set."
        kinds = f"{exact:,} exact and {count - exact:,} near"
        weak = not exact and share <= self.thresholds.near_share
        more = " So few may be alike by chance." if weak else ""
        return (
            f"{of}{count:,} of {len(val):,} validation images ({percent(share, 2)}) are in the training set too: "
            f"{kinds}.{more}"
        )

    def _repeats(self, found: Duplicated, train: Prints, val: Prints) -> str:
        shares = {"training": _share_inside(found.train, len(train)), "validation": _share_inside(found.val, len(val))}
        told = [
            f"{percent(s, 1)} of the {name} images" for name, s in shares.items() if s >= self.thresholds.within_share
        ]
        return f"Inside their own set {' and '.join(told)} are repeats." if told else ""


def _part(progress: Progress | None, stage: str) -> Progress:
    names = list(_STAGES)
    start = sum(_STAGES[name] for name in names[: names.index(stage)])

    def told(share: float, line: str) -> None:
        if progress:
            progress(min(start + _STAGES[stage] * share, 1.0), line)

    return told


def _share_inside(pairs: Pairs, n: int) -> float:
    """Share of a set's images that repeat another: the exact ones of all, or all kinds of the sample if more."""
    if not n:
        return 0.0
    searched = np.zeros(n, bool)
    searched[pairs.searched] = True
    hits = np.zeros(n, bool)
    hits[pairs.first] = True
    exact = np.unique(pairs.first[pairs.exact])
    return max(len(exact) / n, float(hits[searched].mean()) if searched.any() else 0.0)


def _inside(found: Duplicated, train: Prints, val: Prints) -> list[Evidence]:
    evidence = []
    for name, pairs, prints in (("train", found.train, train), ("val", found.val, val)):
        exact = len(np.unique(pairs.first[pairs.exact]))
        share = round(_share_inside(pairs, len(prints)), 6)
        evidence.append(Evidence(name=f"exact_repeats_{name}", value=exact, unit="images"))
        evidence.append(Evidence(name=f"repeat_share_{name}", value=share, unit="fraction"))
    return evidence


def _score(hits: np.ndarray, correct: np.ndarray | None) -> tuple[str, list[Evidence]]:
    """What the duplicates add to the share of images that the model gets right."""
    n, rest = int(hits.sum()), int((~hits).sum())
    if correct is None or not n or not rest:
        return "", []
    known, new = float(correct[hits].mean()), float(correct[~hits].mean())
    low, high = (n / len(hits) * bound for bound in difference_interval(known, n, new, rest))
    evidence = [
        Evidence(name="score", value=round(float(correct.mean()), 6), unit="fraction"),
        Evidence(name="score_without_duplicates", value=round(new, 6), unit="fraction"),
        Evidence(
            name="score_from_duplicates",
            value=round(float(correct.mean()) - new, 6),
            unit="fraction",
            low=round(low, 6),
            high=round(high, 6),
        ),
    ]
    return (
        f"The model gets {percent(known, 1)} of them right and {percent(new, 1)} of the others; without them the "
        f"score is {percent(new, 2)} instead of {percent(float(correct.mean()), 2)}.",
        evidence,
    )


def _conflicts(found: Duplicated, train: Prints, val: Prints) -> tuple[int, str]:
    """Groups of duplicates whose labels differ, and a sentence with one of them."""
    n = len(val)
    a = np.concatenate([found.across.first, found.val.first, found.train.first + n])
    b = np.concatenate([found.across.second + n, found.val.second, found.train.second + n])
    if not len(a):
        return 0, ""
    size = n + len(train)
    joined = scipy.sparse.coo_array((np.ones(len(a), np.int8), (a, b)), shape=(size, size))
    group = scipy.sparse.csgraph.connected_components(joined, directed=False)[1]
    members = np.unique(np.concatenate([a, b]))
    labels = np.concatenate([val.labels, train.labels])[members]
    members, labels = members[labels >= 0], labels[labels >= 0]
    kinds = np.unique(np.stack([group[members], labels], 1), axis=0)[:, 0]
    which, counts = np.unique(kinds, return_counts=True)
    mixed = which[counts > 1]
    if not len(mixed):
        return 0, ""
    here = members[group[members] == mixed[0]]
    own = labels[group[members] == mixed[0]]
    other = here[np.flatnonzero(own != own[0])[0]]
    names = " and ".join(_name(i, train, val) for i in (here[0], other))
    groups = "1 group of duplicates has" if len(mixed) == 1 else f"{len(mixed):,} groups of duplicates have"
    return len(mixed), f"{groups} different labels, such as {names}."


def _name(index: int, train: Prints, val: Prints) -> str:
    if index < len(val):
        return f"{val.names[index][:60]} (validation)"
    return f"{train.names[index - len(val)][:60]} (training)"
