"""The nearest rows of a table by cosine: exact, a block at a time, at the speed of matrix products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

QUERIES, ROWS = 512, 65_536  # of one product: its result, 134 MB in float32, is the most memory that is held
_GROUP = 128  # rows whose maximum is taken first; the k best lie in the k groups of largest maximum


def nearest(
    queries: np.ndarray, rows: np.ndarray, k: int, done: Callable[[float], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of largest dot product with each query, in no order.

    Parameters
    ----------
    queries : ndarray of float, shape (q, d)
    rows : ndarray of float, shape (n, d)
        Converted to float32 a block at a time.
    k : int
    done : callable, optional
        Called with the share that is done.

    Returns
    -------
    index : ndarray of int64, shape (q, k)
        -1 where there are fewer rows.
    similarity : ndarray of float32, shape (q, k)
    """
    index = np.full((len(queries), k), -1, dtype=np.int64)
    similarity = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for start in range(0, len(rows), ROWS):
        block = _padded(rows[start : start + ROWS])
        count = min(ROWS, len(rows) - start)
        for first in range(0, len(queries), QUERIES):
            part = slice(first, first + QUERIES)
            here, value = _best(queries[part].astype(np.float32) @ block.T, count, k)
            both = np.hstack([similarity[part], value])
            chosen = np.argpartition(-both, k - 1, axis=1)[:, :k]
            known = np.hstack([index[part], np.where(np.isfinite(value), here + start, -1)])
            index[part] = np.take_along_axis(known, chosen, 1)
            similarity[part] = np.take_along_axis(both, chosen, 1)
            if done:
                done((start + count * min(first + QUERIES, len(queries)) / len(queries)) / len(rows))
    return index, similarity


def _padded(rows: np.ndarray) -> np.ndarray:
    block = np.zeros((-(-len(rows) // _GROUP) * _GROUP, rows.shape[1]), dtype=np.float32)
    block[: len(rows)] = rows
    return block


def _best(products: np.ndarray, count: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    products[:, count:] = -np.inf
    width = products.shape[1] // _GROUP
    few = min(k, width)
    highest = products.reshape(len(products), _GROUP, width).max(axis=1)  # groups are strided: rows of maxima are fast
    best = np.argpartition(-highest, few - 1, axis=1)[:, :few]
    places = (best[:, :, None] + np.arange(_GROUP) * width).reshape(len(products), -1)
    values = np.take_along_axis(products, places, 1)
    k = min(k, values.shape[1])
    chosen = np.argpartition(-values, k - 1, axis=1)[:, :k]
    return np.take_along_axis(places, chosen, 1), np.take_along_axis(values, chosen, 1)
