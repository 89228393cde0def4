"""What probes, data checks and Deepchecks say for and against the causes of overfitting: one table.

The weights are judgement, in log odds; they were not fitted to runs whose cause is known. Findings of one `group` see
the same thing by other means, so that of each group only the strongest one for and the strongest one against counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from copilot.core.findings import CauseName, Outcome


class Testimony(NamedTuple):
    """What a finding adds to a cause's score, in log odds, where it is an issue and where it passed.

    Those of one ``group`` are no independent witnesses; one without a group stands alone.
    """

    code: str
    cause: CauseName
    issue: float
    passed: float
    group: str = ""


TESTIMONIES = (
    Testimony("OVF303", "capacity", 0.6, -0.4),
    Testimony("OVF305", "distribution_shift", 2.5, 0.0),
    Testimony("OVF307", "distribution_shift", 1.5, 0.0),
    Testimony("OVF402", "leakage", 2.0, -0.5),
    Testimony("OVF403", "label_noise", 2.2, -0.8),
    Testimony("OVF404", "class_imbalance", 1.2, 0.0),
    Testimony("OVF405", "validation_too_small", 1.5, -1.0),
    Testimony("OVF407", "leakage", 1.5, 0.0),
    Testimony("OVF408", "distribution_shift", 1.0, -0.4, "drift"),
    Testimony("OVF409", "distribution_shift", 0.6, -0.2, "drift"),
    Testimony("OVF410", "distribution_shift", 1.0, -0.5, "drift"),
    Testimony("OVF504", "distribution_shift", 0.6, -0.3, "drift"),
    Testimony("OVF511", "distribution_shift", 1.0, 0.0, "drift"),
    Testimony("OVF512", "distribution_shift", 0.8, -0.3, "drift"),
    Testimony("OVF513", "distribution_shift", 0.8, -0.4, "drift"),
    Testimony("OVF514", "distribution_shift", 1.0, -0.6, "drift"),
    Testimony("OVF542", "distribution_shift", 0.8, -0.4, "drift"),
)
BEFORE_ANY = -1.0  # score of a cause that only testimony speaks for


class Said(NamedTuple):
    score: float
    found: tuple[str, ...]
    against: tuple[str, ...]


def testimony(by_code: Mapping[str, Outcome]) -> dict[CauseName, Said]:
    """By cause: what to add to its score, and the codes that speak for and against it, all of each group."""
    strongest: dict[tuple[CauseName, str, str], float] = {}
    heard: dict[CauseName, Said] = {}
    for item in TESTIMONIES:
        state = by_code[item.code].state if item.code in by_code else ""
        if state not in ("issue", "passed") or not (weight := getattr(item, state)):
            continue
        key = (item.cause, item.group or item.code, state)
        strongest[key] = max(strongest.get(key, 0.0), weight, key=abs)
        said = heard.get(item.cause, Said(0.0, (), ()))
        mine = (item.code,)
        found, against = (mine, ()) if state == "issue" else ((), mine)
        heard[item.cause] = Said(0.0, said.found + found, said.against + against)
    for (cause, _, _), weight in strongest.items():
        heard[cause] = heard[cause]._replace(score=heard[cause].score + weight)
    return heard
