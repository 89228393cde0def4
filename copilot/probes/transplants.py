"""Patches of training images put into validation images: what a place of an image does to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from copilot.core.statistics import student_quantile
from copilot.probes.asking import Asker, place_in_words
from copilot.probes.base import Examined, Sample, Steps
from copilot.probes.patches import FEW, Place, looks, sizes_for, standing_out, suspects
from copilot.probes.samples import class_word

SCREENED_PIXELS = 30_000_000  # of each split: six hundred images of 224 pixels
RIM = 8  # four corners and the middles of four edges


@dataclass(frozen=True)
class Plan:
    """How much is tried: classes whose corners and edges are, and donors and receivers a place, in trial and proof."""

    suspects: int
    rim_of: int
    trial: tuple[int, int]
    finalists: int
    controls: int
    proof: tuple[int, int]

    @property
    def images(self) -> int:
        trial = (self.suspects + self.suspects // 2 + RIM * self.rim_of) * self.trial[0] * self.trial[1]
        return 2 * (trial + (self.finalists + self.controls) * self.proof[0] * self.proof[1])


PLANS = (
    Plan(24, 5, (8, 2), 6, 12, (24, 4)),
    Plan(20, 3, (8, 1), 5, 10, (20, 2)),
    Plan(14, 1, (5, 1), 4, 8, (14, 2)),
    Plan(8, 1, (4, 1), 2, 6, (12, 2)),
)


@dataclass(frozen=True)
class Effect:
    """What patches of a place do: one difference a donor, training minus validation donor, and the probabilities."""

    place: Place
    differences: np.ndarray
    by_train: float
    by_val: float

    @property
    def mean(self) -> float:
        return float(self.differences.mean())

    @property
    def error(self) -> float:
        n = len(self.differences)
        return float(max(self.differences.std(ddof=1), 1e-3) / np.sqrt(n)) if n > 1 else float("inf")

    @property
    def chance(self) -> float:
        """One-sided p-value of Student's paired test that training patches do no more than validation patches."""
        return float(student.sf(self.mean / self.error, max(len(self.differences) - 1, 1)))

    @property
    def interval(self) -> tuple[float, float]:
        half = student_quantile(max(len(self.differences) - 1, 1)) * self.error
        return self.mean - half, self.mean + half


