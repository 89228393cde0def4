"""Causes and finding codes -> what to do about it, each with a reason, the effect to expect and papers that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from copilot.core import remedy_texts as texts
from copilot.core.findings import SEVERITIES, CauseName, Diagnosis, Outcome, Recommendation
from copilot.core.remedy_texts import Remedy

MAX_RECOMMENDATIONS = 5
LIKELY = 0.15  # causes less probable than this call for no action


BY_CAUSE: dict[CauseName, tuple[Remedy, ...]] = {
    "trained_too_long": (texts.STOP,),
    "small_dataset": (texts.DATA, texts.AUGMENT),
    "capacity": (texts.DECAY, texts.SMALLER),
    "label_noise": (texts.LABELS,),
    "distribution_shift": (texts.SHIFT,),
    "leakage": (texts.LEAK,),
    "class_imbalance": (texts.BALANCE,),
    "validation_too_small": (texts.LARGER_VALIDATION,),
    "validation_overused": (texts.FRESH_VALIDATION,),
    "optimization": (texts.RATE,),
    "underpowered_model": (texts.LARGER,),
}
BY_PATTERN: dict[str, tuple[Remedy, ...]] = {
    "u_shape": (texts.STOP,),
    "double_descent": (texts.PAST_BUMP,),
    "never_learned": (texts.RATE, texts.LARGER),
    "underfit": (texts.LARGER,),
    **dict.fromkeys(("nan", "diverged", "oscillation"), (texts.RATE,)),
}
BY_CODE: dict[str, tuple[Remedy, ...]] = {
    "OVF101": (texts.AUGMENT, texts.DECAY),
    "OVF102": (texts.STOP,),
    "OVF103": (texts.LARGER,),
    "OVF104": (texts.RATE,),
    "OVF105": (texts.SHORTER,),
    "OVF106": (texts.STOP,),
    "OVF201": (texts.OTHER_SPLITS,),
    "OVF202": (texts.MORE_DATA_HELPS,),
    "OVF203": (texts.TURN_KNOB,),
    "OVF204": (texts.CHOSEN_TOO_OFTEN, texts.LARGER_VALIDATION),
    "OVF205": (texts.FIND_CHANGE,),
    "OVF301": (texts.AUGMENT, texts.WEAK_KINDS),
    "OVF302": (texts.CALIBRATE,),
    "OVF303": (texts.DECAY, texts.AUGMENT, texts.DATA),
    "OVF304": (texts.BREAK_CONTEXT,),
    "OVF305": (texts.REMOVE_MARK,),
    "OVF306": (texts.ROBUST,),
    "OVF307": (texts.PREPROCESSING,),
    "OVF308": (texts.DECAY,),
    "OVF309": (texts.AUGMENT,),
    "OVF401": (texts.SHIFTED, texts.BALANCE),
    "OVF402": (texts.LEAK,),
    "OVF403": (texts.LABELS,),
    "OVF404": (texts.BALANCE,),
    "OVF405": (texts.LARGER_VALIDATION,),
    "OVF406": (texts.OUTLIERS,),
    "OVF407": (texts.SPLIT_BY_GROUP,),
    "OVF408": (texts.SHIFTED,),
    "OVF409": (texts.SHIFTED, texts.BALANCE),
    "OVF410": (texts.SHIFTED,),
    "OVF501": (texts.BALANCE, texts.AUGMENT),
    "OVF502": (texts.AUGMENT, texts.DECAY),
    "OVF503": (texts.LARGER,),
    "OVF504": (texts.SHIFTED,),
    "OVF505": (texts.LABELS_MIXED,),
    "OVF506": (texts.WEAK_KINDS,),
    "OVF507": (texts.AUGMENT, texts.LARGER),
    "OVF508": (texts.AUGMENT, texts.LARGER),
    "OVF509": (texts.SHIFTED,),
    "OVF511": (texts.SHIFTED,),
    "OVF512": (texts.SHIFTED, texts.BALANCE),
    "OVF513": (texts.SHIFTED,),
    "OVF514": (texts.SHIFTED,),
    "OVF515": (texts.SHIFTED,),
    "OVF516": (texts.SHORTCUT,),
    "OVF517": (texts.SHIFTED, texts.BALANCE),
    "OVF521": (texts.OUTLIERS,),
    "OVF522": (texts.OUTLIERS,),
    "OVF523": (texts.SHORTCUT,),
    "OVF541": (texts.AUGMENT, texts.DECAY),
    "OVF542": (texts.SHIFTED,),
}


def recommend(diagnosis: Diagnosis, outcomes: Sequence[Outcome]) -> tuple[Recommendation, ...]:
    """What to do, most useful first: remedies of the likely causes, then of the findings."""
    issues = [o for o in outcomes if o.state == "issue"]
    wanted: dict[str, tuple[Remedy, list[str]]] = {}

    def want(remedy: Remedy, codes: Sequence[str]) -> None:
        known = wanted.setdefault(remedy.id, (remedy, []))[1]
        known.extend(c for c in codes if c not in known)

    if diagnosis.onset_epoch is not None:
        want(texts.STOP, ["OVF102"])
    for outcome in issues:  # seen in the model or the images themselves, which says more than a likely cause
        if outcome.code.startswith(("OVF3", "OVF4")) and outcome.severity == "high":
            for remedy in BY_CODE.get(outcome.code, ())[:1]:
                want(remedy, [outcome.code])
    for cause in diagnosis.causes:
        if cause.probability >= LIKELY:
            for remedy in BY_CAUSE.get(cause.cause, ()):
                want(remedy, cause.finding_codes)
    for outcome in issues:
        for remedy in _for_finding(diagnosis, outcome):
            want(remedy, [outcome.code])
    if diagnosis.verdict == "inconclusive" and not wanted and any(o.code.startswith("OVF1") for o in outcomes):
        want(_for_doubt({o.code: o for o in outcomes}), [])
    return tuple(
        Recommendation(**remedy._asdict(), finding_codes=tuple(codes))
        for remedy, codes in list(wanted.values())[:MAX_RECOMMENDATIONS]
    )


def recommend_for(outcomes: Sequence[Outcome]) -> tuple[Recommendation, ...]:
    """What to do about the issues of a group of runs, the worst first."""
    wanted: dict[str, tuple[Remedy, list[str]]] = {}
    issues = [o for o in outcomes if o.state == "issue"]
    for outcome in sorted(issues, key=lambda o: -SEVERITIES.index(o.severity)):
        for remedy in BY_CODE.get(outcome.code, ()):
            wanted.setdefault(remedy.id, (remedy, []))[1].append(outcome.code)
    return tuple(
        Recommendation(**remedy._asdict(), finding_codes=tuple(codes))
        for remedy, codes in list(wanted.values())[:MAX_RECOMMENDATIONS]
    )


def _for_doubt(by_code: Mapping[str, Outcome]) -> Remedy:
    """What would have allowed a verdict."""
    gap, divergence = by_code.get("OVF101"), by_code.get("OVF102")
    if divergence is not None and divergence.value("rise_with_training") is not None:
        return texts.RATE
    if divergence is not None and divergence.value("rise_within_noise") is not None:
        return texts.LARGER_VALIDATION
    return texts.LOG_MORE if gap is None or gap.state == "not_applicable" else texts.LONGER


def _for_finding(diagnosis: Diagnosis, outcome: Outcome) -> tuple[Remedy, ...]:
    if outcome.code == "OVF102" and outcome.value("conflict") in ("over_confident", "score_still_improves"):
        return (texts.CALIBRATE,) if diagnosis.verdict == "healthy" else (texts.STOP, texts.CALIBRATE)
    if outcome.code == "OVF106":
        return BY_PATTERN.get(outcome.value("pattern"), ())
    if outcome.code == "OVF105" and diagnosis.verdict != "healthy":
        return ()
    if outcome.code == "OVF104" and outcome.severity == "low":
        return (texts.LARGER_VALIDATION,)
    return BY_CODE.get(outcome.code, ())
