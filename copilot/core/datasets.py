"""Versions of a data set and what moved between two of them, from file lists alone.

Paths inside these documents are as they are in the data set, so that a file can be opened by them;
clean them where they are shown.
Class counts follow the folder-per-class convention: ``split/label/file`` or ``label/file``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from copilot.core.findings import Document, Evidence, Outcome
from copilot.utils.validators import clean_text

CODE = "OVF401"
TITLE = "Class balance between data versions"
MAX_PATHS = 200
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".npy", ".dcm")


class BalanceThresholds(Document):
    """Thresholds of OVF401, on the total variation distance of class shares (0 the same, 1 no class in common)."""

    moved: float = 0.1
    strong: float = 0.25
    min_images: int = 20


class TrackedData(Document):
    """One output that DVC tracks: a folder or a file. Counts and sizes are None where DVC did not record them."""

    path: str
    kind: Literal["folder", "file"]
    hash: str
    n_files: int | None = None
    size_bytes: int | None = None
    defined_in: str
    stage: str | None = None


class DataVersion(Document):
    """A commit in which a data set changed. ``revision`` is a name to ask for it by: a tag, else the short commit.

    ``tags`` and ``branches`` are those whose commit holds this state of the data, also when it is a later commit.
    """

    revision: str
    commit: str
    date: str
    message: str
    tags: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    n_files: int | None = None
    size_bytes: int | None = None
    hash: str


class DataProject(Document):
    """A DVC project that was found. ``repository`` is the top of its Git repository, None where there is none."""

    path: str
    repository: str | None = None
    remotes: tuple[str, ...] = ()


class ClassCount(Document):
    """Images of one class in revision a and in revision b."""

    split: str | None
    label: str
    a: int
    b: int


class DataComparison(Document):
    """What moved from revision a to revision b; the path lists are cut at ``MAX_PATHS``, the counts are whole.

    ``n_moved`` of the added files have the content of a removed file: they were renamed or moved.
    """

    path: str
    rev_a: str
    rev_b: str
    n_files_a: int
    n_files_b: int
    n_added: int
    n_removed: int
    n_changed: int
    n_moved: int
    unchanged_count: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    class_counts: tuple[ClassCount, ...] = ()
    size_a: int | None = None
    size_b: int | None = None
    outcomes: tuple[Outcome, ...] = ()
    summary: str


def class_of(path: str) -> tuple[str | None, str] | None:
    """Split and label of an image by its folders, or None for other files and images outside class folders.

    The folder below one named as a split is the label; without a split, the folder that holds the image is.
    """
    *folders, name = path.split("/")
    if not folders or not name.lower().endswith(IMAGE_SUFFIXES):
        return None
    at = next((i for i, folder in enumerate(folders) if folder.lower() in SPLITS), None)
    if at is None:
        return None, clean_text(folders[-1], 80)
    return (folders[at], clean_text(folders[at + 1], 80)) if at + 1 < len(folders) else None


def count_classes(files_a: Iterable[str], files_b: Iterable[str]) -> tuple[ClassCount, ...]:
    """Images per split and class on both sides, training first, labels in natural order (2 before 10).

    Parameters
    ----------
    files_a, files_b : iterable of str
        Paths with forward slashes.
    """
    in_a, in_b = (Counter(filter(None, map(class_of, files))) for files in (files_a, files_b))
    return tuple(
        ClassCount(split=split, label=label, a=in_a[split, label], b=in_b[split, label])
        for split, label in sorted(in_a.keys() | in_b.keys(), key=_class_order)
    )


def total_variation(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Total variation distance between two class distributions: half the sum of the absolute differences of shares.

    Parameters
    ----------
    a, b : mapping of label to count
        Neither may be empty.

    Returns
    -------
    float
        From 0 (the same shares) to 1 (no class in common).

    Raises
    ------
    ValueError
        One side counts nothing.
    """
    return sum(abs(move) for move in _share_moves(a, b).values()) / 2


def judge_balance(
    counts: Iterable[ClassCount], thresholds: BalanceThresholds | None = None, source: str = ""
) -> Outcome:
    """OVF401: did the share of the classes move, in any split, or did a class vanish?

    Splits with fewer than ``min_images`` on a side are left out: shares of a handful say nothing.
    """
    limits = thresholds or BalanceThresholds()
    splits: dict[str | None, list[ClassCount]] = defaultdict(list)
    for count in counts:
        splits[count.split].append(count)
    judged = [
        _judge_split(split, rows, limits, source)
        for split, rows in splits.items()
        if min(sum(r.a for r in rows), sum(r.b for r in rows)) >= limits.min_images
    ]
    if not judged:
        why = f"No split has {limits.min_images} images in class folders in both versions."
        return Outcome(code=CODE, title=TITLE, state="not_applicable", summary=why)
    severity, _, sentence = max(judged, key=lambda row: (("none", "medium", "high").index(row[0]), row[1].value))
    return Outcome(
        code=CODE,
        title=TITLE,
        state="passed" if severity == "none" else "issue",
        severity=severity,
        confidence=1.0,
        summary=sentence,
        evidence=tuple(row[1] for row in judged),
    )


