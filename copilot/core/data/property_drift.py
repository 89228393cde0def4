"""OVF408: image properties that differ between two sets, of images of the same classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, severity_of
from copilot.core.data.image_properties import COLOURS, PROPERTIES
from copilot.core.data.two_samples import (
    Distance,
    Strata,
    holm,
    kolmogorov_smirnov,
    smallest_told,
    spread_of,
    strata,
)
from copilot.core.findings import Evidence, Outcome

Names = tuple[str, str]
_TOLD, _MOST_SPREADS = 3, 1000.0


class PropertyDriftThresholds(Thresholds):
    """How far and how surely a property must move to count."""

    alpha: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm, over all properties and classes.")
    moved: float = Field(0.06, gt=0, lt=1, description="Kolmogorov-Smirnov distance from which a property counts.")
    spreads: float = Field(
        0.1, ge=0, description="Wasserstein distance that it needs too, in spreads of the first set."
    )
    medium: float = Field(0.15, gt=0, lt=1, description="Kolmogorov-Smirnov distance of medium severity.")
    high: float = Field(0.3, gt=0, lt=1, description="Kolmogorov-Smirnov distance of high severity.")
    class_moved: float = Field(0.2, gt=0, lt=1, description="The distance from which one class alone counts.")
    min_images: int = Field(20, ge=5, description="Images that each set needs, and a class on either side.")


@dataclass(frozen=True)
class Moved:
    """One property, over all classes or in one. ``plain`` is the distance without regard to classes."""

    name: str
    label: int
    found: Distance
    spreads: float
    before: float
    after: float
    images: Names | tuple[int, int]
    plain: float = 0.0
    p_value: float = 1.0


@dataclass(frozen=True)
class MovedProperties:
    """What `PropertyDrift.find` found; ``rows`` and ``by_class`` with the largest distance first."""

    rows: tuple[Moved, ...]
    by_class: tuple[Moved, ...]
    groups: Strata
    classes: tuple[str, ...]
    names: Names
    images: tuple[int, int]


class PropertyDrift(BaseCheck):
    """Light, sharpness, colour or size of the images differ between two sets, beyond what their classes explain.

    Each property (`copilot.imaging.properties`) is compared by the Kolmogorov-Smirnov distance of its distribution
    functions and by Wasserstein's distance in spreads of the first set (quartile distance over 1.349). Images are
    compared with those of their own class: each class has the same weight in both sets, so that more night scenes among
    the classes are not taken for darker images. Classes with few images on a side are left out, and where that leaves
    out half of a set, or there are no labels, all images are compared as one group. The p-values are corrected for the
    number of properties by Holm's method. The same is done in each class by itself, for shifts of one class; each of
    the two gets half of `alpha`. With many images a p-value is always small: the distances decide then.

    Why it matters: A model is only as good on another set as that set is like what it learned from. A set from
    another camera, light, export or compression lowers the score for reasons that more training does not mend, and a
    property that differs between classes by accident is a shortcut.

    Source: S. Rabanser, S. Günnemann and Z. C. Lipton, Failing Loudly: An Empirical Study of Methods for Detecting
    Dataset Shift, NeurIPS 2019, arXiv:1810.11953, for two-sample tests with a correction; S. Holm, Scandinavian Journal
    of Statistics 6, 1979. Limits are this project's own; `benchmarks/drift.py` measures them on planted shifts.

    When it is wrong: Images that come in groups (frames of a video, patients, near duplicates) tell less than their
    number says, so that a chance difference of a few groups looks sure; look for groups and duplicates first (exact
    copies are counted once). A shift
    that leaves each property's distribution as it was, such as rotation, is not seen; OVF410 looks at that. Where two
    revisions share images, only what is new is compared.
    """

    code = "OVF408"
    title = "Image properties that moved"
    name: ClassVar[str] = "property_drift"
    scope: ClassVar[str] = "images"
    Thresholds = PropertyDriftThresholds

    def find(
        self,
        a: Mapping[str, np.ndarray],
        b: Mapping[str, np.ndarray],
        labels_a: np.ndarray,
        labels_b: np.ndarray,
        classes: Sequence[str] = (),
        names: Names = ("training", "validation"),
    ) -> MovedProperties:
        """Compare the properties that vary or differ.

        Parameters
        ----------
        a, b : mapping of str to ndarray of float, shape (n_a,) and (n_b,)
            `PROPERTIES` that were measured; `a` is the reference.
        labels_a, labels_b : ndarray of int, shape (n_a,) and (n_b,)
            Indices into `classes`; below 0 where there is none.
        classes : sequence of str
        names : (str, str)
            What the sets are called in sentences.
        """
        limits = self.thresholds
        groups = strata(labels_a, labels_b, least=2)
        enough = min(len(labels_a), len(labels_b)) >= limits.min_images
        chosen = list(_that_vary(a, b)) if enough else []
        rows = [_moved(a, b, name, -1, groups) for name in chosen]
        by_class = list(_class_rows(a, b, chosen, groups, limits.min_images))
        return MovedProperties(
            _ranked(rows), _ranked(by_class), groups, tuple(classes), names, (len(labels_a), len(labels_b))
        )

    def counting(self, found: MovedProperties) -> list[Moved]:
        """Properties that moved far and surely enough over all classes, else in single ones; the farthest first."""
        whole = [row for row in found.rows if self._counts(row, self.thresholds.moved)]
        return whole or [row for row in found.by_class if self._counts(row, self.thresholds.class_moved)]

    def judge(self, found: MovedProperties) -> Outcome:
        """The outcome of what `find` found."""
        limits = self.thresholds
        if min(found.images) < limits.min_images:
            few = (
                f"There are {found.images[0]:,} and {found.images[1]:,} images; {limits.min_images} are needed of each."
            )
            return self.outcome("not_applicable", few)
        if not found.rows:
            return self.outcome("passed", "All images of both sets are alike in every property.", confidence=0.9)
        counting = self.counting(found)
        least = smallest_told(float(found.groups.effective.sum()), limits.alpha / 2 / len(found.rows))
        evidence = [Evidence(name="smallest_distance_told", value=round(least, 4))]
        if not counting:
            return self._passed(found, least, evidence)
        told = counting[:_TOLD]
        words = "; ".join(_words(row, found.names, found.classes) for row in told)
        others = ", ".join(dict.fromkeys(PROPERTIES[row.name].label for row in counting[_TOLD:]))
        rest = f"; {others} moved too" if others else ""
        top = told[0]
        return self.outcome(
            "issue",
            f"The images of {found.names[1]} differ from those of {found.names[0]}{_of_class(found)}: {words}{rest}.",
            severity=severity_of(top.found.distance, limits.medium, limits.high) if top.label < 0 else "low",
            confidence=confidence_from(math.log(limits.alpha / max(top.p_value, 1e-12))),
            evidence=[*_evidence(told, found.classes), *evidence],
        )

    def _counts(self, row: Moved, distance: float) -> bool:
        limits = self.thresholds
        sure = row.p_value < limits.alpha / 2
        return sure and row.found.distance >= distance and row.spreads >= limits.spreads

    def _passed(self, found: MovedProperties, least: float, evidence: list[Evidence]) -> Outcome:
        limits, top = self.thresholds, found.rows[0]
        label = PROPERTIES[top.name].label
        mixed = [row for row in found.rows if row.plain >= max(limits.medium, least) and found.groups.matched]
        why = ""
        if mixed:
            own = PROPERTIES[mixed[0].name].label
            why = f" That {own} differs between the sets is explained by their shares of the classes."
        blunt = f" Distances below {least:.2f} cannot be told with so few images." if least > limits.medium else ""
        return self.outcome(
            "passed",
            f"No property of the images differs between {found.names[0]} and {found.names[1]}{_of_class(found)}; "
            f"the largest distance is that of {label} (Kolmogorov-Smirnov {top.found.distance:.2f}).{why}{blunt}",
            confidence=confidence_from(math.log(max(limits.high / least, 1.0))),
            evidence=[*_evidence([top], found.classes), *evidence],
        )


def _that_vary(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> Iterator[str]:
    no_colour = all(not side.get("saturation", np.zeros(1)).any() for side in (a, b))
    for name in PROPERTIES:
        if name in a and name in b and not (no_colour and name in COLOURS):
            first = a[name][:1]
            if len(first) and ((a[name] != first).any() or (b[name] != first).any()):
                yield name


def _moved(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], name: str, label: int, groups: Strata) -> Moved:
    x, y = (np.asarray(side[name], np.float64) for side in (a, b))
    found = kolmogorov_smirnov(x, y, groups)
    weight_a, _ = groups.weights()
    before = float(x @ weight_a)
    images = (int((groups.a >= 0).sum()), int((groups.b >= 0).sum()))
    plain = kolmogorov_smirnov(x, y).distance if groups.matched and groups.count > 1 else found.distance
    spreads = min(found.moved / spread_of(x[groups.a >= 0]), _MOST_SPREADS)
    return Moved(name, label, found, spreads, before, before + found.shift, images, plain)


def _class_rows(
    a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], chosen: list[str], groups: Strata, least: int
) -> Iterator[Moved]:
    """Each property in each class that has `least` images on both sides."""
    if not groups.matched or groups.count < 2:
        return
    rows_a, rows_b = _members(groups.a, groups.count), _members(groups.b, groups.count)
    for place, (in_a, in_b) in enumerate(zip(rows_a, rows_b, strict=True)):
        if min(len(in_a), len(in_b)) >= least:
            none = np.full(len(in_a), -1), np.full(len(in_b), -1)
            part_a, part_b = {n: a[n][in_a] for n in chosen}, {n: b[n][in_b] for n in chosen}
            one = strata(*none)
            yield from (_moved(part_a, part_b, name, int(groups.classes[place]), one) for name in chosen)


def _members(groups: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(-1, count), side="right")
    return np.split(order, ends)[1 : count + 1]


def _ranked(rows: list[Moved]) -> tuple[Moved, ...]:
    """Rows with their p-values corrected for their number, the largest distance first."""
    if not rows:
        return ()
    adjusted = holm(np.array([row.found.p_value for row in rows]))
    made = [Moved(**{**vars(row), "p_value": float(p)}) for row, p in zip(rows, adjusted, strict=True)]
    return tuple(sorted(made, key=lambda row: -row.found.distance))


def _of_class(found: MovedProperties) -> str:
    return " of the same classes" if found.groups.matched else ""


def _words(row: Moved, names: Names, classes: tuple[str, ...]) -> str:
    about = PROPERTIES[row.name]
    change = about.more if row.found.shift > 0 else about.less
    before, after = (f"{value:,.{about.digits}f}" for value in (row.before, row.after))
    if before == after:
        change = f"otherwise spread in {about.label}"
    unit = "" if about.unit in ("", "fraction") else f" {about.unit}"
    where = f"those of {classes[row.label]} are " if 0 <= row.label < len(classes) else ""
    times = f"over {_MOST_SPREADS:,.0f}" if row.spreads >= _MOST_SPREADS else f"{row.spreads:.2f}"
    return (
        f"{where}{change} ({about.label} {after}{unit} on average against {before}, {times} times its spread, "
        f"Kolmogorov-Smirnov {row.found.distance:.2f})"
    )


def _evidence(rows: Sequence[Moved], classes: tuple[str, ...]) -> list[Evidence]:
    """Numbers of some properties; the source names the class where it is of one alone."""
    made = []
    for row in rows:
        source = f"class {classes[row.label]}" if 0 <= row.label < len(classes) else ""
        unit = PROPERTIES[row.name].unit
        values = {
            "distance": (row.found.distance, ""),
            "moved": (row.spreads, "spreads"),
            "before": (row.before, unit),
            "after": (row.after, unit),
            "p_value": (row.p_value, ""),
        }
        for kind, (value, of) in values.items():
            made.append(Evidence(name=f"{row.name}_{kind}", value=float(f"{value:.6g}"), unit=of, source=source))
    return made
