"""Causes and finding codes -> what to do about it, each with a reason, the effect to expect and papers that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from copilot.core.findings import SEVERITIES, CauseName, Diagnosis, Outcome, Recommendation

MAX_RECOMMENDATIONS = 5
LIKELY = 0.15  # causes less probable than this call for no action


class Remedy(NamedTuple):
    id: str
    action: str
    why: str
    expected_effect: str
    papers: tuple[str, ...] = ()


_STOP = Remedy(
    "early-stopping",
    "Stop when validation has stopped improving, and keep the best checkpoint.",
    "Epochs after the best one made validation worse.",
    "Keeps the best score seen and saves the epochs after it.",
    ("doi:10.1007/3-540-49430-8_3", "arxiv:2002.11569"),
)
_AUGMENT = Remedy(
    "augment",
    "Add augmentation that keeps the label: random crops and flips, RandAugment, mixup or CutMix.",
    "The model fits its training images far better than others; new variants make memorising harder.",
    "Narrows the gap; training scores fall a little while validation holds or rises.",
    ("arxiv:1909.13719", "arxiv:1710.09412", "arxiv:1905.04899"),
)
_DECAY = Remedy(
    "weight-decay",
    "Raise weight decay (decoupled, as in AdamW) or dropout.",
    "Regularisation limits how closely single images can be fitted.",
    "Narrows the gap; too much of it underfits, so change it in steps of three.",
    ("arxiv:1711.05101", "arxiv:1207.0580"),
)
_DATA = Remedy(
    "more-data",
    "Collect or label more training images, or start from a pretrained network and fine-tune it.",
    "The training set is small for what the model can memorise.",
    "The largest effect of all where the set is small; pretraining gives much of it without new labels.",
    ("arxiv:1912.11370", "arxiv:1805.08974"),
)
_SMALLER = Remedy(
    "smaller-model",
    "Try a smaller network, or freeze its early layers.",
    "The model has room to memorise the training set.",
    "Narrows the gap; check that validation does not fall with it.",
    ("arxiv:1611.03530", "arxiv:1912.02292"),
)
_LABELS = Remedy(
    "check-labels",
    "Look for wrong labels (confident learning), and train with a loss that forgives them meanwhile.",
    "Validation scores fall late in training, as they do when wrong labels get memorised.",
    "Removes the late fall; validation scores rise with each mended label.",
    ("arxiv:1911.00068", "arxiv:1804.06872", "arxiv:1805.07836"),
)
_SHIFT = Remedy(
    "compare-sets",
    "Compare training and validation images: source, camera, brightness, class mix.",
    "The gap was there from the first epochs, before anything could be memorised.",
    "Shows whether the gap is one of data; then mix the sources or adapt the augmentation.",
    ("arxiv:1810.11953", "arxiv:2012.07421"),
)
_LEAK = Remedy(
    "purge-duplicates",
    "Search for near-duplicates between training and validation, and remove them from training.",
    "Images in both sets make validation look better than it is.",
    "Validation scores fall to their true value.",
    ("arxiv:1902.00423",),
)
_BALANCE = Remedy(
    "balance-classes",
    "Weight the loss by class or sample classes evenly.",
    "Rare classes are learned by heart while common ones decide the average.",
    "Scores of rare classes rise.",
    ("arxiv:1901.05555", "arxiv:1708.02002"),
)
_LARGER_VALIDATION = Remedy(
    "larger-validation",
    "Validate on more images, or cross-validate.",
    "The validation set is so small that chance moves its scores by several points.",
    "Scores that can be told apart.",
    ("arxiv:1811.12808",),
)
_FRESH_VALIDATION = Remedy(
    "fresh-validation",
    "Score the chosen model once on a set that no choice was made on.",
    "Each choice made on the validation set fits it a little.",
    "An honest figure, usually lower.",
    ("arxiv:1902.10811",),
)
_RATE = Remedy(
    "learning-rate",
    "Lower the learning rate by a factor of ten, warm it up, and clip gradients.",
    "Training does not settle.",
    "A training curve that falls steadily.",
    ("arxiv:1506.01186", "arxiv:1706.02677", "arxiv:1211.5063"),
)
_LARGER = Remedy(
    "larger-model",
    "Use a larger or better-suited network, less regularisation, and more epochs.",
    "The model cannot fit even its training images.",
    "Training scores rise first; watch the gap from then on.",
    ("arxiv:1512.03385", "arxiv:1905.11946"),
)
_CALIBRATE = Remedy(
    "calibrate",
    "Smooth labels or scale the temperature of the outputs.",
    "Validation loss rises while its score holds: the model grows over-confident.",
    "Probabilities that can be trusted; the ranking stays.",
    ("arxiv:1706.04599", "arxiv:1512.00567"),
)
_SHORTER = Remedy(
    "shorter-training",
    "Plan fewer epochs, or a learning-rate schedule that ends sooner.",
    "Half of the epochs or more gained next to nothing.",
    "The same score for less compute.",
    ("arxiv:1608.03983",),
)
_SHORTCUT = Remedy(
    "break-shortcuts",
    "Break the link between image property and label: collect or augment images that have one without the other.",
    "A property such as brightness or size gives the label away, so that the model need not look at the object.",
    "Scores fall where the shortcut is gone, and hold on images from elsewhere.",
    ("arxiv:2004.07780",),
)
_OUTLIERS = Remedy(
    "look-at-outliers",
    "Look at the images that stand out, and mend or remove those that are broken or do not belong.",
    "Images unlike all others are learned by heart or not at all.",
    "A cleaner set; the gap narrows a little.",
)
_LONGER = Remedy(
    "train-longer",
    "Train for more epochs, or log every epoch.",
    "Too few epochs were logged to see a trend.",
    "A verdict at the next run.",
)
_LOG_MORE = Remedy(
    "log-validation",
    "Log the same metrics on training and validation every epoch.",
    "Without both curves nothing can be said about generalisation.",
    "A verdict at the next run.",
)
_OTHER_SPLITS = Remedy(
    "repeat-folds",
    "Look at the images of the fold that stands apart, keep classes and groups (patients, videos) even across folds, "
    "and repeat the cross-validation with other splits.",
    "Folds disagree by more than the differences between models.",
    "A narrower interval: differences between models can be told from chance.",
    ("doi:10.1023/A:1024068626366", "arxiv:1811.12808"),
)
_TURN_KNOB = Remedy(
    "turn-the-knob",
    "Try the values that go with a narrow gap, changing only that parameter, with two seeds or more.",
    "Across the runs of the experiment the gap goes with this parameter.",
    "A narrower gap if the parameter is the reason; the runs tell.",
    ("arxiv:1803.09820", "arxiv:2103.03098"),
)
_FIND_CHANGE = Remedy(
    "find-the-change",
    "List what differs from the baseline (parameters, data version, code), undo half of it, and train both with a few "
    "seeds.",
    "The run is worse than the baseline beyond noise.",
    "The change that costs the score, or proof that it was the seed.",
    ("arxiv:2103.03098",),
)

_PAST_BUMP = Remedy(
    "past-the-bump",
    "Do not stop at the first minimum: let the run pass the rise, and keep the best checkpoint of the whole run.",
    "Validation got worse for a while and then better again.",
    "The second descent's score; fewer wrong labels or more regularisation flatten the rise.",
    ("arxiv:1912.02292", "arxiv:2003.01897"),
)

# The same actions for other reasons.
_MORE_DATA_HELPS = _DATA._replace(
    action="Collect or label more training images: about twice as many.",
    why="Validation error still falls as a power law with the number of training images.",
    expected_effect="The improvement that the learning curve predicts, within its interval.",
    papers=("arxiv:1712.00409", "arxiv:1707.02968"),
)
_CHOSEN_TOO_OFTEN = _FRESH_VALIDATION._replace(
    why="So many runs were compared on the validation set that the best one's lead may be luck.",
    papers=("arxiv:1909.03004", "arxiv:1902.10811", "doi:10.1186/1471-2105-7-91"),
)
_SHIFTED = _SHIFT._replace(why="The two sets of images differ measurably.")
_LABELS_MIXED = _LABELS._replace(why="Classes are mistaken for each other; wrong labels are one reason.")
_WEAK_KINDS = _DATA._replace(
    action="Collect more images of the weak kind, or augment towards it.",
    why="Some kinds of images do far worse than the rest.",
    expected_effect="Scores of that kind rise; the average moves little.",
)

BY_CAUSE: dict[CauseName, tuple[Remedy, ...]] = {
    "trained_too_long": (_STOP,),
    "small_dataset": (_DATA, _AUGMENT),
    "capacity": (_DECAY, _SMALLER),
    "label_noise": (_LABELS,),
    "distribution_shift": (_SHIFT,),
    "leakage": (_LEAK,),
    "class_imbalance": (_BALANCE,),
    "validation_too_small": (_LARGER_VALIDATION,),
    "validation_overused": (_FRESH_VALIDATION,),
    "optimization": (_RATE,),
    "underpowered_model": (_LARGER,),
}
BY_PATTERN: dict[str, tuple[Remedy, ...]] = {
    "u_shape": (_STOP,),
    "double_descent": (_PAST_BUMP,),
    "never_learned": (_RATE, _LARGER),
    "underfit": (_LARGER,),
    **dict.fromkeys(("nan", "diverged", "oscillation"), (_RATE,)),
}
BY_CODE: dict[str, tuple[Remedy, ...]] = {
    "OVF101": (_AUGMENT, _DECAY),
    "OVF102": (_STOP,),
    "OVF103": (_LARGER,),
    "OVF104": (_RATE,),
    "OVF105": (_SHORTER,),
    "OVF106": (_STOP,),
    "OVF201": (_OTHER_SPLITS,),
    "OVF202": (_MORE_DATA_HELPS,),
    "OVF203": (_TURN_KNOB,),
    "OVF204": (_CHOSEN_TOO_OFTEN, _LARGER_VALIDATION),
    "OVF205": (_FIND_CHANGE,),
    "OVF401": (_SHIFTED, _BALANCE),
    "OVF501": (_BALANCE, _AUGMENT),
    "OVF502": (_AUGMENT, _DECAY),
    "OVF503": (_LARGER,),
    "OVF504": (_SHIFTED,),
    "OVF505": (_LABELS_MIXED,),
    "OVF506": (_WEAK_KINDS,),
    "OVF507": (_AUGMENT, _LARGER),
    "OVF508": (_AUGMENT, _LARGER),
    "OVF509": (_SHIFTED,),
    "OVF511": (_SHIFTED,),
    "OVF512": (_SHIFTED, _BALANCE),
    "OVF513": (_SHIFTED,),
    "OVF514": (_SHIFTED,),
    "OVF515": (_SHIFTED,),
    "OVF516": (_SHORTCUT,),
    "OVF517": (_SHIFTED, _BALANCE),
    "OVF521": (_OUTLIERS,),
    "OVF522": (_OUTLIERS,),
    "OVF523": (_SHORTCUT,),
    "OVF541": (_AUGMENT, _DECAY),
    "OVF542": (_SHIFTED,),
}


def recommend(diagnosis: Diagnosis, outcomes: Sequence[Outcome]) -> tuple[Recommendation, ...]:
    """What to do, most useful first: remedies of the likely causes, then of the findings."""
    issues = [o for o in outcomes if o.state == "issue"]
    wanted: dict[str, tuple[Remedy, list[str]]] = {}

    def want(remedy: Remedy, codes: Sequence[str]) -> None:
        known = wanted.setdefault(remedy.id, (remedy, []))[1]
        known.extend(c for c in codes if c not in known)

    if diagnosis.onset_epoch is not None:
        want(_STOP, ["OVF102"])
    for cause in diagnosis.causes:
        if cause.probability >= LIKELY:
            for remedy in BY_CAUSE.get(cause.cause, ()):
                want(remedy, cause.finding_codes)
    for outcome in issues:
        for remedy in _for_finding(diagnosis, outcome):
            want(remedy, [outcome.code])
    if diagnosis.verdict == "inconclusive" and not wanted:
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
        return _RATE
    if divergence is not None and divergence.value("rise_within_noise") is not None:
        return _LARGER_VALIDATION
    return _LOG_MORE if gap is None or gap.state == "not_applicable" else _LONGER


def _for_finding(diagnosis: Diagnosis, outcome: Outcome) -> tuple[Remedy, ...]:
    if outcome.code == "OVF102" and outcome.value("conflict") in ("over_confident", "score_still_improves"):
        return (_CALIBRATE,) if diagnosis.verdict == "healthy" else (_STOP, _CALIBRATE)
    if outcome.code == "OVF106":
        return BY_PATTERN.get(outcome.value("pattern"), ())
    if outcome.code == "OVF105" and diagnosis.verdict != "healthy":
        return ()
    if outcome.code == "OVF104" and outcome.severity == "low":
        return (_LARGER_VALIDATION,)
    return BY_CODE.get(outcome.code, ())
