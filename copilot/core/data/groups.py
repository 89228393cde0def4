"""OVF407: images of one patient, video or scene on both sides of the split."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from copilot.core.checks.base import BaseCheck, Thresholds, confidence_from, percent, severity_of
from copilot.core.data.group_names import Grouping
from copilot.core.findings import Evidence, Outcome
from copilot.core.statistics import wilson_interval
from copilot.utils.validators import clean_text

_SHOWN = 3
_WEAK = ("camera", "site")  # what both sets may rightly share


class GroupThresholds(Thresholds):
    """How much sharing matters."""

    share: float = Field(
        0.01, gt=0, lt=1, description="Share of validation images whose group is in training that counts."
    )
    medium_share: float = Field(0.05, gt=0, lt=1, description="The same, of medium severity.")
    high_share: float = Field(0.2, gt=0, lt=1, description="The same, of high severity.")
    anew: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of those whose whole name is in training too, from which numbers seem to start anew.",
    )


@dataclass(frozen=True)
class Shared:
    """Which validation images have their group in training, and examples (group, training name, validation name)."""

    hit: np.ndarray
    groups: int
    examples: tuple[tuple[str, str, str], ...]
    anew: float


class SplitGroups(BaseCheck):
    """Images of one patient, video, scene or source image are in both sets, so that validation images are half known.

    The group of an image is read from its file name, from a pattern or a column that was given, or not at all. In names
    a word for a group with an id is looked for (patient012, vid7, cam2), then copies of one source image (_aug3,
    Roboflow's .rf.), then an id before a frame's or slice's number. Plain running numbers, class names, dates, hashes,
    words for batches and ids of which nearly every image has its own are no groups. Counted are the validation images
    whose group is in training, with Wilson's 95 % interval. If whole names repeat in both sets, ids were numbered
    anew in each and mean different things.

    Why it matters: Images of one group share background, light and body. A model that knows the group from training
    gets its validation images right by that, and fails on new patients and scenes; the gap stays hidden.

    Source: S. Kapoor and A. Narayanan, Leakage and the Reproducibility Crisis in Machine-Learning-Based Science,
    Patterns 4, 2023, arXiv:2207.07048; S. Saeb et al., The Need to Approximate the Use-Case in Clinical Machine
    Learning, GigaScience 6, 2017. The limits are this project's own.

    When it is wrong: Names are only names. Give a pattern (`groups_pattern`) where they are read wrongly. Cameras and
    sites may rightly be in both sets if the model is to be used on these alone.
    """

    code = "OVF407"
    title = "Groups in both sets"
    name: ClassVar[str] = "split_groups"
    scope: ClassVar[str] = "images"
    Thresholds = GroupThresholds

    def judge(
        self,
        grouping: Grouping | None,
        train_names: Sequence[str],
        val_names: Sequence[str],
        *,
        correct: np.ndarray | None = None,
    ) -> Outcome:
        """The outcome of the groups.

        Parameters
        ----------
        grouping : Grouping or None
            From `group_names.find_groups`; None where names tell of none.
        train_names, val_names : sequence of str
        correct : ndarray of bool, shape (len(val_names),), optional
            Whether the model gets each validation image right.
        """
        if grouping is None:
            return self.outcome("not_applicable", "File names tell of no patients, videos, scenes or the like.")
        known = sum(group is not None for group in grouping.val)
        shared = find_shared(grouping, train_names, val_names)
        share = float(shared.hit.mean()) if len(shared.hit) else 0.0
        low, high = wilson_interval(share, max(len(shared.hit), 1))
        groups = len({g for g in (*grouping.train, *grouping.val) if g is not None})
        evidence = [
            Evidence(name="groups", value=groups, unit="groups", source=grouping.how),
            Evidence(name="groups_in_both", value=shared.groups, unit="groups", source=grouping.how),
            Evidence(
                name="shared_share",
                value=round(share, 6),
                unit="fraction",
                low=round(max(low, 0.0), 6),
                high=round(high, 6),
                source=grouping.how,
            ),
            Evidence(name="grouped_val_images", value=known, unit="images", source=grouping.how),
            *(
                Evidence(name="shared_group", value=clean_text(f"{group}: {a} / {b}"), source=grouping.how)
                for group, a, b in shared.examples
            ),
            *_scores(shared.hit, correct),
        ]
        word = grouping.word
        if shared.anew >= self.thresholds.anew:
            told = (
                f"Whole names repeat in both sets, so that the {word} ids ({grouping.how}) seem to start anew in each."
            )
            return self.outcome("passed", told, confidence=0.6, evidence=evidence)
        if share < self.thresholds.share:
            told = f"{groups:,} groups by {word} ({grouping.how}); {shared.groups or 'none'} of them in both sets."
            margin = math.log(self.thresholds.share / max(share, 1e-4))
            return self.outcome("passed", told, confidence=confidence_from(margin), evidence=evidence)
        first = shared.examples[0]
        told = (
            f"{percent(share, 1)} of the validation images are of a {word} that is in training too: "
            f"{shared.groups:,} of {groups:,} ({grouping.how}), such as "
            f"{clean_text(first[1], 60)} and {clean_text(first[2], 60)}."
        )
        severity = severity_of(share, self.thresholds.medium_share, self.thresholds.high_share)
        return self.outcome(
            "issue",
            told,
            severity="low" if word in _WEAK else severity,
            confidence=grouping.certainty,
            evidence=evidence,
        )


def find_shared(grouping: Grouping, train_names: Sequence[str], val_names: Sequence[str]) -> Shared:
    """Groups on both sides of the split."""
    first = dict(zip(reversed(grouping.train), reversed(train_names), strict=True))
    first.pop(None, None)
    hit = np.array([group is not None and group in first for group in grouping.val], dtype=bool)
    where = np.flatnonzero(hit)
    counts = Counter(grouping.val[i] for i in where)
    known = {_base(name) for name in train_names}
    examples = []
    for group, _ in counts.most_common(_SHOWN):
        place = next(i for i in where if grouping.val[i] == group)
        examples.append((group, first[group], val_names[place]))
    repeated = sum(_base(val_names[i]) in known for i in where) / max(len(where), 1)
    return Shared(hit, len(counts), tuple(examples), 0.0 if grouping.given else repeated)


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _scores(hit: np.ndarray, correct: np.ndarray | None) -> list[Evidence]:
    if correct is None or hit.all() or not hit.any():
        return []
    return [
        Evidence(name="score_of_shared", value=round(float(correct[hit].mean()), 6), unit="fraction"),
        Evidence(name="score_of_others", value=round(float(correct[~hit].mean()), 6), unit="fraction"),
    ]
