"""OVF304: whether the model looks at corners, rim and background rather than at what is shown."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from copilot.core.checks.base import Thresholds, confidence_from, percent, severity_of
from copilot.core.findings import Evidence, Outcome, Picture
from copilot.probes.asking import Asker, mean_interval, some
from copilot.probes.base import BaseProbe, Examined, Probed, Progress, Sample
from copilot.probes.gradients import gradient_shares
from copilot.probes.looking import Beyond, Looked, compared
from copilot.probes.occlusion import backgrounds, corners, occlusion_maps, rim, shares
from copilot.probes.samples import class_word
from copilot.probes.sheets import overlay_sheet

GRIDS = (8, 6)


class AttributionThresholds(Thresholds):
    """Odds compare the share of the attribution in a part of the image with that part's share of the area."""

    min_odds: float = Field(2.0, gt=1, description="Odds of a part's attribution over those of its area that count.")
    high_odds: float = Field(6.0, gt=1, description="Odds of high severity.")
    min_fall: float = Field(0.02, gt=0, lt=1, description="Fall by the strongest patch below which no image is told.")
    significance: float = Field(0.01, gt=0, lt=1, description="Chance of a false alarm over all parts and classes.")
    min_images: int = Field(8, ge=3, description="Images of a class or a split below which nothing is told of it.")
    max_images: int = Field(120, ge=10, description="Images of each split that are covered patch by patch, at most.")
    max_gradients: int = Field(24, ge=0, description="Of these, images whose gradients are told beside, at most.")
    budget_s: float = Field(240.0, gt=0, description="Seconds that the probe may take; fewer images are asked if less.")


