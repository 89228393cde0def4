"""Metric-name conventions: from a logged name to (quantity, split, direction). The one table of them.

Names are cut into words, so that ``train/loss``, ``loss_train``, ``Train Loss`` and ``trainLoss`` read alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Split = Literal["train", "val", "test", "unknown"]
Kind = Literal["loss", "score", "error"]

_SPLIT_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "eval", "evaluation", "dev", "holdout"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
_WEAK_SPLIT_WORDS = ("eval", "evaluation")  # `eval_train_loss` was evaluated on the training set
_ALIASES = {
    "losses": "loss",
    "cost": "loss",
    "acc": "accuracy",
    "acc1": "accuracy",
    "top1": "accuracy",
    "prec1": "accuracy",
    "accs": "accuracy",
    "accuracies": "accuracy",
    "acc5": "top5",
    "prec5": "top5",
    "err": "error",
    "err1": "error",
    "errors": "error",
    "f1score": "f1",
    "auroc": "auc",
    "rocauc": "auc",
    "miou": "iou",
    "meaniou": "iou",
    "xent": "crossentropy",
    "xentropy": "crossentropy",
    "ppl": "perplexity",
    "prec": "precision",
    "rec": "recall",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that name how a number was made, not what it measures.
_FILLER = _set(
    "avg average mean epoch epochs metrics metric score coef coefficient index rate running total per on the set data "
    "multiclass binary categorical sparse"
)
_FALLS = _set(
    "loss error mse mae rmse rmsle mape nll ce crossentropy perplexity wer cer brier ece fid kl kld bce hinge logloss "
    "mlogloss lpips eer fpr fnr mpjpe epe rl sl"
)
_BOUNDED_SCORES = _set(
    "accuracy top5 f1 fbeta precision recall sensitivity specificity tpr tnr auc auprc ap ap50 ap75 ar ar100 map map50 "
    "map75 map50-95 iou dice jaccard pck pq"
)
_RISES = _BOUNDED_SCORES | _set(
    "r2 kappa mcc psnr ssim bleu rouge1 rouge2 rougel meteor cider hota mota idf1 ndcg mrr hit"
)
# A running best, a spread or a figure logged once at the end is not a curve.
_SUMMARY = _set("best final min max last std stdev stderr variance")
_NOISE = re.compile(
    r"(?i)^(?:system[/.]|lr\b|lr[/_-]|.*learning[ _-]?rate|epochs?$|(?:global[ _-]?)?steps?$|iter(?:ation)?s?$|"
    r".*(?:^|[_/ -])(?:time|dur|duration|seconds|runtime|throughput|samples|per_second|grad_norm|gnorm|momentum|"
    r"memory|batch_size|patience|flos|loss_scale)(?:$|[_/ -]))"
)
_GLUED = re.compile(
    r"^(train(?:ing)?|val(?:id|idation)?|test|eval)(loss|losses|acc|accuracy|err|error|f1|auc|iou|dice|mse|mae|rmse)$"
)
_NUMBERED = re.compile(r"^(loss|accuracy|error)(\d+)$")
# Names of several words, written as one.
_PHRASES = (
    (r"[mM]?I[oO]U", " iou "),
    (r"(?i)root[_ ]mean[_ ]squared?[_ ]error", "rmse"),
    (r"(?i)mean[_ ]squared?[_ ]error", "mse"),
    (r"(?i)mean[_ ]absolute[_ ]error", "mae"),
    (r"(?i)mean[_ ]average[_ ]precision", "map"),
    (r"(?i)average[_ ]precision", "ap"),
    (r"(?i)cross[_ ]?entropy", "crossentropy"),
    (r"(?i)mAP[_@ .]*(?:0?[.]?)?50?[-_: ]+(?:0?[.]?)?95", "map50-95"),
    (r"(?i)top[-_ ]?1[-_ ]?err", "err"),
    (r"(?i)(acc(?:uracy)?|prec)[@_ ]*(?:top)?[-_]?([15])\b", r"acc\2"),
    (r"(?i)top[-_ ]?([15])[-_ ]?(?:acc(?:uracy)?)?\b", r"acc\1"),
    (r"/?dataloader_idx_0$", ""),
    (r"mAP", "map"),
)
_ULTRALYTICS = {"b": "", "m": "mask", "p": "pose"}


@dataclass(frozen=True)
class MetricName:
    """What a logged name says: `quantity` on `split`; `rank` orders names that say the same (lower wins)."""

    name: str
    quantity: str
    split: Split
    higher_is_better: bool
    kind: Kind
    rank: int = 0


@lru_cache(maxsize=4096)
def parse_metric_name(name: str, train_pattern: str | None = None, val_pattern: str | None = None) -> MetricName | None:
    """Read a logged metric name.

    Parameters
    ----------
    name : str
        As logged, for instance ``val/box_loss`` or ``metrics/mAP50-95(B)``.
    train_pattern, val_pattern : str, optional
        The project's own convention, ``{}`` standing for the quantity, for instance ``"{}_tr"``. Wins over the table.

    Returns
    -------
    MetricName or None
        None for names that are no curve of a known quantity (learning rate, times, system metrics).
    """
    patterns: list[tuple[Split, str | None]] = [("train", train_pattern), ("val", val_pattern)]
    for split, pattern in sorted(patterns, key=lambda p: -len(p[1] or "")):  # `val_{}` before `{}`
        if pattern and (match := re.fullmatch(re.escape(pattern).replace(r"\{\}", "(.+)"), name)):
            return _named(name, _words(match[1] if match.groups() else name), split, 0)
    if _NOISE.search(name):
        return None
    words = _words(name)
    split, rank = _split_of(words), 0
    if "step" in words or "batch" in words or "iter" in words:
        rank = 2
    if split == "unknown" and words[:1] == ["metrics"]:
        split = "val"  # Ultralytics logs validation scores under metrics/
    rest = [w for w in words if w not in _SPLIT_WORDS and w not in ("step", "batch", "iter")]
    return None if _SUMMARY.intersection(rest) else _named(name, rest, split, rank)


def _split_of(words: list[str]) -> Split:
    strong = [w for w in words if w in _SPLIT_WORDS and w not in _WEAK_SPLIT_WORDS]
    weak = [w for w in words if w in _WEAK_SPLIT_WORDS]
    return _SPLIT_WORDS[(strong + weak)[0]] if strong or weak else "unknown"


def _named(name: str, words: list[str], split: Split, rank: int) -> MetricName | None:
    falls, rises = _FALLS.intersection(words), _RISES.intersection(words)
    if not falls and not rises and not ("score" in words and _FILLER.issuperset(words)):
        return None
    core = [w for w in words if w not in _FILLER] or ["score"]
    quantity = "_".join(dict.fromkeys(core))
    kind: Kind = "score" if not falls else "error" if falls <= {"error"} else "loss"
    return MetricName(name, quantity, split, not falls, kind, rank)


@lru_cache(maxsize=4096)
def is_fraction(quantity: str) -> bool:
    """Whether the quantity runs from 0 to 1 by definition, so that larger values are percent."""
    words = quantity.split("_")
    return "loss" not in words and bool(_BOUNDED_SCORES.intersection(words) or words == ["error"])


def _words(name: str) -> list[str]:
    text = name
    for pattern, replacement in _PHRASES:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"(?i)mAP[_@ ]*(?:0[.]?)?(50|75|5)(?!\d)(?!-)", lambda m: "map" + {"5": "50"}.get(m[1], m[1]), text)
    suffix = re.search(r"(?<=[a-z0-9])\(?([BMP])\)?$", text) if text.startswith("metrics/") else None
    if suffix:
        text = f"{text[: suffix.start()]} {_ULTRALYTICS[suffix[1].lower()]}"
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    words = []
    for word in re.split(r"[^a-z0-9-]+|(?<!\d)-|-(?!\d)", text.lower()):
        glued = _GLUED.match(word)
        words.extend(glued.groups() if glued else [word] if word.strip("-") else [])
    named = [_ALIASES.get(w.strip("-"), w.strip("-")) for w in words]
    return [part for w in named for part in re.sub(_NUMBERED, r"\1 \2", w).split()]
