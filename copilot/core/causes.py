"""What explains a verdict: each candidate cause with a probability and the findings for and against it.

A score per cause is added up from what the outcomes and the run's parameters say, and turned into probabilities by a
softmax. Scores are on a scale of log odds; they are plain judgement, not fitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from copilot.core.findings import Cause, CauseName, Outcome, Verdict
from copilot.core.history import RunHistory
from copilot.core.set_sizes import set_size
from copilot.core.testimony import BEFORE_ANY, testimony

CAUSE_WORDS: dict[CauseName, str] = {
    "capacity": "a model too large for the data",
    "small_dataset": "too little training data",
    "label_noise": "wrong labels in the training data",
    "leakage": "validation images that also sit in training",
    "distribution_shift": "validation images unlike the training images",
    "class_imbalance": "class imbalance",
    "validation_too_small": "a validation set too small to tell",
    "validation_overused": "a validation set tuned against too often",
    "trained_too_long": "training went on too long",
    "optimization": "the learning rate or the optimiser's settings",
    "underpowered_model": "a model too small for the task",
    "none": "none",
}
SMALL_TRAINING_SET = 1000
SMALL_VALIDATION_SET = 100
MAX_CAUSES = 4
Scores = dict[CauseName, tuple[float, tuple[str, ...]]]


def find_causes(verdict: Verdict, history: RunHistory, by_code: Mapping[str, Outcome]) -> tuple[Cause, ...]:
    """Causes of the verdict, most likely first; a single ``none`` for healthy and inconclusive runs."""
    scorers: dict[str, Callable[[RunHistory, Mapping[str, Outcome]], Scores]] = {
        "overfitting": _overfitting,
        "underfitting": _underfitting,
        "unstable": lambda *_: {"optimization": (3.0, ("OVF104",)), "capacity": (0.0, ())},
    }
    gap = by_code.get("OVF101")
    if verdict == "inconclusive" and gap is not None and gap.severity == "high":
        scorers["inconclusive"] = _overfitting
    if verdict not in scorers:
        return (Cause(cause="none", probability=1.0),)
    scores = scorers[verdict](history, by_code)
    heard = testimony(by_code) if scorers[verdict] is _overfitting else {}
    for name, said in heard.items():
        score, codes = scores.get(name, (BEFORE_ANY, ()))
        if name in scores or said.found:
            scores[name] = (score + said.score, codes + said.found)
    weights = {name: math.exp(score) for name, (score, _) in scores.items()}
    total = sum(weights.values())
    ranked = sorted(((name, weight / total) for name, weight in weights.items()), key=lambda item: -item[1])
    return tuple(
        Cause(
            cause=name,
            probability=round(p, 3),
            finding_codes=scores[name][1],
            against=heard[name].against if name in heard else (),
        )
        for name, p in ranked[:MAX_CAUSES]
    )


def _overfitting(history: RunHistory, by_code: Mapping[str, Outcome]) -> Scores:
    gap, divergence = by_code.get("OVF101"), by_code.get("OVF102")
    wide = gap is not None and gap.state == "issue"
    turned = divergence is not None and divergence.state == "issue"
    after = (divergence.value("epochs_after_best") or 0) / max(history.n_epochs, 1) if turned else 0.0
    n_train, n_val = set_size(history.params, "train"), set_size(history.params, "val")
    small = 0.0 if n_train is None else 2.0 * min(max(math.log10(SMALL_TRAINING_SET / n_train) + 0.3, -1.0), 1.0)
    early_gap = _opened_early(gap)
    lost_score = turned and any(
        e.name == "rise" and e.unit == "fraction" and (e.value or 0) >= 0.03 for e in divergence.evidence
    )
    fits = (
        0.0 if turned or (gap is not None and gap.value("error_ratio") is not None) else -1.5
    )  # too little to memorise
    scores: Scores = {
        "small_dataset": (small + 0.8 * wide + fits, ("OVF101",) if wide else ()),
        "trained_too_long": (
            2.2 * after + 0.6 * turned - 0.8 * (not turned) - 0.4 * wide,
            ("OVF102",) if turned else (),
        ),
        "capacity": (0.4 * wide - 0.2 + fits, ("OVF101",) if wide else ()),
        "label_noise": (1.2 * lost_score - 0.6 + fits, ("OVF102",) if lost_score else ()),
        "distribution_shift": (2.0 * early_gap - 1.0, ("OVF101",) if early_gap else ()),
    }
    if n_val is not None:
        scores["validation_too_small"] = (1.0 if n_val < SMALL_VALIDATION_SET else -2.0, ())
    return scores


def _opened_early(gap: Outcome | None) -> bool:
    """Whether half of the final score gap was there in the first quarter, though training never memorised."""
    if gap is None or gap.value("error_ratio") is not None:
        return False
    final = {e.quantity: e.value for e in gap.evidence if e.name == "gap_final" and e.unit == "fraction"}
    early = {e.quantity: e.value for e in gap.evidence if e.name == "gap_early" and e.unit == "fraction"}
    return any(f >= 0.1 and (early.get(q) or 0) >= 0.5 * f for q, f in final.items() if f is not None)


def _underfitting(history: RunHistory, by_code: Mapping[str, Outcome]) -> Scores:
    outcome = by_code["OVF103"]
    flat = outcome.severity == "high"
    return {
        "underpowered_model": (0.0 if flat else 2.0, ("OVF103",)),
        "optimization": (1.5 if flat else 0.5, ("OVF103",)),
    }
