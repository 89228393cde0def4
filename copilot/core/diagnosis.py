"""Outcomes -> verdict, onset, best epoch, confidence, causes, and the sentence that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from copilot.core.causes import CAUSE_WORDS, find_causes
from copilot.core.confidence import probability_of_right, verdict_features
from copilot.core.counterfactual import as_evidence, sentence, stop_at_best
from copilot.core.findings import (
    SEVERITIES,
    Counterfactual,
    Diagnosis,
    Evidence,
    Number,
    Outcome,
    Severity,
    Verdict,
)
from copilot.core.history import RunHistory, axis_value
from copilot.core.naming import is_fraction, parse_metric_name
from copilot.core.pairs import Pair

MIN_POINTS = 5
_SUMMING_UP = ("map50-95", "map", "map50", "ap", "iou", "dice", "accuracy")
OUTWEIGHED = ("score_still_improves", "few_components")
GAP, DIVERGENCE, UNDERFITTING, INSTABILITY, PLATEAU = "OVF101", "OVF102", "OVF103", "OVF104", "OVF105"


def diagnose(history: RunHistory, outcomes: Sequence[Outcome], preference: Sequence[str] = ()) -> Diagnosis:
    """Judge one run from the outcomes of its checks.

    Parameters
    ----------
    history : RunHistory
    outcomes : sequence of Outcome
        At most one a code.
    preference : sequence of str, optional
        Quantities in order of preference (``detection.metrics``): the first that the run has on validation is primary.
    """
    by_code = {o.code: o for o in outcomes}
    verdict, severity, _, confidence = judge_verdict(history, by_code)
    onset = _onset(by_code) if verdict == "overfitting" else None
    primary = primary_pair(history, preference)
    best = None if primary is None else axis_value(history.epochs[primary.best_index])
    causes = find_causes(verdict, history, by_code)
    stopped = stop_at_best(history, primary) if verdict == "overfitting" and primary else None
    summary = _summary(verdict, history, by_code, onset, best, CAUSE_WORDS[causes[0].cause], stopped)
    return Diagnosis(
        verdict=verdict,
        confidence=round(min(confidence, 0.99), 3),
        severity=severity,
        onset_epoch=onset,
        best_epoch=best,
        summary=summary,
        counterfactual=stopped,
        causes=causes,
    )


def conclusions(diagnosis: Diagnosis, history: RunHistory, preference: Sequence[str] = ()) -> list[Evidence]:
    """The diagnosis' own numbers as evidence, so that answers and reports can cite them: no finding holds these.

    ``best_checkpoint`` (the primary metric at the best epoch), ``verdict_confidence``, a ``probability_of_...`` each
    cause, and ``validation_epochs`` where there are too few.
    """
    found, pair = [], primary_pair(history, preference)
    if pair is not None:
        at, epoch = pair.best_index, diagnosis.best_epoch
        unit = "fraction" if is_fraction(pair.quantity) else ""
        named = {"unit": unit, "epoch": epoch, "source": pair.val_name or "", "quantity": pair.quantity}
        found.append(Evidence(name="best_checkpoint", value=float(f"{pair.val[at]:.6g}"), **named))
    shares = {"verdict_confidence": diagnosis.confidence}
    shares |= {f"probability_of_{c.cause}": c.probability for c in diagnosis.causes if c.cause != "none"}
    found += [
        Evidence(name=name, value=min(max(round(share * 100), 1), 99), unit="%", source="diagnosis")
        for name, share in shares.items()
    ]
    if diagnosis.counterfactual is not None:
        found += as_evidence(diagnosis.counterfactual)
    if 0 < _points(history) < MIN_POINTS and diagnosis.verdict == "inconclusive":
        found.append(Evidence(name="validation_epochs", value=_points(history), unit="epochs", source="diagnosis"))
    return found


def primary_pair(history: RunHistory, preference: Sequence[str] = ()) -> Pair | None:
    """The pair that decides the best epoch: the preferred quantity, else the loss, else the first with validation.

    Where only parts of a loss were logged, as detectors do, a score that sums the model up comes before them.
    """
    with_val = [p for p in history.pairs if p.val_points]
    for wanted in preference:
        parsed = parse_metric_name(wanted)
        for pair in with_val:
            if pair.quantity == (parsed.quantity if parsed else wanted):
                return pair
    losses = [p for p in with_val if p.kind == "loss"]
    if len(losses) > 1 and losses[0].quantity != "loss":
        for name in _SUMMING_UP:
            if found := next((p for p in with_val if p.quantity == name), None):
                return found
    return next(iter(losses or with_val), None)


def _is(by_code: Mapping[str, Outcome], code: str) -> bool:
    return code in by_code and by_code[code].state == "issue"


def _points(history: RunHistory) -> int:
    """Epochs at which validation has values, of the longest complete pair."""
    beside = any(p.kind == "loss" and p.train_points >= MIN_POINTS for p in history.pairs)  # mAP beside a training loss
    complete = [p.val_points for p in history.pairs if p.complete]
    return max(complete or [p.val_points for p in history.pairs if beside], default=0)


class Judged(NamedTuple):
    """A verdict, its severity, and what its confidence depends on (None where it is told without a fit)."""

    verdict: Verdict
    severity: Severity
    features: list[float] | None
    confidence: float = 0.0


def judge_verdict(history: RunHistory, by_code: Mapping[str, Outcome]) -> Judged:
    """The verdict of one run from the outcomes of its checks, by code."""
    verdict, severity, leading = _verdict(history, by_code)
    if not isinstance(leading, Outcome):
        return Judged(verdict, severity, None, leading)
    features = verdict_features(verdict, by_code, leading, _points(history))
    return Judged(verdict, severity, features, probability_of_right(verdict, features))


def _verdict(history: RunHistory, by_code: Mapping[str, Outcome]) -> tuple[Verdict, Severity, Outcome | float]:
    """Verdict, severity, and the outcome it rests on, or how sure it is that nothing can be said."""
    unstable, gap = by_code.get(INSTABILITY), by_code.get(GAP)
    if _is(by_code, INSTABILITY) and unstable.severity == "high":
        return "unstable", "high", unstable
    overfits = [by_code[c] for c in (DIVERGENCE, GAP) if _is(by_code, c) and _tells_overfitting(by_code[c])]
    if _points(history) < MIN_POINTS and not overfits:
        return "inconclusive", "none", 0.9
    stuck = _is(by_code, UNDERFITTING)
    learned_nothing = stuck and by_code[UNDERFITTING].severity == "high"
    if stuck and (learned_nothing or not overfits):
        return "underfitting", by_code[UNDERFITTING].severity, by_code[UNDERFITTING]
    if overfits:
        severity = max((o.severity for o in overfits), key=SEVERITIES.index)
        return "overfitting", severity, max(overfits, key=lambda o: o.confidence)
    divergence = by_code.get(DIVERGENCE)
    if divergence is None or divergence.state not in ("passed", "issue"):
        return "inconclusive", "none", 0.8
    doubts = ("rise_within_noise", "rise_with_training")
    if any(divergence.value(name) is not None for name in doubts) or _gap_is_high(by_code):
        return "inconclusive", "none", 0.6
    return "healthy", "low" if gap is not None and gap.state == "issue" else "none", divergence


def _gap_is_high(by_code: Mapping[str, Outcome]) -> bool:
    """A wide gap without memorising: overfitting, or validation images of another kind; curves cannot tell."""
    return _is(by_code, GAP) and by_code[GAP].severity == "high"


def _tells_overfitting(outcome: Outcome) -> bool:
    """A gap alone tells overfitting only when the model has memorised its training images; a rise of little weight
    beside a score that still improves, or beside losses that do not rise, does not.
    """
    if outcome.code == GAP:
        return outcome.value("error_ratio") is not None
    return outcome.value("conflict") not in OUTWEIGHED or outcome.severity != "low"


def _onset(by_code: Mapping[str, Outcome]) -> int | float | None:
    divergence = by_code.get(DIVERGENCE)
    if divergence is None:
        return None
    onsets = [e for e in divergence.evidence if e.name == "onset"]
    leading = next((e for e in onsets if "loss" in (e.quantity or "")), onsets[0] if onsets else None)
    return leading.value if leading else None


def _summary(
    verdict: Verdict,
    history: RunHistory,
    by_code: Mapping[str, Outcome],
    onset: Number | None,
    best: Number | None,
    cause: str,
    stopped: Counterfactual | None,
) -> str:
    model = _of_the_model(by_code)
    keep = f" Keep the checkpoint of epoch {best:.10g}." if best is not None else ""
    if verdict == "overfitting":
        saved = f" {sentence(stopped)}" if stopped else ""
        return f"{_overfitting_since(by_code, onset)}{keep}{saved} Most likely cause: {cause}.{model}"
    if verdict == "underfitting":
        return f"Underfitting. {by_code[UNDERFITTING].summary} Most likely cause: {cause}.{model}"
    if verdict == "unstable":
        return f"Unstable. {by_code[INSTABILITY].summary} Most likely cause: {cause}.{model}"
    if verdict == "healthy":
        tail = f" {by_code[PLATEAU].summary}" if PLATEAU in by_code and by_code[PLATEAU].evidence else ""
        gap = f" Mind the gap: {by_code[GAP].summary}" if _is(by_code, GAP) else ""
        gap += f" {by_code[DIVERGENCE].summary}" if _is(by_code, DIVERGENCE) else ""
        lead = "what counts is" if _is(by_code, DIVERGENCE) else "validation is"
        return f"Healthy: {lead} not getting worse.{gap}{keep}{tail}{model}"
    return f"Inconclusive. {_what_is_missing(history, by_code)}{model}"


def _of_the_model(by_code: Mapping[str, Outcome]) -> str:
    """The gravest thing that other witnesses found, if it is grave: no verdict of the curves hides it."""
    found = [o for code, o in by_code.items() if code.startswith(("OVF3", "OVF4", "OVF5")) and o.state == "issue"]
    worst = max(found, key=lambda o: SEVERITIES.index(o.severity), default=None)
    if worst is None or worst.severity == "low":
        return ""
    return f" The {'images' if worst.code.startswith('OVF4') else 'model itself'}: {worst.summary}"


def _overfitting_since(by_code: Mapping[str, Outcome], onset: float | None) -> str:
    if onset is not None:
        return f"Overfitting since epoch {onset:.10g}."
    since = by_code[GAP].value("gap_since") if GAP in by_code else None
    return f"Overfitting: the gap has stayed open since epoch {since:.10g}." if since is not None else "Overfitting."


def _what_is_missing(history: RunHistory, by_code: Mapping[str, Outcome]) -> str:
    has_train = any(p.train_points for p in history.pairs)
    has_val = any(p.val_points for p in history.pairs)
    if not has_val and any(p.bad_val.any() for p in history.pairs):
        return "Every validation value is NaN or infinite. Check the validation set and how its loss is averaged."
    if not has_val and not has_train and GAP not in by_code and by_code:
        return "Only the images were looked at; a verdict takes the curves of a run."
    if not has_val and not has_train:
        return "No curves were logged. Log a metric on training and validation every epoch, for instance val_loss."
    if not has_val:
        return "Only training curves were logged. Log a validation metric every epoch, for instance val_loss."
    if not has_train:
        return "Only validation curves were logged. Log the training metric every epoch too, for instance train_loss."
    divergence = by_code.get(DIVERGENCE)
    if not any(p.complete for p in history.pairs) and (divergence is None or divergence.state == "not_applicable"):
        return (
            "No quantity was logged on both training and validation. Log the same one on both, for instance "
            "train_loss and val_loss."
        )
    points = _points(history)
    if points < MIN_POINTS:
        have = f"{points} epoch{'' if points == 1 else 's'}"
        return f"Validation has {have}; it takes at least {MIN_POINTS}. Train longer or log more often."
    if divergence is not None and divergence.value("rise_with_training") is not None:
        return (
            f"{divergence.summary} Both curves drift upwards: that is no overfitting, and not steady either. Lower the "
            "learning rate, and see whether training holds its best."
        )
    if _gap_is_high(by_code):
        calm = "Little of validation" if _is(by_code, DIVERGENCE) else "Validation is not"
        return (
            f"{by_code[GAP].summary} {calm} getting worse and training is not perfect, so the curves alone do not tell "
            "overfitting from validation images of another kind. Compare the two sets."
        )
    if divergence is None or divergence.state in ("ignored", "skipped", "error"):
        why = f" {divergence.summary}" if divergence else ""
        return f"{DIVERGENCE} did not run, so that nobody looked whether validation gets worse.{why}"
    if divergence.state == "not_applicable":
        return "Training has too few values beside those of validation. Log the training metric every epoch too."
    return "Validation rises, but no more than its noise explains. Validate on more images or train with another seed."
