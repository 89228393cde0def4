"""Metric names: from a logged name to (quantity, split, direction), or to why it is no curve.

Names are cut into words, so that ``train/loss``, ``loss_train``, ``Train Loss`` and ``trainLoss`` read alike.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from copilot.core import conventions as c
from copilot.core.conventions import Split
from copilot.errors import ConfigError
from copilot.utils.name_rules import NameRule, NameRules, Patterns, as_rules, match

Kind = Literal["loss", "score", "error"]


@dataclass(frozen=True)
class MetricName:
    """What a logged name says: `quantity` on `split`; `rank` orders names that say the same (lower wins).

    `stem` is the name without its split, `dataset` the number of the evaluation set that it names; `implied` where
    not the name but its kind says that it is validation.
    """

    name: str
    quantity: str
    split: Split
    higher_is_better: bool
    kind: Kind
    rank: int = 0
    stem: tuple[str, ...] = ()
    dataset: int | None = None
    implied: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A name that is no curve of a known quantity, and why."""

    name: str
    why: str


OWN_RULE = -1  # the rank of names that the project's own rules read: they win over the table's
NOT_A_CURVE = "No measure of the model: a rate, time, count or the like."
SUMMED_UP = "A best, closing or spread value, not a curve."
FROM_OTHERS = "Made from other values (a gap, a ratio or the reverse of a measure)."
UNKNOWN = "No known measure is in the name."
TWO_SPLITS = "It names more than one of training, validation and test."
IGNORED = "Ignored by the settings (metrics.ignore)."


def parse_metric_name(name: str, train_pattern: Patterns = None, val_pattern: Patterns = None) -> MetricName | None:
    """Read a logged metric name.

    Parameters
    ----------
    name : str
        As logged, for instance ``val/box_loss`` or ``metrics/mAP50-95(B)``.
    train_pattern, val_pattern : str, or sequence of str and `NameRule`, optional
        The project's own convention, ``{}`` standing for the quantity, for instance ``"{}_tr"``. Wins over the table.

    Returns
    -------
    MetricName or None
        None for names that are no curve of a known quantity (learning rate, times, system metrics).
    """
    read = read_metric_name(name, train_pattern, val_pattern)
    return read if isinstance(read, MetricName) else None


def read_metric_name(name: str, train_pattern: Patterns = None, val_pattern: Patterns = None) -> MetricName | LeftOut:
    """`parse_metric_name`, with the reason where a name is left out.

    Raises
    ------
    ConfigError
        A rule names a quantity whose direction is not known.
    """
    return _read(name, _hashable(train_pattern), _hashable(val_pattern))


def check_rules(rules: NameRules) -> None:
    """See that the direction of every quantity that the settings name is known.

    Raises
    ------
    ConfigError
        It is not, and the settings do not say it.
    """
    for rule in (*(rules.train or ()), *(rules.val or ())):
        if rule.quantity is not None:
            words = [w for segment in _segments(rule.quantity) for w in segment]
            _exact(rule.pattern, rule, "train", words, _named(rule.pattern, words, "train", OWN_RULE, None))


def _hashable(patterns: Patterns) -> str | tuple[str | NameRule, ...] | None:
    return tuple(patterns) if isinstance(patterns, list) else patterns


@lru_cache(maxsize=16384)
def _read(name: str, train: str | tuple | None, val: str | tuple | None) -> MetricName | LeftOut:
    if (train or val) and (own := _by_rules(name, as_rules(train), as_rules(val))):
        return own
    if c.NOISE.search(name):
        return LeftOut(name, NOT_A_CURVE)
    numbered = c.NUMBERED_SETS.search(name)
    dataset = next((int(g) for g in numbered.groups() if g), None) if numbered else None
    text = re.sub(r"(?i)[/_ ]?dataloader_idx_\d+$", "", name)
    text = re.sub(r"(?i)^(valid|validation|eval|test)_\d+(?=[-/])", r"\1", text)
    segments = _segments(text)
    split = _split_of(segments)
    if split is None:
        return LeftOut(name, TWO_SPLITS)
    words = _without_set_words([w for segment in segments for w in segment])
    rest = [w for w in words if w not in c.SPLIT_WORDS and w not in c.WITHIN_EPOCH]
    if why := _no_curve(rest):
        return LeftOut(name, why)
    rank = 2 if c.WITHIN_EPOCH.intersection(words) else 0
    read = _named(name, rest, split, rank, dataset)
    if isinstance(read, MetricName) and _is_turned(text, read, rest):
        return LeftOut(name, FROM_OTHERS)
    if isinstance(read, MetricName) and split == "unknown" and _is_evaluated(text, read, rest):
        return MetricName(**{**vars(read), "split": "val", "implied": True})
    return read


def _by_rules(name: str, train: tuple[NameRule, ...], val: tuple[NameRule, ...]) -> MetricName | LeftOut | None:
    """What the project's own rules say of a name; None where they say nothing."""
    sides: list[tuple[Split, NameRule]] = [("train", r) for r in train] + [("val", r) for r in val]
    sides.sort(key=lambda s: (not s[1].ignore, s[1].quantity is None, -len(s[1].pattern)))  # `val_{}` before `{}`
    for split, rule in sides:
        held = match(rule, name)
        if held is None:
            continue
        if rule.ignore:
            return LeftOut(name, IGNORED)
        quantity = rule.quantity or held
        words = [w for segment in _segments(quantity) for w in segment]
        read = _named(name, words, split, OWN_RULE, None)
        if rule.quantity is None:
            return read
        return _exact(name, rule, split, words, read)
    return None