class Attribution(BaseProbe):
    """The model looks at corners, the rim or the background more than at what is shown.

    Each of a sample of images is covered patch by patch with its mean colour, and the fall of the predicted class'
    probability is the attribution of the patch. The share of the attribution that lies in the four corners (squares of
    a quarter of the side), on the rim (an eighth of the side) and in the background is compared with the share of the
    area: their odds ratio is 1 where the model looks anywhere alike, and below 1 where it looks at an object in the
    middle. The background is guessed as what looks like the middle of an edge and is connected with the rim; images
    in which this is less than a seventh or more than nine tenths of the area are left out of that part. A part counts
    when the odds ratio on training images, of all classes or of one, is `min_odds` at the lower end of its interval,
    which is corrected for the number of parts and classes; the interval that is told is the ordinary one. Where the
    model has gradients and time is left, the shares by integrated gradients are told beside, of a few images. Where
    the model is too slow for `budget_s`, patches are coarser and images fewer; the summary and the sources say so.

    Why it matters: What decides the class should be the object. A model that looks at the corner reads a mark, and one
    that looks at the background knows where objects are photographed; both fail elsewhere.

    Source: M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014,
    arXiv:1311.2901, for covering; M. Sundararajan, A. Taly and Q. Yan, Axiomatic Attribution for Deep Networks, ICML
    2017, arXiv:1703.01365, for integrated gradients; K. Xiao et al., Noise or Signal: The Role of Image Backgrounds in
    Object Recognition, ICLR 2021, arXiv:2006.09994. Parts and limits are this project's own.

    When it is wrong: Objects may fill the image or stand at its rim, and scenes have no background. A covered patch
    is itself something new to the model. Where many patches say the same, covering one changes nothing, and such
    images are left out. A busy background is not found by its colour. In a model that is wrong on most images it says
    where errors come from, not what it has learned.
    """

    code = "OVF304"
    title = "Where the model looks"
    name = "attribution"
    needs = "predict"
    Thresholds = AttributionThresholds

    def probe(self, examined: Examined, progress: Progress) -> Probed:
        train, val, t = examined.train, examined.val, self.thresholds
        if train.images is None or val.images is None or min(len(train), len(val)) < t.min_images:
            return Probed(self.outcome("not_applicable", f"{t.min_images} images of each split or more are needed."))
        if min(train.images.shape[1:3]) < 16:
            return Probed(self.outcome("not_applicable", "Images of less than 16 pixels are too small for patches."))
        rng = np.random.default_rng([examined.seed, 304])
        ask = Asker(examined.predict, t.budget_s)
        ask.warm_up(val.images)
        wanted = min(t.max_images, max(len(train), len(val)))
        grid, n = _plan(ask, wanted)
        of = "" if n == wanted else f", {n} of {wanted}"
        looked = [
            _looked(ask, split, sample, some(sample, n, rng), grid, of, _half(progress, number))
            for number, (split, sample) in enumerate((("training", train), ("validation", val)))
        ]
        outcome, beyond = self._judged(looked, examined, rng)
        shares_by, word = gradient_shares(examined, looked, t.max_gradients, ask, rng)
        cut = ""
        if n < wanted or grid < GRIDS[0]:
            told = f"{n} of {wanted} images of each split with {grid} x {grid} patches"
            cut = f" The {t.budget_s:g} s of `budget_s` allowed {told}."
        outcome = outcome.model_copy(
            update={"summary": outcome.summary + cut + word, "evidence": (*outcome.evidence, *shares_by)}
        )
        return Probed(outcome, (_picture(looked, beyond, examined, self.code),))

    def _judged(
        self, looked: list[Looked], examined: Examined, rng: np.random.Generator
    ) -> tuple[Outcome, Beyond | None]:
        t = self.thresholds
        measured = self._measured(looked[0])
        evidence = [item for one in looked for item in self._evidence(one, rng)]
        if not measured:
            text = f"Covering a patch lowers no class by {percent(t.min_fall)} on enough images to tell where it looks."
            return self.outcome("not_applicable", text, evidence=evidence), None
        found = sorted((x for x in measured if x.sure >= t.min_odds), key=lambda x: (-x.sure, x.label is None))
        if not found:
            most = max((x for x in measured if x.label is None), key=lambda x: x.odds, default=measured[0])
            within = _within(most, t.min_odds)
            text = f"No part draws the model surely beyond the limit: {_words(most, examined)}, {within}."
            margin = min(float(np.log(most.odds / t.min_odds)), 0.0)
            return self.outcome("passed", text, confidence=confidence_from(margin), evidence=evidence), None
        first = found[0]
        evidence = [*self._told(first, looked, examined), *evidence]
        return self.outcome(
            "issue",
            self._summary(first, looked[1], examined),
            severity=severity_of(first.odds, (t.min_odds * t.high_odds) ** 0.5, t.high_odds),
            confidence=confidence_from(np.log(first.sure / t.min_odds)),
            evidence=evidence,
        ), first

    def _measured(self, looked: Looked) -> list[Beyond]:
        """Each part for all classes and for each class with enough images; bounds are corrected for their number."""
        t, groups = self.thresholds, []
        for part in looked.parts:
            share, area, usable = looked.telling(part, t.min_fall)
            labels = looked.classes[usable]
            rows = {None: np.ones(len(labels), bool)} | {int(k): labels == k for k in np.unique(labels)}
            groups += [(part, k, share[own], area[own]) for k, own in rows.items() if own.sum() >= t.min_images]
        return [compared(*group, t.significance / len(groups)) for group in groups]

    def _told(self, first: Beyond, looked: list[Looked], examined: Examined) -> list[Evidence]:
        source = f"{first.part}, {_of(first, examined)}"
        return [
            Evidence(
                name="attribution_odds",
                value=first.odds,
                unit="times",
                source=f"{source}, training",
                low=first.low,
                high=first.high,
            ),
            *(
                Evidence(name="attribution_share", value=share, unit="fraction", source=f"{source}, {one.split}")
                for one in looked
                if (share := self._share(one, first)) is not None
            ),
        ]

    def _share(self, looked: Looked, beyond: Beyond) -> float | None:
        share, _, usable = looked.telling(beyond.part, self.thresholds.min_fall)
        own = share if beyond.label is None else share[looked.classes[usable] == beyond.label]
        return float(own.mean()) if len(own) else None

    def _evidence(self, looked: Looked, rng: np.random.Generator) -> list[Evidence]:
        source = f"{looked.split}, {looked.grid} x {looked.grid} patches{looked.of}"
        items = [Evidence(name="images_covered", value=len(looked.images), unit="images", source=source)]
        for part in looked.parts:
            share, area, _ = looked.telling(part, self.thresholds.min_fall)
            if len(share) < 3:
                continue
            source = f"{part}, {looked.split}, {len(share)} images"
            low, high = mean_interval(share, rng)
            items += [
                Evidence(
                    name="occlusion_share",
                    value=float(share.mean()),
                    unit="fraction",
                    source=source,
                    low=low,
                    high=high,
                ),
                Evidence(name="area_share", value=float(area.mean()), unit="fraction", source=source),
            ]
        return items

    def _summary(self, first: Beyond, val: Looked, examined: Examined) -> str:
        share = self._share(val, first)
        beside = "" if share is None else f" On validation images it is {percent(share)}."
        return f"The model looks aside: {_words(first, examined)}.{beside}"


