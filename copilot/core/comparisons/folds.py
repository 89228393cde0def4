"""Which runs of a group are the folds of one cross-validation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from copilot.core.comparisons.base import RunGroup
from copilot.core.comparisons.members import NAME_LENGTH, GroupMember
from copilot.core.comparisons.params import configuration, fold_count, is_size
from copilot.utils.names import told_apart
from copilot.utils.validators import clean_text

# `net-fold-3`, `fold_3_of_5`, `net_cv2`, `kfold3`, `5fold_3`, `net (fold 3/5)`
_NAMED = re.compile(
    r"(?i)^(?P<stem>.*?)(?:(?<=\d)|(?<![a-z]))(?:k[_-]?)?(?:fold|cv)[\s_\-#:=.]{0,3}(?P<i>\d{1,3})(?!\d)"
    r"(?:[\s_-]{0,2}(?:of|/)[\s_-]{0,2}(?P<k>\d{1,3}))?(?P<rest>.*)$"
)
SCANNED = 200  # characters of a run's name that are looked at
_Entry = tuple[int, int, GroupMember, str]  # index, fold, run, its name without the fold


@dataclass(frozen=True)
class FoldSet:
    """The folds of one cross-validation: indices of members, and the number of each fold."""

    label: str
    members: tuple[int, ...]
    folds: tuple[int, ...]
    n_folds: int

    def array(self, values: np.ndarray) -> np.ndarray:
        """What these members have of an array over all members."""
        return values[list(self.members)]


def fold_sets(group: RunGroup) -> list[FoldSet]:
    """The cross-validations of a group, in the order of their first runs; each has two folds or more.

    A fold is told by a parameter or tag (``fold``, ``cv_fold``), else by the run's name. Folds of one set have the same
    parent run, or the same name but for the number and the same configuration; children of one run may be tuned fold
    by fold. Where the group is the children of one run that a person named, and no child tells its fold, each is one.
    """
    families: dict[tuple[bool, str], list[_Entry]] = defaultdict(list)
    for i, member in enumerate(group.members):
        found = _fold_of(member)
        if found is not None:
            family = (True, member.parent_run_id) if member.parent_run_id else (False, found[1])
            families[family].append((i, found[0], member, found[1]))
    sets = [own for (nested, _), all_ in families.items() for own in _by_configuration(all_, nested)]
    found = [made for own in sets for made in _repeats(own)]
    if not found and group.parent and len(group.members) > 1:
        n = len(group.members)
        return [FoldSet("these runs", tuple(range(n)), tuple(range(1, n + 1)), n)]
    return _told_apart(sorted(found, key=lambda s: s.members[0]), group)


def fold_numbers(group: RunGroup) -> dict[int, int]:
    """The fold of each member that belongs to a cross-validation, by its index."""
    return {i: fold for own in fold_sets(group) for i, fold in zip(own.members, own.folds, strict=True)}


def _fold_of(member: GroupMember) -> tuple[int, str] | None:
    """The number of the fold, and the run's name without it."""
    name = _NAMED.match((member.run_name or "")[:SCANNED])
    stem = f"{name['stem']} {name['rest']}".strip(" -_/.(#)") if name else ""
    if member.fold is not None:
        return member.fold, stem
    return (int(name["i"]), stem) if name else None


def _told_apart(sets: list[FoldSet], group: RunGroup) -> list[FoldSet]:
    """Sets of one name also say the parameters in which they differ; where none do, the end of an id."""
    alike: dict[str, list[FoldSet]] = defaultdict(list)
    for own in sets:
        alike[own.label].append(own)
    labels: dict[int, str] = {}
    for label, same in alike.items():
        configurations = [dict(configuration(group.members[s.members[0]].params, is_size)) for s in same]
        values: dict[str, set[str]] = defaultdict(set)
        for own in configurations:
            for name, value in own.items():
                values[name].add(value)
        differ = [name for name, seen in values.items() if len(seen) > 1][:2]
        for own, config in zip(same, configurations, strict=True):
            values_told = ", ".join(f"{n} {config[n]}" for n in differ if n in config)
            labels[own.members[0]] = clean_text(f"{label} ({values_told})" if values_told else label, NAME_LENGTH)
    firsts = [group.members[s.members[0]] for s in sets]
    ids = [m.parent_run_id or m.run_id or str(i) for i, m in enumerate(firsts, 1)]
    told = told_apart([labels[s.members[0]] for s in sets], ids)
    return [replace(s, label=label) for s, label in zip(sets, told, strict=True)]


def _shared_name(runs: Sequence[GroupMember]) -> str:
    """What the names of the runs begin with, without a number cut in two; the first name where they share nothing."""
    letters = zip(*((m.run_name or "")[:NAME_LENGTH] for m in runs), strict=False)
    start = "".join(same[0] for same in takewhile(lambda own: len(set(own)) == 1, letters))
    start = start.rstrip("0123456789") if start[-1:].isdigit() else start
    return start.strip(" -_/.(#") or runs[0].label


def _by_configuration(own: list[_Entry], nested: bool) -> list[list[_Entry]]:
    """Entries of one configuration each; children of one run with a number each belong together, however tuned."""
    if nested and len({number for _, number, _, _ in own}) == len(own):
        return [own]
    alike: dict[tuple, list[_Entry]] = defaultdict(list)
    for entry in own:
        alike[configuration(entry[2].params, is_size)].append(entry)
    return list(alike.values())


def _repeats(own: Sequence[_Entry]) -> Iterator[FoldSet]:
    """One set a repetition: the second run of a fold belongs to the second."""
    seen: dict[int, int] = defaultdict(int)
    repeats: dict[int, list[_Entry]] = defaultdict(list)
    for entry in own:
        repeats[seen[entry[1]]].append(entry)
        seen[entry[1]] += 1
    if len(seen) < 2:  # one number over and over is a setting, not a fold
        return
    for number, entries in repeats.items():
        if len(entries) > 1:
            members, folds, runs, stems = zip(*sorted(entries, key=lambda e: (e[1], e[0])), strict=True)
            logged = max((fold_count(m.params) or 0 for m in runs), default=0)
            label = stems[0][:NAME_LENGTH] or _shared_name(runs)
            label += f" (repetition {number + 1})" if number else ""
            yield FoldSet(label, members, folds, max(logged, len(members)))
