"""A project's own metric names, as the settings give them: patterns, exact names of a quantity, names to pass over."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class NameRule(NamedTuple):
    """One rule: names that match `pattern` belong to this side (``{}`` is the quantity, ``*`` any text).

    `quantity` names it where the pattern does not hold it, `higher_is_better` its direction where the conventions do
    not know it. An `ignore` rule takes the names out of the analysis, whichever side it stands on.
    """

    pattern: str
    quantity: str | None = None
    higher_is_better: bool | None = None
    ignore: bool = False


Patterns = str | tuple[str | NameRule, ...] | list[str | NameRule] | None


@lru_cache(maxsize=256)
def as_rules(patterns: str | tuple[str | NameRule, ...] | None) -> tuple[NameRule, ...]:
    """The rules of one side: the most telling first (ignored names, exact ones, then the longest pattern)."""
    given = (patterns,) if isinstance(patterns, str) else patterns or ()
    rules = [r if isinstance(r, NameRule) else NameRule(r) for r in given if r]
    return tuple(sorted(rules, key=lambda r: (not r.ignore, r.quantity is None, -len(r.pattern))))


def match(rule: NameRule, name: str) -> str | None:
    """The text that stands for the quantity, `name` itself where the pattern has no ``{}``; None if it does not fit."""
    found = _compiled(rule.pattern).fullmatch(name)
    if found is None:
        return None
    return found[1] if found.groups() else name


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *rest = re.escape(pattern).replace(r"\*", ".*").split(r"\{\}")
    return re.compile(first + "".join(("(.+)" if i == 0 else r"\1") + part for i, part in enumerate(rest)))