def _plan(ask: Asker, most: int) -> tuple[int, int]:
    """Patches along a side and images of each split that fit into the time; a coarser grid before fewer than 20."""
    for grid in GRIDS:
        n = ask.fitting(most, 2 * (grid * grid + 1), 8)
        if n >= min(20, most):
            break
    return grid, n


def _looked(ask: Asker, split: str, sample: Sample, rows: np.ndarray, grid: int, of: str, progress: Progress) -> Looked:
    images = sample.images[rows]
    classes = sample.probabilities[rows].argmax(axis=1)
    before = ask(images)[np.arange(len(rows)), classes]

    def told(done: int) -> None:
        progress(done / len(rows), f"{done} of {len(rows)} {split} images covered")

    maps = occlusion_maps(ask, images, classes, before, grid, told)
    whole = np.ones((len(rows), 1, 1), bool)
    parts = {
        "corners": corners(images.shape[1:3]) & whole,
        "rim": rim(images.shape[1:3]) & whole,
        "background": backgrounds(images),
    }
    return Looked(split, images, classes, maps, parts, grid, of)


def _half(progress: Progress, number: int) -> Progress:
    return lambda share, line: progress((number + share) / 2, line)


def _of(beyond: Beyond, examined: Examined) -> str:
    return "all classes" if beyond.label is None else class_word(examined, beyond.label)


def _words(beyond: Beyond, examined: Examined) -> str:
    verb = "are" if beyond.part == "corners" else "is"
    whose = "training images" if beyond.label is None else f"training images of {class_word(examined, beyond.label)}"
    return (
        f"{percent(beyond.share)} of what decides the class lies in the {beyond.part} of {whose}, which {verb} "
        f"{percent(beyond.area)} of the area"
    )


def _within(beyond: Beyond, limit: float) -> str:
    odds = f"odds of {beyond.odds:.2g} over those of the area"
    if beyond.odds <= limit:
        return f"{odds}, within the limit of {limit:g}"
    return f"{odds}, which so few images cannot tell from the limit of {limit:g}"


def _picture(looked: list[Looked], beyond: Beyond | None, examined: Examined, code: str) -> Picture:
    """Six images of each split with their maps: those that look aside the most, where a part is told."""
    images, maps, words = [], [], []
    for one in looked:
        order = np.argsort(-one.maps.max(axis=(1, 2)), kind="stable")
        if beyond:
            share = np.nan_to_num(shares(one.maps, one.parts[beyond.part]))
            own = np.ones(len(share), bool) if beyond.label is None else one.classes == beyond.label
            order = np.argsort(-(share + own), kind="stable")
        for i in order[:6]:
            images.append(one.images[i])
            maps.append(one.maps[i])
            words.append(f"{one.split}: {class_word(examined, int(one.classes[i]), 20)}")
    return overlay_sheet(
        images,
        maps,
        words,
        title="Where the model looks",
        caption="Vermilion: covering it lowers the predicted class; blue: covering it raises the class.",
        code=code,
    )
