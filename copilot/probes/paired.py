"""Images asked about before and after a change, each compared with itself: what augmentation and invariance share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from copilot.core.findings import Evidence, Picture
from copilot.probes.asking import Asker, mean_interval, some
from copilot.probes.base import Examined, Progress, Sample, Steps
from copilot.probes.changes import Change
from copilot.probes.sheets import contact_sheet

_Z = 1.96
SPLITS = ("validation", "training")


@dataclass(frozen=True)
class Tried:
    """One change: whether each image was right before and after it, bool of shape (n,), in each split."""

    name: str
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]

    def gains(self, split: str) -> np.ndarray:
        """1 where the change made an image right, -1 where wrong, shape (n,)."""
        return self.after[split].astype(float) - self.before[split]

    def gain(self, split: str) -> float:
        return float(self.gains(split).mean())

    def interval(self, split: str) -> tuple[float, float]:
        """95 % interval of the gain by the normal approximation."""
        gains = self.gains(split)
        half = _Z * float(gains.std(ddof=1)) / len(gains) ** 0.5
        return self.gain(split) - half, self.gain(split) + half

    def chance(self, split: str, sign: int) -> float:
        """One-sided exact p-value of McNemar's test that accuracy did not move in the direction of `sign`."""
        gains = sign * self.gains(split)
        moved = int((gains != 0).sum())
        return float(binom.sf((gains > 0).sum() - 1, moved, 0.5)) if moved else 1.0


@dataclass(frozen=True)
class Asked:
    """What was asked: the changes tried, the rows of each split, what the model knew of them, and what time cut.

    ``known`` is accuracy above that of naming the most frequent class. ``cut`` is a sentence, ``of`` an end for
    sources; both are empty where the budget allowed all that was wanted.
    """

    tried: list[Tried]
    rows: dict[str, np.ndarray]
    known: dict[str, float]
    cut: str = ""
    of: str = ""


def ask_changed(
    examined: Examined,
    changes: Mapping[str, Change],
    most: int,
    budget_s: float,
    rng: np.random.Generator,
    progress: Progress,
) -> Asked:
    """Ask about up to `most` images of each split as they are and under each change.

    Parameters
    ----------
    examined : Examined
        With images and `predict`.
    changes : mapping of name to change
    most : int
    budget_s : float
        Seconds; fewer images are asked about where the model is slower, ten of each split at least.
    """
    splits = dict(zip(SPLITS, (examined.val, examined.train), strict=True))
    ask = Asker(examined.predict, budget_s)
    ask.warm_up(examined.val.images)
    wanted = min(most, max(map(len, splits.values())))
    n = ask.fitting(wanted, 2 * (len(changes) + 1))
    rows = {name: some(sample, n, rng) for name, sample in splits.items()}
    tried = _tried(ask, splits, rows, changes, progress)
    known = {name: _known(sample.labels[rows[name]], tried[0].before[name]) for name, sample in splits.items()}
    if n == wanted:
        return Asked(tried, rows, known)
    cut = f" The {budget_s:g} s of `budget_s` allowed {n} of {wanted} images of each split."
    return Asked(tried, rows, known, cut, f", {n} of {wanted} images")


def _tried(
    ask: Asker,
    splits: Mapping[str, Sample],
    rows: Mapping[str, np.ndarray],
    changes: Mapping[str, Change],
    progress: Progress,
) -> list[Tried]:
    steps = Steps(progress, len(changes) + 1)

    def right(change: Change | None) -> dict[str, np.ndarray]:
        found = {}
        for name, sample in splits.items():
            images = sample.images[rows[name]]
            changed = images if change is None else np.ascontiguousarray(change(images))
            found[name] = ask(changed).argmax(axis=1) == sample.labels[rows[name]]
        return found

    before, tried = right(None), []
    steps.done("unchanged")
    for name, change in changes.items():
        tried.append(Tried(name, before, right(change)))
        steps.done(name)
    return tried


def _known(labels: np.ndarray, right: np.ndarray) -> float:
    return float(right.mean() - np.bincount(labels).max() / len(labels))


def holm(tried: Sequence[Tried], split: str, sign: int, significance: float) -> list[Tried]:
    """The changes that move accuracy in one direction beyond chance, corrected for their number."""
    kept: list[Tried] = []
    for change in sorted(tried, key=lambda x: x.chance(split, sign)):
        if change.chance(split, sign) > significance / (len(tried) - len(kept)):
            break
        kept.append(change)
    return kept


def evidence_of(
    asked: Asked, first: Sequence[Tried], rng: np.random.Generator, splits: Sequence[str]
) -> list[Evidence]:
    """Differences of accuracy by each change, those in `first` in front; then how many images."""
    items = []
    for change in [*first, *(x for x in asked.tried if x not in first)]:
        for split in splits:
            low, high = mean_interval(change.gains(split), rng)
            items.append(
                Evidence(
                    name="accuracy_change",
                    value=change.gain(split),
                    unit="fraction",
                    source=f"{change.name}, {split}{asked.of}",
                    low=low,
                    high=high,
                )
            )
    for split, right in asked.tried[0].before.items():
        source = f"{split}{asked.of}"
        items.append(Evidence(name="accuracy_before", value=float(right.mean()), unit="fraction", source=source))
        items.append(Evidence(name="images_changed", value=len(right), unit="images", source=source))
    return items


def changed_sheet(
    told: Sequence[Tried], sample: Sample, row: int, changes: Mapping[str, Change], split: str, code: str
) -> Picture:
    """One image of a split as it is and under the changes that are told, with what each does to accuracy."""
    shown, image = told[:5], sample.images[row]
    images = [image, *(np.ascontiguousarray(changes[change.name](image[None]))[0] for change in shown)]
    words = [f"{change.name}: {change.gain(split) * 100:+.1f} points" for change in shown]
    return contact_sheet(
        images,
        ["as it is", *words],
        title="What changes do to accuracy",
        caption=f"A {split} image, changed, and what the change does to {split} accuracy.",
        code=code,
    )