def compare_files(
    files_a: Mapping[str, str],
    files_b: Mapping[str, str],
    *,
    path: str,
    rev_a: str,
    rev_b: str,
    size_a: int | None = None,
    size_b: int | None = None,
    thresholds: BalanceThresholds | None = None,
) -> DataComparison:
    """Compare two file lists.

    Parameters
    ----------
    files_a, files_b : mapping of str to str
        Path inside the data set to content hash.
    path, rev_a, rev_b : str
        What is compared, for people.
    size_a, size_b : int, optional
        Bytes in all.
    thresholds : BalanceThresholds, optional
        Thresholds of OVF401.
    """
    added, removed = sorted(files_b.keys() - files_a.keys()), sorted(files_a.keys() - files_b.keys())
    common = files_a.keys() & files_b.keys()
    changed = sorted(name for name in common if files_a[name] != files_b[name])
    moved = Counter(files_b[n] for n in added) & Counter(files_a[n] for n in removed)
    counts = count_classes(files_a, files_b)
    balance = judge_balance(counts, thresholds, source=f"dvc:{path}@{rev_a}..{rev_b}")
    numbers = {
        "n_files_a": len(files_a),
        "n_files_b": len(files_b),
        "n_added": len(added),
        "n_removed": len(removed),
        "n_changed": len(changed),
        "n_moved": moved.total(),
        "unchanged_count": len(common) - len(changed),
    }
    return DataComparison(
        path=path,
        rev_a=rev_a,
        rev_b=rev_b,
        **numbers,
        added=_listed(added),
        removed=_listed(removed),
        changed=_listed(changed),
        class_counts=counts,
        size_a=size_a,
        size_b=size_b,
        outcomes=(balance,),
        summary=_summary(rev_a, rev_b, numbers, balance),
    )


def printable(text: str) -> str:
    """`text` with the bytes of a name that is not UTF-8 written as escapes, so that it can be JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _listed(paths: list[str]) -> tuple[str, ...]:
    return tuple(printable(path) for path in paths[:MAX_PATHS])


def _class_order(key: tuple[str | None, str]) -> tuple:
    split, label = key
    rank = SPLITS.index(split.lower()) if split else -1
    return rank, split or "", [int(p) if i % 2 else p for i, p in enumerate(re.split(r"([0-9]+)", label))]


def _share_moves(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, float]:
    n_a, n_b = sum(a.values()), sum(b.values())
    if not n_a or not n_b:
        raise ValueError("Shares need at least one count on either side.")
    return {label: b.get(label, 0) / n_b - a.get(label, 0) / n_a for label in a.keys() | b.keys()}


def _judge_split(split: str | None, rows: list[ClassCount], limits: BalanceThresholds, source: str):
    a, b = ({row.label: getattr(row, side) for row in rows} for side in ("a", "b"))
    moves = _share_moves(a, b)
    distance = total_variation(a, b)
    most = max(sorted(moves), key=lambda label: abs(moves[label]))
    gone = [row.label for row in rows if row.a and not row.b]
    where = f" of {split}" if split else ""
    name = f"total_variation_{split}" if split else "total_variation"
    evidence = Evidence(name=name, value=distance, source=source)
    if distance < limits.moved and not gone:
        return "none", evidence, f"The class shares{where} stayed as they were (total variation {distance:.2f})."
    change = f"{a[most]:,} of {sum(a.values()):,} images before, {b[most]:,} of {sum(b.values()):,} after"
    sentence = f"The class shares{where} moved (total variation {distance:.2f}), most for {most}: {change}"
    lost = f"; no image is left of {', '.join(gone[:5])}{' and others' if len(gone) > 5 else ''}" if gone else ""
    return "high" if gone or distance >= limits.strong else "medium", evidence, f"{sentence}{lost}."


def _summary(rev_a: str, rev_b: str, n: Mapping[str, int], balance: Outcome) -> str:
    if not n["n_added"] + n["n_removed"] + n["n_changed"]:
        return f"{rev_a} and {rev_b} hold the same {_files(n['n_files_a'])}."
    moved = f" ({n['n_moved']:,} only moved)" if n["n_moved"] else ""
    text = (
        f"From {rev_a} to {rev_b}: {_files(n['n_added'])} added{moved}, {n['n_removed']:,} removed, "
        f"{n['n_changed']:,} changed, {n['unchanged_count']:,} unchanged; "
        f"{n['n_files_a']:,} before, {n['n_files_b']:,} after."
    )
    return f"{text} {balance.summary}" if balance.state in ("issue", "passed") else text


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"