def _exact(name: str, rule: NameRule, split: Split, words: list[str], read: MetricName | LeftOut) -> MetricName:
    """A name that the settings pair: its quantity as they say, its direction as they or the table say."""
    if rule.higher_is_better is None and isinstance(read, LeftOut):
        raise ConfigError(
            f"metrics.pairs: whether '{rule.quantity}' gets better by rising is not known.",
            "Add higher_is_better: true or false to the pair.",
        )
    if isinstance(read, MetricName) and rule.higher_is_better in (None, read.higher_is_better):
        return MetricName(**{**vars(read), "stem": (read.quantity,)})
    quantity = "_".join(words) or "score"
    rises = bool(rule.higher_is_better)
    return MetricName(name, quantity, split, rises, "score" if rises else "loss", OWN_RULE, (quantity,))


def _split_of(segments: list[list[str]]) -> Split | None:
    """The split that a name says, the innermost part of a path winning; None where one part says two."""
    for weak in (False, True):
        for segment in reversed(segments):
            named = {c.SPLIT_WORDS[w] for w in segment if w in c.SPLIT_WORDS and (w in c.WEAK_SPLIT_WORDS) == weak}
            if len(named) > 1:
                return None
            if named:
                return named.pop()
    return "unknown"


def _without_set_words(words: list[str]) -> list[str]:
    """`words` without the ``data`` of ``train_data_loss``; a ``data_loss`` of its own keeps it."""
    return [w for i, w in enumerate(words) if not (w == "data" and i and words[i - 1] in c.SPLIT_WORDS)]


def _no_curve(rest: list[str]) -> str:
    if c.SUMMARY.intersection(rest):
        return SUMMED_UP
    if c.DERIVED.intersection(rest):
        return FROM_OTHERS
    if c.COUNTS.intersection(rest):
        return NOT_A_CURVE
    if len(rest) > 1 and rest[-1] in c.PARAMETER_ENDS:
        coefficient = rest[-1] in ("coef", "coefficient")
        if not (coefficient and c.BOUNDED_SCORES.intersection(rest)):
            return NOT_A_CURVE
    return ""


def _is_turned(text: str, read: MetricName, rest: list[str]) -> bool:
    """Whether it is the negative, complement or inverse of a measure, so that its direction is not the measure's."""
    turned = c.TURNED if read.higher_is_better else c.TURNED | c.TURNED_LOSS
    return c.TURNED_NAMES.match(text) is not None or not turned.isdisjoint(rest)


def _is_evaluated(text: str, read: MetricName, rest: list[str]) -> bool:
    named = c.EVALUATED_NAMES.match(text) is not None or not c.EVALUATED.isdisjoint((rest[0], rest[-1]))
    return named and read.kind == "score"


def _named(name: str, words: list[str], split: Split, rank: int, dataset: int | None) -> MetricName | LeftOut:
    falls, rises = c.FALLS.intersection(words), c.RISES.intersection(words)
    if split != "unknown":
        falls |= c.FALLS_ON_A_SPLIT.intersection(words)
    if "negated" in words:
        falls = frozenset()
    if not falls and not rises and not ("score" in words and c.FILLER.issuperset(words)):
        return LeftOut(name, UNKNOWN)
    core = [w for w in words if w not in c.FILLER] or ["score"]
    # `fold_1/val_loss` and `val_loss_fold1` are one quantity, `f1_macro` and `macro_f1` too.
    core.sort(key=lambda w: (c.FOLD.match(w) is not None, w not in c.AVERAGED))
    quantity = "_".join(dict.fromkeys(core))
    kind: Kind = "score" if not falls else "error" if falls <= {"error"} else "loss"
    return MetricName(name, quantity, split, not falls, kind, rank, tuple(w for w in words if w != "epoch"), dataset)


@lru_cache(maxsize=4096)
def is_fraction(quantity: str) -> bool:
    """Whether the quantity runs from 0 to 1 by definition, so that larger values are percent."""
    words = quantity.split("_")
    return "loss" not in words and bool(c.BOUNDED_SCORES.intersection(words) or words == ["error"])


def _segments(name: str) -> list[list[str]]:
    """The words of each part of a path."""
    text = unicodedata.normalize("NFKC", name)
    for pattern, replacement in c.PHRASES:
        text = pattern.sub(replacement, text)
    text = "".join(ch for ch in unicodedata.normalize("NFKD", text) if not unicodedata.combining(ch))
    suffix = re.search(r"(?<=[a-z0-9])\(?([BMP])\)?$", text) if text.startswith("metrics/") else None
    if suffix:
        text = f"{text[: suffix.start()]} {c.ULTRALYTICS[suffix[1].lower()]}"
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [_words(part) for part in text.lower().split("/")]


def _words(text: str) -> list[str]:
    words = []
    for word in re.split(r"[^a-z0-9-]+|(?<!\d)-|-(?!\d)", text):
        glued = c.GLUED.match(word)
        words.extend([g for g in glued.groups() if g] if glued else [word] if word.strip("-") else [])
    words = [w.strip("-") for w in words]
    as_they_are = c.NOT_IN_LOSSES if "loss" in words else ()
    named = [w if w in as_they_are else c.ALIASES.get(w, w) for w in words]
    return [part for w in named for part in re.sub(c.NUMBERED, r"\1 \2", w).split()]
