"""A project's own metric names, as the settings give them: patterns, exact names of a quantity, names to pass over."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from copilot.utils.validators import clean_text


class NameRule(NamedTuple):
    """One rule: names that match `pattern` belong to this side (``{}`` is the quantity, ``*`` any text).

    `quantity` names it where the pattern does not hold it, `higher_is_better` its direction where the conventions do
    not know it. An `ignore` rule takes the names out of the analysis, whichever side it stands on.
    """

    pattern: str
    quantity: str | None = None
    higher_is_better: bool | None = None
    ignore: bool = False
    exact: bool = False


class NameRules(NamedTuple):
    """The rules of both sides, as readers take them (`train_pattern`, `val_pattern`)."""

    train: tuple[NameRule, ...] | None
    val: tuple[NameRule, ...] | None


Patterns = str | tuple[str | NameRule, ...] | list[str | NameRule] | None


@lru_cache(maxsize=256)
def as_rules(patterns: str | tuple[str | NameRule, ...] | None) -> tuple[NameRule, ...]:
    """The rules of one side: the most telling first (ignored names, exact ones, then the longest pattern)."""
    given = (patterns,) if isinstance(patterns, str) else patterns or ()
    rules = [r if isinstance(r, NameRule) else NameRule(r) for r in given if r]
    return tuple(sorted(rules, key=lambda r: (not r.ignore, r.quantity is None, -len(r.pattern))))


def match(rule: NameRule, name: str) -> str | None:
    """The text that stands for the quantity, `name` itself where the pattern has no ``{}``; None if it does not fit."""
    if rule.exact:
        return name if name == clean_text(rule.pattern) else None
    found = _compiled(rule.pattern).fullmatch(name)
    if found is None:
        return None
    return found[1] if found.groups() else name


def check_pattern(pattern: str) -> None:
    """See that a pattern can be used.

    Raises
    ------
    ValueError
        It is empty, too long, or holds too many placeholders to be matched in good time.
    """
    if not pattern.strip() or len(pattern) > 200:
        raise ValueError("a pattern has 1 to 200 characters")
    if pattern.count("{}") > 2 or pattern.count("*") > 3:
        raise ValueError(f"{clean_text(pattern, 60)!r} holds more than two {{}} or three *")
    if re.search(r"\{[^}]|(?<!\{)\}", pattern):
        raise ValueError(f"{clean_text(pattern, 60)!r}: write {{}} where the quantity stands")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *rest = re.escape(pattern).replace(r"\*", ".*").split(r"\{\}")
    return re.compile(first + "".join(("(.+)" if i == 0 else r"\1") + part for i, part in enumerate(rest)))
