"""The k nearest rows, exact whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.data import neighbours
from copilot.core.data.neighbours import nearest


@pytest.mark.parametrize(("rows", "queries", "k"), [(1000, 70, 5), (130, 3, 6), (5, 4, 5), (7, 2, 1)])
def test_the_nearest_are_those_of_a_full_sort(monkeypatch: pytest.MonkeyPatch, rows: int, queries: int, k: int):
    monkeypatch.setattr(neighbours, "ROWS", 256)
    monkeypatch.setattr(neighbours, "QUERIES", 32)
    rng = np.random.default_rng(0)
    table, asked = rng.normal(size=(rows, 8)).astype(np.float16), rng.normal(size=(queries, 8)).astype(np.float16)
    index, similarity = nearest(asked, table, k)
    products = asked.astype(np.float32) @ table.astype(np.float32).T
    best = np.sort(products, axis=1)[:, -k:]
    assert np.sort(similarity, axis=1) == pytest.approx(best, abs=1e-5)
    assert np.take_along_axis(products, index, 1) == pytest.approx(similarity, abs=1e-5)


def test_fewer_rows_than_asked_for():
    index, similarity = nearest(np.ones((2, 3)), np.ones((2, 3)), 4)
    assert sorted(index[0].tolist()) == [-1, -1, 0, 1]
    assert np.isfinite(similarity[0]).sum() == 2
