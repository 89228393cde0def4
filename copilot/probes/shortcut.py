"""OVF305: a small mark in the training images gives the class away, and the model goes by it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome, Picture
from copilot.probes.base import BaseProbe, Examined, Probed, Progress, Steps
from copilot.probes.patches import FEW, Place
from copilot.probes.samples import class_name
from copilot.probes.sheets import contact_sheet
from copilot.probes.transplants import Effect, Search, usable


class ShortcutThresholds(Thresholds):
    """Effects are differences of the class' probability, from 0 to 1."""

    min_effect: float = Field(0.05, gt=0, lt=1, description="Rise of a class' probability by a patch that counts.")
    high_effect: float = Field(0.4, gt=0, lt=1, description="Rise of high severity.")
    significance: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm over all places and classes.")
    beyond_controls: float = Field(4.0, ge=0, description="Standard deviations beyond the patches of random places.")
    data_score: float = Field(
        8.0, gt=0, description="Standard errors of a difference in the images that is told anyway."
    )
    max_images_asked: int = Field(6000, ge=600, description="Changed images that the model is asked about, at most.")
    budget_s: float = Field(
        120.0, gt=0, description="Seconds that the search may take; fewer places are tried if less."
    )
    max_screened: int = Field(2000, ge=50, description="Images of each split whose patches are compared, at most.")


