"""Which images of two sets are one picture: exact by their pixels, near by fingerprints in two stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from copilot.core.data.neighbours import nearest
from copilot.core.data.same_picture import detail, differences

Progress = Callable[[float, str], None]
CANDIDATES = 6  # of each descriptor
NO_NEIGHBOUR = 0.05  # what the other neighbours differ by, where there are none to tell
_TINY = 1e-5
_CHROMA_MIDDLE = 128.0
_QUERIES = 2000  # whose candidates are compared at a time
_DESCRIPTORS = ("coarse", "centred")


@dataclass(frozen=True)
class Prints:
    """Fingerprints (`copilot.imaging.fingerprints`) of a set's readable images, their names and labels.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, 16)
    thumb : ndarray of uint8, shape (n, s, s)
    chroma : ndarray of uint8, shape (n, g, g, 2)
    coarse, centred : ndarray of float, shape (n, d * d)
        Of length 1; rows of a square grid, so that they can be mirrored.
    names : sequence of str
    labels : ndarray of int64, shape (n,)
        -1 where there is none.
    places : ndarray of int64, shape (n,)
        Which image of the set each row is.
    """

    pixels: np.ndarray
    thumb: np.ndarray
    chroma: np.ndarray
    coarse: np.ndarray
    centred: np.ndarray
    names: Sequence[str]
    labels: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.thumb)

    @classmethod
    def of(
        cls, values: Mapping[str, np.ndarray], readable: np.ndarray, names: Sequence[str], labels: np.ndarray
    ) -> Prints:
        """From arrays whose rows are those of a set; what could not be read is left out."""
        keep = np.flatnonzero(readable)
        whole = len(keep) == len(readable)
        fields = ("pixels", "thumb", "chroma", "coarse", "centred")
        arrays = {name: values[name] if whole else values[name][keep] for name in fields}
        kept = names if whole else [names[i] for i in keep]
        return cls(**arrays, names=kept, labels=np.asarray(labels)[keep], places=keep)

    def hashes(self) -> np.ndarray:
        """The pixels' hash as one value an image, shape (n,)."""
        return np.ascontiguousarray(self.pixels).view("V16").ravel()


class Limits(Protocol):
    """When two different images are one picture: a part of the thresholds of `core.data.duplicates`."""

    certain: float
    difference: float
    closeness: float
    colour: float
    detail: float


@dataclass(frozen=True)
class Pairs:
    """Images of a first set and what they are the same as in a second; sorted by the first, the likest first.

    Attributes
    ----------
    first, second : ndarray of int64, shape (p,)
    exact, mirrored : ndarray of bool, shape (p,)
    difference : ndarray of float, shape (p,)
        Share of the variance in which they differ after fitting; 0 where exact.
    searched : ndarray of int64
        Images of the first set that near duplicates were looked for.
    """

    first: np.ndarray
    second: np.ndarray
    exact: np.ndarray
    mirrored: np.ndarray
    difference: np.ndarray
    searched: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def best(self) -> np.ndarray:
        """Place of the likest pair of each first image."""
        return np.unique(self.first, return_index=True)[1]


