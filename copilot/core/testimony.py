"""What probes, data checks and Deepchecks say for and against the causes of overfitting: one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from copilot.core.findings import CauseName, Outcome


class Testimony(NamedTuple):
    """What a finding adds to a cause's score, in log odds, where it is an issue and where it passed."""

    code: str
    cause: CauseName
    issue: float
    passed: float


TESTIMONIES = (
    Testimony("OVF303", "capacity", 0.6, -0.4),
    Testimony("OVF305", "distribution_shift", 2.5, 0.0),
    Testimony("OVF307", "distribution_shift", 1.5, 0.0),
    Testimony("OVF402", "leakage", 2.0, -0.5),
    Testimony("OVF403", "label_noise", 2.2, -0.8),
    Testimony("OVF404", "class_imbalance", 1.2, 0.0),
    Testimony("OVF405", "validation_too_small", 1.5, -1.0),
    Testimony("OVF407", "leakage", 1.5, 0.0),
    Testimony("OVF408", "distribution_shift", 1.0, -0.4),
    Testimony("OVF409", "distribution_shift", 0.6, -0.2),
    Testimony("OVF410", "distribution_shift", 1.0, -0.5),
    Testimony("OVF504", "distribution_shift", 0.6, -0.3),
    Testimony("OVF511", "distribution_shift", 1.0, 0.0),
    Testimony("OVF512", "distribution_shift", 0.8, -0.3),
    Testimony("OVF513", "distribution_shift", 0.8, -0.4),
    Testimony("OVF514", "distribution_shift", 1.0, -0.6),
    Testimony("OVF542", "distribution_shift", 0.8, -0.4),
)
BEFORE_ANY = -1.0  # score of a cause that only testimony speaks for


class Said(NamedTuple):
    score: float
    found: tuple[str, ...]
    against: tuple[str, ...]


def testimony(by_code: Mapping[str, Outcome]) -> dict[CauseName, Said]:
    """By cause: what to add to its score, and the codes that speak for and against it."""
    heard: dict[CauseName, Said] = {}
    for item in TESTIMONIES:
        state = by_code[item.code].state if item.code in by_code else ""
        if state not in ("issue", "passed") or not getattr(item, state):
            continue
        score, found, against = heard.get(item.cause, Said(0.0, (), ()))
        mine = (item.code,)
        if state == "issue":
            heard[item.cause] = Said(score + item.issue, found + mine, against)
        else:
            heard[item.cause] = Said(score + item.passed, found, against + mine)
    return heard
