"""Names that people can tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from copilot.utils.validators import clean_text

SHORTEST = 4  # characters of an id that are shown, where they tell it from the others


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Names by id; alike ones get the end of their id, as in ``resnet (…1a2b)``."""
    return dict(zip(names, told_apart(list(names.values()), list(names)), strict=True))


def told_apart(names: Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
    """`names`, alike ones with as much of the end of their id as tells them apart; ids stay alike where they are."""
    alike: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        alike[name].append(i)
    told = list(names)
    for own in alike.values():
        if len(own) > 1:
            for i, end in zip(own, _ends([ids[i] for i in own]), strict=True):
                told[i] = f"{names[i]} ({end})"
    return tuple(told)


def _ends(ids: Sequence[str]) -> list[str]:
    """The shortest ends of one length that differ as the ids do."""
    shown, longest = SHORTEST, max(map(len, ids))
    while shown < longest and len({i[-shown:] for i in ids}) < len(set(ids)):
        shown += 1
    return [clean_text(("…" if len(i) > shown else "") + i[-shown:]) for i in ids]


def in_words(a: str, b: str) -> tuple[str, str]:
    """What two image sets are called in sentences: two revisions of one folder by their revisions, others as named."""
    (kind_a, rev_a, path_a), (kind_b, rev_b, path_b) = ([*named.split(":", 2), "", ""][:3] for named in (a, b))
    if kind_a == kind_b == "dvc" and path_a == path_b and rev_a != rev_b:
        return rev_a, rev_b
    return a, b
