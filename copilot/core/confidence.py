"""How sure a verdict is: the share of such verdicts that were right on histories whose answer is known.

Each check tells how far its measure lies from its threshold. A logistic regression for each verdict turns that
distance, the number of epochs and what speaks against the verdict into a probability of being right (J. Platt,
Probabilistic Outputs for Support Vector Machines, 1999). `confidence.json` holds the coefficients and their origin;
`benchmarks/fit_confidence.py` fits them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from copilot.core.findings import Outcome, Verdict

FEATURES = ("one", "distance", "epochs", "gap", "conflict", "disagreement")
LEAST, MOST = 0.5, 0.99


def verdict_features(verdict: Verdict, by_code: Mapping[str, Outcome], leading: Outcome, points: int) -> list[float]:
    """What the probability of `verdict` depends on, in the order of `FEATURES`.

    Parameters
    ----------
    verdict : str
    by_code : mapping of code to Outcome
    leading : Outcome
        The one that the verdict rests on; its confidence is the distance from its threshold in other words.
    points : int
        Epochs at which validation has values.
    """
    distance = -math.log(2 * max(1 - leading.confidence, 0.01))
    gap, divergence = by_code.get("OVF101"), by_code.get("OVF102")
    wide = gap is not None and gap.state == "issue"
    conflict = divergence is not None and divergence.value("conflict") is not None
    turned = divergence is not None and divergence.state == "issue"
    return [
        1.0,
        min(max(distance, 0.0), 4.0),
        math.log10(min(max(points, 3), 1000)) - 1.5,
        float(wide),
        float(conflict),
        float(turned != (verdict == "overfitting")),
    ]


def probability_of_right(verdict: Verdict, features: list[float]) -> float:
    """The confidence of a verdict that is not ``inconclusive``."""
    weights = coefficients()["verdicts"][verdict]
    logit = sum(weights[name] * value for name, value in zip(FEATURES, features, strict=True))
    return min(max(1 / (1 + math.exp(-min(max(logit, -30.0), 30.0))), LEAST), MOST)


@lru_cache(maxsize=1)
def coefficients() -> dict[str, Any]:
    """The fitted coefficients with their provenance."""
    return json.loads(files("copilot.core").joinpath("confidence.json").read_text(encoding="utf-8"))
