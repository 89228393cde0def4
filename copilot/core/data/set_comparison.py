"""Two image sets compared: what is in each, which files changed, and what moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from copilot.core.data.description import Description
from copilot.core.datasets import MAX_PATHS, printable
from copilot.core.findings import Document, Outcome, Picture


class SetBrief(Document):
    """One of two sets in brief."""

    origin: str
    n_images: int
    n_readable: int
    n_classes: int
    summary: str


class ImageChanges(Document):
    """What changed between two revisions, by name and content; lists are cut at 200 names, the counts are whole.

    ``n_moved`` of the added images have the content of a removed one: they were renamed or moved.
    """

    n_added: int
    n_removed: int
    n_changed: int
    n_moved: int
    n_unchanged: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class SetComparison(Document):
    """What moved from set a to set b.

    ``compared`` says which images the checks of properties and embeddings looked at: all of both sets, or what is new
    in b against all of a where they share images. ``n_shared`` counts the images of b whose content is in a too; of two
    splits there should be none. ``changes`` is there for revisions alone. ``n_measured`` counts the images whose
    properties were not known from the cache.
    """

    a: SetBrief
    b: SetBrief
    compared: tuple[str, str]
    n_compared: tuple[int, int]
    n_shared: int = 0
    changes: ImageChanges | None = None
    outcomes: tuple[Outcome, ...] = ()
    pictures: tuple[Picture, ...] = ()
    n_measured: int = 0
    summary: str


def brief(description: Description) -> SetBrief:
    """A description without its lists."""
    fields = ("origin", "n_images", "n_readable", "n_classes", "summary")
    return SetBrief(**{name: getattr(description, name) for name in fields})


def image_changes(
    names_a: Sequence[str], keys_a: Sequence[str], names_b: Sequence[str], keys_b: Sequence[str]
) -> ImageChanges:
    """Which images were added, removed, changed or moved.

    Parameters
    ----------
    names_a, names_b : sequence of str
        Unique in each set.
    keys_a, keys_b : sequence of str
        Of the contents; those of images that are gone are empty.
    """
    in_a, in_b = dict(zip(names_a, keys_a, strict=True)), dict(zip(names_b, keys_b, strict=True))
    added, removed = sorted(in_b.keys() - in_a.keys()), sorted(in_a.keys() - in_b.keys())
    common = in_a.keys() & in_b.keys()
    changed = sorted(name for name in common if in_a[name] != in_b[name])
    moved = Counter(in_b[name] for name in added) & Counter(in_a[name] for name in removed)
    moved.pop("", None)
    lists = {"added": added, "removed": removed, "changed": changed}
    return ImageChanges(
        n_added=len(added),
        n_removed=len(removed),
        n_changed=len(changed),
        n_moved=moved.total(),
        n_unchanged=len(common) - len(changed),
        **{kind: tuple(map(printable, paths[:MAX_PATHS])) for kind, paths in lists.items()},
    )


def same_classes(
    names_a: Sequence[str], labels_a: np.ndarray, names_b: Sequence[str], labels_b: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Class names of both sets, those of a first, and the labels of each as indices into them; classes go by name."""
    names = tuple(dict.fromkeys([*names_a, *names_b]))
    places = {name: i for i, name in enumerate(names)}
    to = np.array([*(places[name] for name in names_b), -1], np.int64)  # the last place is that of label -1
    return names, labels_a, to[np.maximum(labels_b, -1)]


def told(a: SetBrief, b: SetBrief, changes: ImageChanges | None, n_shared: int, outcomes: Sequence[Outcome]) -> str:
    """The summary: what changed, then the issues, the worst first."""
    both = f" {n_shared:,} of them {'is' if n_shared == 1 else 'are'} in the first set too." if n_shared else ""
    words = f"{a.origin} holds {a.n_images:,} images, {b.origin} {b.n_images:,}.{both}"
    if changes is not None:
        words = (
            f"From {a.origin} to {b.origin}: {changes.n_added:,} images added ({changes.n_moved:,} only moved), "
            f"{changes.n_removed:,} removed, {changes.n_changed:,} changed, {changes.n_unchanged:,} unchanged."
        )
    issues = [outcome for outcome in outcomes if outcome.state == "issue"]
    rank = ("high", "medium", "low", "none")
    issues.sort(key=lambda outcome: rank.index(outcome.severity))
    if not issues:
        looked = any(outcome.state == "passed" for outcome in outcomes)
        return f"{words} Nothing that was looked at moved." if looked else words
    return " ".join([words, *(outcome.summary for outcome in issues)])