def exact_pairs(first: Prints, second: Prints, *, within: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Indices (first, second) of the images whose pixels are the same; of each first image one second.

    With `within` both are one set, and an image is paired with an earlier one.
    """
    hashes, earliest, group = np.unique(second.hashes(), return_index=True, return_inverse=True)
    if within:
        partner = earliest[group]
        here = np.flatnonzero(partner != np.arange(len(second)))
        return here, partner[here]
    own = first.hashes()
    place = np.minimum(np.searchsorted(hashes, own), max(len(hashes) - 1, 0))
    here = np.flatnonzero(hashes[place] == own) if len(hashes) else np.zeros(0, np.int64)
    return here, earliest[place[here]]


def find_pairs(
    first: Prints,
    second: Prints,
    limits: Limits,
    *,
    within: bool = False,
    most: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Pairs:
    """Images of `first` that are in `second` too.

    Exact ones are looked for among all; near ones among `most` images of `first`, drawn at random.

    Parameters
    ----------
    first, second : Prints
    limits : Limits
    within : bool, default False
        Both are the same set: an image is a duplicate of an earlier one.
    most : int, optional
    seed : int, default 0
    progress : callable, optional
        Called with a share and a line.
    """
    told = progress or (lambda share, line: None)
    here, there = exact_pairs(first, second, within=within)
    searched = np.arange(len(first))
    if most is not None and most < len(first):
        searched = np.sort(np.random.default_rng(seed).permutation(len(first))[:most])
    able = searched[detail(first.thumb[searched]) >= limits.detail] if len(searched) else searched
    index, flipped = _candidates(first, second, able, lambda share: told(0.7 * share, "looking for candidates"))
    found = []
    for start in range(0, len(able), _QUERIES):
        part = slice(start, start + _QUERIES)
        found.append(_same(first, second, able[part], index[part], flipped[part], limits, within))
        told(0.7 + 0.3 * min(1.0, (start + _QUERIES) / len(able)), "comparing candidates")
    near = [np.concatenate(column) for column in zip(*found, strict=True)] if found else []
    return _sorted(first, second, (here, there), near, searched)


def _candidates(
    first: Prints, second: Prints, chosen: np.ndarray, done: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `second` that look alike by either descriptor, as they are or mirrored: index and flag, (q, c)."""
    indices, flags = [], []
    k = max(1, min(CANDIDATES, len(second)))
    for turn, name in enumerate(_DESCRIPTORS):
        rows = getattr(second, name)
        queries = getattr(first, name)[chosen]
        both = np.concatenate([queries, _mirrored(queries)])
        index, value = nearest(both, rows, k, lambda share, turn=turn: done((turn + share) / len(_DESCRIPTORS)))
        index, value = (np.hstack(np.split(x, 2)) for x in (index, value))
        best = np.argpartition(-value, k - 1, axis=1)[:, :k]
        indices.append(np.take_along_axis(index, best, 1))
        flags.append(best >= k)
    return np.hstack(indices), np.hstack(flags)


def _mirrored(descriptors: np.ndarray) -> np.ndarray:
    side = round(descriptors.shape[1] ** 0.5)
    return descriptors.reshape(len(descriptors), side, side)[:, :, ::-1].reshape(descriptors.shape)


def _same(
    first: Prints,
    second: Prints,
    chosen: np.ndarray,
    index: np.ndarray,
    flipped: np.ndarray,
    limits: Limits,
    within: bool,
) -> tuple[np.ndarray, ...]:
    """First, second, mirrored and difference of the candidates that are the same picture."""
    usable = index >= 0
    if within:
        usable &= index != chosen[:, None]
    row, column = np.nonzero(usable)
    a, b, turned = chosen[row], index[row, column], flipped[row, column]
    thumbs = first.thumb[a]
    thumbs[turned] = thumbs[turned][:, :, ::-1]
    measured = np.full(index.shape, np.nan)
    measured[row, column] = differences(thumbs, second.thumb[b])
    allowed = allowed_difference(measured, index, limits)
    fits = measured[row, column] <= allowed[row, column]
    fits &= _like_colours(first.chroma[a], second.chroma[b], turned, limits.colour)
    fits &= detail(second.thumb[b]) >= limits.detail if len(b) else True
    fits &= (b < a) | (not within)
    return a[fits], b[fits], turned[fits], measured[row, column][fits]


def allowed_difference(measured: np.ndarray, index: np.ndarray, limits: Limits) -> np.ndarray:
    """How far each candidate may differ, given how far the others do: near where neighbours crowd, as digits do.

    Parameters
    ----------
    measured : ndarray of float, shape (q, c)
        NaN where there is no candidate.
    index : ndarray of int, shape (q, c)
        Which image it is; one may come up more than once.
    """
    order = np.argsort(index, axis=1, kind="stable")
    ranked = np.take_along_axis(index, order, 1)
    repeated = np.zeros(index.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], 1)
    least = np.where(repeated, np.nan, _least_of_each(measured, index))
    allowed = np.empty_like(measured)
    for column in range(index.shape[1]):
        others = np.where(index == index[:, [column]], np.nan, least)
        typical = _median(others)
        allowed[:, column] = limits.difference * np.maximum(typical, _TINY) ** limits.closeness
    return np.maximum(allowed, limits.certain)


def _least_of_each(measured: np.ndarray, index: np.ndarray) -> np.ndarray:
    same = index[:, :, None] == index[:, None, :]
    return np.where(same, np.nan_to_num(measured, nan=np.inf)[:, None, :], np.inf).min(2)


def _median(values: np.ndarray) -> np.ndarray:
    """Median of each row without its NaN; `NO_NEIGHBOUR` where nothing else is there."""
    values = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(values).sum(1)
    ranked = np.sort(values, axis=1)  # NaN last
    low, high = np.maximum(known - 1, 0) // 2, known // 2
    pick = np.take_along_axis(ranked, np.stack([low, np.minimum(high, values.shape[1] - 1)], 1), 1)
    return np.where(known > 0, pick.mean(1), NO_NEIGHBOUR)


def _like_colours(a: np.ndarray, b: np.ndarray, turned: np.ndarray, limit: float) -> np.ndarray:
    """Whether colours differ by no more than `limit` on average; a grey image may be the copy of a coloured one."""
    a, b = (x.astype(np.float32) - _CHROMA_MIDDLE for x in (a, b))
    a[turned] = a[turned][:, :, ::-1]
    grey = (np.abs(a).max((1, 2, 3)) <= 1) | (np.abs(b).max((1, 2, 3)) <= 1)
    return grey | (np.sqrt(((a - b) ** 2).mean((1, 2, 3))) <= limit)


def _sorted(
    first: Prints,
    second: Prints,
    exact: tuple[np.ndarray, np.ndarray],
    near: list[np.ndarray],
    searched: np.ndarray,
) -> Pairs:
    """Both kinds together, each pair once; what the near search found with the same pixels is exact."""
    near = near or [np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0)]
    a, b = np.concatenate([exact[0], near[0]]), np.concatenate([exact[1], near[1]])
    equal = (first.pixels[a] == second.pixels[b]).all(axis=1)
    mirrored = np.concatenate([np.zeros(len(exact[0]), bool), near[2]]) & ~equal
    difference = np.where(equal, 0.0, np.concatenate([np.zeros(len(exact[0])), near[3]]))
    order = np.lexsort((b, difference, ~equal, a))
    columns = [column[order] for column in (a, b, equal, mirrored, difference)]
    once = np.sort(np.unique(np.stack(columns[:2], 1), axis=0, return_index=True)[1])
    return Pairs(*(column[once] for column in columns), searched)