class Shortcut(BaseProbe):
    """A small mark in the training images gives their class away, and the model goes by the mark.

    First the images alone are searched. At every place of a dense grid, in several sizes, patches are described by
    their contrast to what surrounds them and by their spread, and the places are kept where a class differs from the
    others in training more than it does in validation. Corners and edges are always added. Then the model decides. At
    each place, patches of training images of the class are put into validation images of other classes, at the same
    place; and so are patches of validation images of the class. The effect is how much more the training patches raise
    the probability of the class. Places are chosen, sized and tried on one half of the images of both splits,
    and the best are proved on the other halves, with a paired test over donors, corrected for their number (Holm), and
    against patches of random places.

    Why it matters: A model that reads a hospital's tag, a watermark or a timestamp is right on its training images for
    a reason that does not hold elsewhere. Its training score is then worth nothing, and no augmentation or smaller
    model helps: the mark has to go.

    Source: R. Geirhos et al., Shortcut Learning in Deep Neural Networks, Nature Machine Intelligence 2, 2020,
    arXiv:2004.07780; S. Lapuschkin et al., Unmasking Clever Hans predictors, Nature Communications 10, 2019,
    arXiv:1902.10178; M. D. Zeiler and R. Fergus, arXiv:1311.2901, for changing a patch and asking again; S. Holm,
    Scandinavian Journal of Statistics 6, 1979. The search by transplants and its limits are this project's own.

    When it is wrong: A mark that lies elsewhere in each image, covers the whole image (a tint, a frame of all edges)
    or is larger than a fifth of a side is not searched for; nor is one that validation images carry just as much,
    since then nothing of training alone is learned. Classes with fewer than twelve training or six validation images
    in the sample, or with fewer than six images of other classes, are left out. A mark in few images of a class, or
    one that the model uses only together with the object, raises the probability too little. Where validation images
    come from another source, an object's part
    that is always at one place may differ so much that it looks like a mark.
    """

    code = "OVF305"
    title = "Shortcut"
    name = "shortcut"
    needs = "predict"
    Thresholds = ShortcutThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        train, val, t = examined.train, examined.val, self.thresholds
        if train.images is None or val.images is None:
            return Probed(self.outcome("not_applicable", "The images of both splits are needed."))
        labels = usable(train, val, min(len(examined.class_names), val.probabilities.shape[1]))
        if not len(labels) or min(train.images.shape[1:3]) < 8:
            few = (
                f"No class has {2 * FEW} training and {FEW} validation images of 8 pixels or more in the sample, "
                f"with {FEW} of other classes beside."
            )
            return Probed(self.outcome("not_applicable", few))
        rng = np.random.default_rng([examined.seed, 305])
        return self._judged(Search(examined, labels, rng, t.max_images_asked, t.budget_s, t.max_screened), progress)

    def _judged(self, search: Search, progress: Progress) -> Probed:
        progress(0.0, "comparing patches of training and validation images")
        places = search.places()
        steps = Steps(progress, len(places) + search.plan.finalists + search.plan.controls)
        found, controls = search.proved(search.tried(places, steps), steps)
        confirmed, counts = self._confirmed(found, controls), _counts(search, len(places), controls)
        cut = _cut(search, self.thresholds.budget_s)
        if not confirmed:
            return Probed(self._passed(max(found, key=lambda effect: effect.mean), search, len(places), counts, cut))
        severity = severity_of(confirmed[0].mean, self.thresholds.high_effect / 2, self.thresholds.high_effect)
        outcome = self.outcome(
            "issue",
            _summary(confirmed, search) + cut,
            severity=severity,
            confidence=confidence_from(np.log(confirmed[0].mean / self.thresholds.min_effect)),
            evidence=[item for effect in confirmed for item in _evidence(effect, search)] + counts,
        )
        return Probed(outcome, (self._picture(confirmed[0], search),))

    def _passed(self, best: Effect, search: Search, places: int, counts: list[Evidence], cut: str) -> Outcome:
        low, high = best.interval
        strongest = _told(best, search, "strongest_effect", best.mean, "fraction", low=low, high=high)
        text, evidence = _nothing(best, search, places), [strongest, *counts]
        margin = float(np.log(self.thresholds.min_effect / max(best.mean, 1e-3)))
        if unused := self._unused(search):
            place, score = unused
            text += (
                f" Yet training images of {search.class_word(place)} look different from validation images at the "
                f"{search.words(place)} ({score:.0f} standard errors): the model does not go by it, look at them."
            )
            evidence.append(
                Evidence(
                    name="unused_difference",
                    value=score,
                    unit="standard errors",
                    source=f"{search.class_word(place)}, {search.words(place)}, x {place.x}, y {place.y}",
                )
            )
        return self.outcome("passed", text + cut, confidence=confidence_from(max(margin, 0.0)), evidence=evidence)

    def _unused(self, search: Search) -> tuple[Place, float] | None:
        """The place where a class stands out in the training images of both halves, though the model ignores it."""
        if search.suspected and search.suspected[0].score >= self.thresholds.data_score:
            score = search.confirmed_score(search.suspected[0])
            if score >= self.thresholds.data_score:
                return search.suspected[0], score
        return None

    def _confirmed(self, found: Sequence[Effect], controls: Sequence[Effect]) -> list[Effect]:
        """The effects that are large, beyond chance (Holm) and beyond patches of random places; the largest first."""
        t, means = self.thresholds, np.array([control.mean for control in controls])
        limit = means.mean() + t.beyond_controls * means.std(ddof=1) if len(means) > 1 else 0.0
        kept = []
        for rank, effect in enumerate(sorted(found, key=lambda effect: effect.chance)):
            if effect.chance > t.significance / (len(found) - rank):
                break
            if effect.mean >= t.min_effect and effect.mean > limit:
                kept.append(effect)
        return sorted(kept, key=lambda effect: -effect.mean)

    def _picture(self, effect: Effect, search: Search) -> Picture:
        """Training images with the place framed, then a validation image before and after the transplant."""
        examined, place = search.examined, effect.place
        shown, name = search.carrying(place)[1][:6], search.class_word(place)
        receiver = search.receivers(place.label, 1)
        changed = search.transplanted(place, examined.train.images[shown[:5]], np.repeat(receiver, len(shown[:5])))
        below = np.concatenate([examined.val.images[receiver], changed])
        chances = examined.predict(below)[:, place.label]
        words = ["before", *["with the patch"] * len(changed)]
        return contact_sheet(
            [_framed(image, place) for image in np.concatenate([examined.train.images[shown], below])],
            [name] * len(shown) + [f"{word}: {percent(p)}" for word, p in zip(words, chances, strict=True)],
            title=f"A mark that gives {name} away",
            caption=f"Above: training images of {name}, the place framed. Below: a validation image of another class, "
            f"and the probability of {name} before and after those patches are put into it.",
            code=self.code,
            columns=6,
        )