class Search:
    """One search: the images, parted into halves for trial and proof, and the model."""

    def __init__(
        self,
        examined: Examined,
        labels: np.ndarray,
        rng: np.random.Generator,
        most_asked: int,
        budget_s: float,
        most_screened: int,
    ) -> None:
        self.examined, self.rng, self.most_screened = examined, rng, most_screened
        self.halves = [_halves(sample.labels, rng) for sample in (examined.train, examined.val)]
        self.ask = Asker(examined.predict, budget_s)
        self.ask.warm_up(examined.val.images)
        afford = self.ask.affordable(most_asked)
        self.wanted, self.plan = (
            next((plan for plan in PLANS if plan.images <= limit), PLANS[-1]) for limit in (most_asked, afford)
        )
        self.labels = labels
        self.suspected: list[Place] = []

    def places(self) -> list[Place]:
        """The suspects of the first halves, and the corners of the classes that are most suspect."""
        train, val = self.examined.train, self.examined.val
        most = min(self.most_screened, max(SCREENED_PIXELS // val.images[0, ..., 0].size, 100))
        rows, others = (self.rng.permutation(halves[0])[:most] for halves in self.halves)
        found = suspects(
            train.images[rows],
            train.labels[rows],
            val.images[others],
            val.labels[others],
            self.labels,
            self.plan.suspects,
        )
        self.suspected = found
        shape = train.images.shape[1:3]
        first = list(dict.fromkeys([place.label for place in found] + self.labels.tolist()))[: self.plan.rim_of]
        rim = [place for label in first for place in _rim(label, shape)]
        whole = [self._whole(place) for place in found[: self.plan.suspects // 2]]
        return list(dict.fromkeys([place.grown(shape) for place in found] + whole + rim))

    def _whole(self, place: Place) -> Place:
        """The place with what differs around it: a suspect may be a part of a mark, and a part says less."""
        shape = self.examined.train.images.shape[1:3]
        left, top, width, height = self.extent(place.grown(shape).grown(shape), 0)
        if (size := max(width, height)) > sizes_for(shape)[-1]:
            return place.grown(shape)
        return Place(place.label, top, left, size, place.score, place.feature).grown(shape)

    def tried(self, places: Sequence[Place], steps: Steps) -> list[Place]:
        """The places whose effect is the largest on the first half, those that overlap told once a class."""
        effects = []
        for place in places:
            effects.append(self.effect(place, 0, self.plan.trial))
            steps.done(f"{len(effects)} of {len(places)} places tried")
        kept: list[Place] = []
        for effect in sorted(effects, key=lambda effect: -effect.mean):
            if not any(effect.place.label == other.label and effect.place.overlaps(other) for other in kept):
                kept.append(effect.place)
        return kept[: self.plan.finalists]

    def proved(self, places: Sequence[Place], steps: Steps) -> tuple[list[Effect], list[Effect]]:
        """Effects on the second half, of the places and of as large patches at random ones."""
        found, controls = [], []
        for place in places:
            found.append(self.effect(place, 1, self.plan.proof))
            steps.done(f"place {len(found)} of {len(places)} proved")
        for _ in range(self.plan.controls):
            if place := self._random_place(places):
                controls.append(self.effect(place, 1, self.plan.proof))
            steps.done("patches of random places")
        return found, controls

    def _random_place(self, places: Sequence[Place]) -> Place | None:
        """Apart from the places of its class; None where these leave no room."""
        h, w = self.examined.train.images.shape[1:3]
        for _ in range(50):
            size = places[self.rng.integers(len(places))].size
            y, x = self.rng.integers(0, h - size + 1), self.rng.integers(0, w - size + 1)
            place = Place(int(self.rng.choice(self.labels)), int(y), int(x), size)
            if not any(place.label == other.label and place.overlaps(other) for other in places):
                return place
        return None

    def effect(self, place: Place, half: int, shape: tuple[int, int]) -> Effect:
        """Put patches of donors of both splits into the same receivers; ``shape`` is donors and receivers of each."""
        donors = [self._donors(split, half, place.label) for split in (0, 1)]
        n = min(shape[0], *(len(rows) for rows in donors))
        receivers = self.receivers(place.label, n * shape[1], half)
        repeats = len(receivers) // n
        receivers = receivers[: n * repeats]
        made = [
            self.transplanted(place, np.repeat(sample.images[rows[:n]], repeats, axis=0), receivers)
            for sample, rows in zip((self.examined.train, self.examined.val), donors, strict=True)
        ]
        chances = self.ask(np.concatenate(made))[:, place.label].reshape(2, n, repeats)
        by_train, by_val = chances.mean(axis=2)
        return Effect(place, by_train - by_val, float(by_train.mean()), float(by_val.mean()))

    def _donors(self, split: int, half: int, label: int) -> np.ndarray:
        sample = (self.examined.train, self.examined.val)[split]
        rows = self.halves[split][half]
        return self.rng.permutation(rows[sample.labels[rows] == label])

    def receivers(self, label: int, n: int, half: int = 1) -> np.ndarray:
        """Validation images of other classes, each used as seldom as can be."""
        rows = self.halves[1][half]
        rows = self.rng.permutation(rows[self.examined.val.labels[rows] != label])
        return np.resize(rows, n)

    def transplanted(self, place: Place, donors: np.ndarray, receivers: np.ndarray) -> np.ndarray:
        images = self.examined.val.images[receivers].copy()
        rows, columns = place.window
        images[:, rows, columns] = donors[:, rows, columns]
        return images

    def class_word(self, place: Place) -> str:
        return class_word(self.examined, place.label)

    def words(self, place: Place) -> str:
        return place_in_words(place.y + place.size / 2, place.x + place.size / 2, self.examined.train.images.shape[1:3])

    def extent(self, place: Place, half: int | None = None) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels of where training patches of the class differ from validation ones.

        ``half`` is that of both splits which is looked at, by default both halves.
        """
        train, val, window = self.examined.train, self.examined.val, (slice(None), *place.window)
        rows = [np.concatenate(halves) if half is None else halves[half] for halves in self.halves]
        own = [r[s.labels[r] == place.label] for s, r in zip((train, val), rows, strict=True)]
        means = [s.images[chosen][window].mean(axis=0) for s, chosen in zip((train, val), own, strict=True)]
        differs = np.abs(means[0] - means[1]).max(axis=2)
        ys, xs = np.nonzero(differs >= differs.max() / 2)
        return place.x + int(xs.min()), place.y + int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1

    def carrying(self, place: Place) -> tuple[float, np.ndarray]:
        """Share of the class' training images that show the mark, and their indices, those that show it most first.

        An image shows it if its patch lies further towards the mark than 98 % of validation images' patches do; what
        validation images of the class show by chance is taken off.
        """
        train, val = self.examined.train, self.examined.val
        of_train, of_val = (_crops(sample.images, place) for sample in (train, val))
        usual = of_val[val.labels == place.label].mean(axis=0)
        direction = of_train[train.labels == place.label].mean(axis=0) - usual
        shown, by_chance = of_train @ direction, of_val @ direction
        own, limit = np.flatnonzero(train.labels == place.label), np.quantile(by_chance, 0.98)
        usually = float((by_chance[val.labels == place.label] > limit).mean())
        share = (float((shown[own] > limit).mean()) - usually) / max(1 - usually, 1e-6)
        return float(np.clip(share, 0, 1)), own[np.argsort(-shown[own], kind="stable")]

    def confirmed_score(self, place: Place) -> float:
        """How many standard errors the class stands out at a place, on the halves that the search did not see."""
        h, w = self.examined.train.images.shape[1:3]
        margin = max(1, place.size // 2)
        top, left = max(place.y - margin, 0), max(place.x - margin, 0)
        window = (
            slice(None),
            slice(top, min(place.y + place.size + margin, h)),
            slice(left, min(place.x + place.size + margin, w)),
        )
        values, labels = [], []
        for sample, rows in ((self.examined.train, self.halves[0][1]), (self.examined.val, self.halves[1][1])):
            look, stride = looks(sample.images[rows][window], place.size)
            values.append(look[place.feature, :, (place.y - top) // stride, (place.x - left) // stride][:, None])
            labels.append(sample.labels[rows])
        score = standing_out(values[0], labels[0], values[1], labels[1], np.array([place.label]))
        return float(abs(score[0, 0]))


def _crops(images: np.ndarray, place: Place) -> np.ndarray:
    """Contrast of each pixel of the place to the patch's median, as rows."""
    rows, columns = place.window
    crops = images[:, rows, columns].astype(np.float64)
    crops -= np.median(crops, axis=(1, 2), keepdims=True)
    return crops.reshape(len(images), -1)


def usable(train: Sample, val: Sample, classes: int) -> np.ndarray:
    """Classes that the model knows with images enough in each half, at most forty, the most frequent first.

    Of others there must be enough too: in each half of validation some must be left to put patches into.
    """
    n, k = (np.bincount(s.labels, minlength=classes)[:classes] for s in (train, val))
    enough = np.flatnonzero((n >= 2 * FEW) & (k >= FEW) & (len(train) - n >= FEW) & (len(val) - k >= FEW))
    return enough[np.argsort(-n[enough], kind="stable")][:40]


def _halves(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices parted in two, each class in equal parts."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return order[::2], order[1::2]


def _rim(label: int, shape: tuple[int, int]) -> list[Place]:
    """The four corners and the middles of the four edges."""
    size = sizes_for(shape)[-1]
    (top, middle, bottom), (left, centre, right) = ((0, (side - size) // 2, side - size) for side in shape)
    at = [(y, x) for y in (top, middle, bottom) for x in (left, centre, right) if (y, x) != (middle, centre)]
    return [Place(label, y, x, size) for y, x in at]
