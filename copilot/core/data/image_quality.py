"""OVF406: images that hold little, or are of another kind than the rest of their set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # its parts load when first used
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome
from copilot.utils.validators import clean_text

KINDS = {
    "broken": "cannot be read",
    "flat": "show one even tone",
    "dark": "are nearly black",
    "bright": "are nearly white",
    "blurred": "are far blurrier than the rest",
    "empty": "hold far less detail than the rest",
    "size": "are of an odd size",
    "aspect": "are of an odd shape",
    "channels": "are files of another number of channels than most",
    "grey": "look grey among colour images, or coloured among grey ones",
}
MILD = ("grey",)  # common among photographs: matters only where it gathers
_NEEDED = ("contrast", "darkest", "brightest", "sharpness", "entropy", "width", "height", "aspect", "grey", "stored")
_MAD = 0.6745  # of a normal distribution's standard deviation
_SCALES = {"size": 0.05, "aspect": 0.02, "blurred": 0.1, "empty": 0.1}  # spreads below which a set counts as even


class QualityThresholds(Thresholds):
    """When an image is odd, and how many matter."""

    contrast: float = Field(
        3.0, ge=0, description="Standard deviation of the grey levels below which an image is flat."
    )
    dark: float = Field(25.0, ge=0, le=255, description="Grey level that 99 % of a nearly black image lie below.")
    bright: float = Field(230.0, ge=0, le=255, description="Grey level that 99 % of a nearly white image lie above.")
    outlier: float = Field(
        6.0,
        gt=0,
        description="Robust standard deviations below the set's median beyond which an image is blurred or empty.",
    )
    odd: float = Field(6.0, gt=0, description="The same to either side, of size and shape.")
    minority: float = Field(
        0.1, gt=0, lt=0.5, description="Share of the set beyond which something odd is one of its kinds, and no fault."
    )
    share: float = Field(0.005, gt=0, lt=1, description="Share of odd images that counts.")
    medium_share: float = Field(0.02, gt=0, lt=1, description="Share of odd images of medium severity.")
    high_share: float = Field(0.1, gt=0, lt=1, description="Share of odd images of high severity.")
    times: float = Field(
        4.0, gt=1, description="How many times the share elsewhere tells a class or set by its odd images."
    )
    chance: float = Field(0.001, gt=0, lt=1, description="Probability under chance, over all classes, for the same.")


@dataclass(frozen=True)
class Looks:
    """Properties (`copilot.imaging.properties`) of all images of a set, rows zero where one could not be read."""

    values: Mapping[str, np.ndarray]
    readable: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.readable)


@dataclass(frozen=True)
class Odd:
    """Images of both sets that are odd: a row for each kind an image shows, the worst first.

    ``split`` is 0 of training and 1 of validation; ``places`` are images of that set; ``by`` is how far each is beyond
    its limit, in robust standard deviations.
    """

    kind: np.ndarray
    split: np.ndarray
    places: np.ndarray
    by: np.ndarray

    def images(self, split: int, kind: str | None = None) -> np.ndarray:
        """Places of the odd images of a set."""
        return np.unique(self.places[(self.split == split) & ((self.kind == kind) | (kind is None))])


class ImageQuality(BaseCheck):
    """Some images cannot be read, hold nearly nothing, or are of another kind than their set.

    Absolute limits find images that are broken, flat, nearly black or nearly white. Others are judged against both
    sets together, by the median and the deviation to that side: log sharpness (variance of the Laplacian) for blur,
    entropy of the grey levels for emptiness, log area and log aspect for size and shape, and channels. Images that only
    look grey among coloured ones are counted apart. What more than a `minority` of the images show is how these images
    are, and no fault. For each kind the share in each class, and in each set, is compared with the rest by Fisher's
    exact test, corrected for the number of tests.

    Why it matters: Nothing can be learned from an empty image but its label, by heart. If odd images gather in one
    class, a model may learn the oddity instead of the class, and does well on validation for the wrong reason; if they
    gather in one set, the two sets do not ask the same question.

    Source: J. L. Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000, for blur; P. J.
    Rousseeuw and C. Croux, Alternatives to the Median Absolute Deviation, JASA 88, 1993; R. Geirhos et al., Shortcut
    Learning in Deep Neural Networks, arXiv:2004.07780. The limits are this project's own.

    When it is wrong: A calm sky is blurred and empty by these measures and may be a good image. Sets of many sizes or
    kinds have wide limits and show little. Below some hundred images the limits are rough.
    """

    code = "OVF406"
    title = "Image quality"
    name: ClassVar[str] = "image_quality"
    scope: ClassVar[str] = "images"
    Thresholds = QualityThresholds

    def find(self, train: Looks, val: Looks) -> Odd:
        """Look for odd images."""
        both = {name: np.concatenate([s.values[name] for s in (train, val)]).astype(np.float64) for name in _NEEDED}
        readable = np.concatenate([train.readable, val.readable])
        beyond = {"broken": np.where(readable, 0.0, np.inf)} | self._absolute(both) | self._relative(both, readable)
        parts = []
        for kind, by in beyond.items():
            hit = (by > 0) & (readable | (kind == "broken"))
            if kind not in ("broken", "flat") and hit.sum() > self.thresholds.minority * max(readable.sum(), 1):
                continue
            where = np.flatnonzero(hit)
            parts.append((np.full(len(where), kind, dtype="U10"), where, by[where]))
        kinds, where, by = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(-by, kind="stable")
        kinds, where, by = kinds[order], where[order], by[order]
        split = (where >= len(train)).astype(np.int64)
        return Odd(kinds, split, where - split * len(train), by)

    def _absolute(self, both: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        limits = self.thresholds
        return {
            "flat": (limits.contrast - both["contrast"]) * 10,
            "dark": limits.dark - both["brightest"],
            "bright": both["darkest"] - limits.bright,
        }

    def _relative(self, both: dict[str, np.ndarray], readable: np.ndarray) -> dict[str, np.ndarray]:
        limits = self.thresholds
        area = np.log(np.maximum(both["width"] * both["height"], 1))
        below = {"blurred": np.log(both["sharpness"] + 1), "empty": both["entropy"]}
        found = {
            kind: -_beyond(values, readable, _SCALES[kind], one_side=True) - limits.outlier
            for kind, values in below.items()
        }
        for kind, values in (("size", area), ("aspect", np.log(np.maximum(both["aspect"], 1e-6)))):
            found[kind] = np.abs(_beyond(values, readable, _SCALES[kind])) - limits.odd
        for kind, values in (("channels", both["stored"] == 1), ("grey", (both["grey"] > 0) & (both["stored"] == 3))):
            odd = ~values if 2 * values[readable].sum() > readable.sum() else values
            found[kind] = np.where(odd, 1.0, 0.0)
        return found

    def judge(self, train: Looks, val: Looks, found: Odd, class_names: Sequence[Sequence[str]] = ((), ())) -> Outcome:
        """The outcome of what `find` found.

        Parameters
        ----------
        train, val : Looks
        found : Odd
        class_names : two sequences of str
            Those of the training set and of the validation set.
        """
        total = len(train) + len(val)
        if not total:
            return self.outcome("not_applicable", "There are no images.")
        counts = {kind: [len(found.images(split, kind)) for split in (0, 1)] for kind in KINDS}
        strong = ~np.isin(found.kind, MILD)
        odd = len(np.unique(np.stack([found.split[strong], found.places[strong]]), axis=1).T)
        share = odd / total
        gathered = self._gathered(train, val, found, class_names)
        evidence = [
            Evidence(name="odd_images", value=odd, unit="images"),
            Evidence(name="odd_share", value=round(share, 6), unit="fraction"),
            *(
                Evidence(name=f"{kind}_{split}", value=count, unit="images")
                for kind, both in counts.items()
                for split, count in zip(("train", "val"), both, strict=True)
                if sum(both)
            ),
            *(item for _, item in gathered),
        ]
        told = [f"{sum(both):,} {KINDS[kind]}" for kind, both in counts.items() if sum(both) and kind not in MILD]
        words = f"{odd:,} of {total:,} images ({percent(share, 1)}) are odd: {', '.join(told)}." if odd else ""
        words = " ".join([words or f"None of {total:,} images is odd.", *(line for line, _ in gathered[:2])])
        if not (share >= self.thresholds.share or gathered or sum(counts["broken"])):
            margin = math.log(self.thresholds.share / max(share, 1e-4))
            return self.outcome("passed", words, confidence=confidence_from(margin), evidence=evidence)
        severity = severity_of(share, self.thresholds.medium_share, self.thresholds.high_share)
        if gathered and severity == "low":
            severity = "medium"
        return self.outcome("issue", words, severity=severity, confidence=0.9 if gathered else 0.8, evidence=evidence)

    def _gathered(
        self, train: Looks, val: Looks, found: Odd, class_names: Sequence[Sequence[str]]
    ) -> list[tuple[str, Evidence]]:
        """Sentence and evidence for each class or set that holds far more of a kind than the rest."""
        groups: list[tuple[str, np.ndarray]] = []
        for split, names in enumerate(class_names):
            which = "training" if split == 0 else "validation"
            own = np.concatenate([np.full(len(train), split == 0), np.full(len(val), split == 1)])
            labels = np.concatenate([train.labels, val.labels])
            groups += [(f"{clean_text(n, 40)} in {which}", own & (labels == c)) for c, n in enumerate(names)]
            groups.append((f"the {which} set", own))
        told = []
        for kind in KINDS:
            hit = np.zeros(len(train) + len(val), bool)
            chosen = found.kind == kind
            hit[found.places[chosen] + found.split[chosen] * len(train)] = True
            if hit.sum() >= 5:
                told += self._compared(kind, hit, groups)
        return [item[1:] for item in sorted(told, key=lambda item: item[0])]

    def _compared(
        self, kind: str, hit: np.ndarray, groups: list[tuple[str, np.ndarray]]
    ) -> list[tuple[float, str, Evidence]]:
        told = []
        for name, mine in groups:
            inside, outside = int(hit[mine].sum()), int(hit[~mine].sum())
            n, rest = int(mine.sum()), int((~mine).sum())
            if not n or not rest:
                continue
            here, there = inside / n, outside / rest
            if here < self.thresholds.times * there or not inside:
                continue
            chance = scipy.stats.fisher_exact([[inside, n - inside], [outside, rest - outside]], "greater")[1]
            chance *= len(groups) * len(KINDS)
            if chance >= self.thresholds.chance:
                continue
            line = (
                f"Of {name}, {percent(here, 1)} {KINDS[kind]}, of the rest {percent(there, 1)}: a model may learn that."
            )
            evidence = Evidence(name=f"{kind}_share", value=round(here, 6), unit="fraction", source=name)
            told.append((chance, line, evidence))
        return told


def _beyond(values: np.ndarray, readable: np.ndarray, least: float, *, one_side: bool = False) -> np.ndarray:
    """Robust standard deviations from the readable images' median; of one side, by that side's own deviations."""
    known = values[readable]
    if not len(known):
        return np.zeros(len(values))
    middle = float(np.median(known))
    apart = middle - known[known <= middle] if one_side else np.abs(known - middle)
    return (values - middle) / max(float(np.median(apart)) / _MAD, least)