def _framed(image: np.ndarray, place: Place) -> np.ndarray:
    """A small image enlarged, with a frame around the place."""
    times = max(1, 112 // max(image.shape[:2]))
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    colours = large[..., :3] if large.shape[2] >= 3 else np.repeat(large[..., :1], 3, axis=2)
    corner = (place.x * times - 1, place.y * times - 1)
    opposite = ((place.x + place.size) * times, (place.y + place.size) * times)
    return cv2.rectangle(
        np.ascontiguousarray(colours), corner, opposite, (230, 0, 120), max(1, max(large.shape) // 112)
    )


def _told(effect: Effect, search: Search, name: str, value: float | str, unit: str = "", **bounds: float) -> Evidence:
    place = effect.place
    return Evidence(
        name=name, value=value, unit=unit, source=f"{search.class_word(place)}, {search.words(place)}", **bounds
    )


def _evidence(effect: Effect, search: Search) -> list[Evidence]:
    place, (low, high) = effect.place, effect.interval
    left, top, width, height = search.extent(place)
    return [
        _told(effect, search, "shortcut_effect", effect.mean, "fraction", low=low, high=high),
        _told(effect, search, "probability_with_training_patch", effect.by_train, "fraction"),
        _told(effect, search, "probability_with_validation_patch", effect.by_val, "fraction"),
        _told(effect, search, "training_images_carrying_it", search.carrying(place)[0], "fraction"),
        _told(effect, search, "shortcut_class", class_name(search.examined, place.label)),
        _told(effect, search, "shortcut_place", search.words(place)),
        _told(effect, search, "shortcut_left", left, "pixels"),
        _told(effect, search, "shortcut_top", top, "pixels"),
        _told(effect, search, "shortcut_width", width, "pixels"),
        _told(effect, search, "shortcut_height", height, "pixels"),
    ]


def _cut(search: Search, budget_s: float) -> str:
    """What the budget left out, in a sentence; empty where it allowed the plan that was wanted."""
    if search.plan == search.wanted:
        return ""
    return (
        f" The {budget_s:g} s of `budget_s` allowed about {search.plan.images} changed images "
        f"of {search.wanted.images}: fewer places and fewer images a place."
    )


def _counts(search: Search, places: int, controls: Sequence[Effect]) -> list[Evidence]:
    largest = max((control.mean for control in controls), default=float("nan"))
    cut = search.plan != search.wanted
    of = f", of about {search.wanted.images}" if cut else ""
    source = "training and validation images" + (", fewer than planned" if cut else "")
    return [
        Evidence(name="places_tried", value=places, unit="places", source=source),
        Evidence(name="images_asked", value=search.ask.images, unit="images", source=f"changed validation images{of}"),
        Evidence(name="largest_effect_at_random", value=largest, unit="fraction", source="patches of random places"),
    ]


def _nothing(best: Effect, search: Search, places: int) -> str:
    low, high = best.interval
    return (
        f"The model goes by no small mark that was found: of {places} places tried, the strongest "
        f"({search.words(best.place)}, for {search.class_word(best.place)}) raises its class by "
        f"{best.mean * 100:.1f} points ({low * 100:.1f} to {high * 100:.1f}), on {search.ask.images} changed images."
    )


def _summary(confirmed: Sequence[Effect], search: Search) -> str:
    first = confirmed[0]
    place, (low, high) = first.place, first.interval
    _, _, width, height = search.extent(place)
    others = len({effect.place.label for effect in confirmed}) - 1
    also = f" Marks of {others} other class{'es' if others > 1 else ''} do so too." if others else ""
    return (
        f"The model goes by a mark of about {width} x {height} pixels in the {search.words(place)} of training images "
        f"of {search.class_word(place)}: put into validation images of other classes, it raises "
        f"the class from {percent(first.by_val)} to {percent(first.by_train)}, {low * 100:.0f} to {high * 100:.0f} "
        f"points more than the same patch of validation images does.{also}"
    )
