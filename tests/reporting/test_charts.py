from __future__ import annotations

import pytest

from copilot.core.findings import Analysis
from copilot.reporting.charts import curve_figure, moving_mean
from copilot.reporting.palette import DARK, LIGHT
from tests.reporting import documents


@pytest.fixture
def analysis() -> Analysis:
    return documents.overfitting()


def _trace(figure, name: str, width: int = 2):
    return next(t for t in figure.data if t.name == name and t.line.width == width)


def test_the_figure_holds_both_curves_and_the_marks(analysis: Analysis):
    pair = analysis.history.pairs[0]
    figure = curve_figure(analysis, pair)
    assert list(_trace(figure, "training").y[:40]) == list(pair.train)
    assert list(_trace(figure, "validation").y[:40]) == list(pair.val)
    assert _trace(figure, "training").line.color == LIGHT.train
    assert {note.text for note in figure.layout.annotations} == {"best 13", "overfitting from 14"}
    line, stretch = figure.layout.shapes
    assert (line.x0, line.line.dash) == (13, "dot")
    assert (stretch.x0, stretch.x1) == (14, 40)
    assert _trace(curve_figure(analysis, pair, dark=True), "validation").line.color == DARK.val


def test_hover_shows_both_values_and_the_gap(analysis: Analysis):
    figure = curve_figure(analysis, analysis.history.pairs[1])
    assert figure.layout.hovermode == "x unified"
    assert _trace(figure, "training").customdata[39] == "99.4 %"
    assert _trace(figure, "validation").customdata[39] == "87.0 % (gap 12.4 points)"


def test_smoothing_keeps_the_raw_values_thin(analysis: Analysis):
    pair = analysis.history.pairs[0]
    figure = curve_figure(analysis, pair, smoothing=5)
    raw, smooth = _trace(figure, "validation", width=1), _trace(figure, "validation")
    assert list(raw.y[:40]) == list(pair.val)
    assert smooth.y[10] == pytest.approx(sum(pair.val[8:13]) / 5)
    assert smooth.customdata[10].startswith(f"{pair.val[10]:.3g}")  # hover tells the raw value
    assert not any(t.line.width == 1 for t in curve_figure(analysis, pair, smoothing=1).data)


def test_log_scale_only_where_it_can_be(analysis: Analysis):
    pair = analysis.history.pairs[0]
    assert curve_figure(analysis, pair, log_scale=True).layout.yaxis.type == "log"
    with_zero = pair.model_copy(update={"train": (0.0, *pair.train[1:])})
    assert curve_figure(analysis, with_zero, log_scale=True).layout.yaxis.type == "linear"


def test_holes_stay_holes_and_the_gap_is_filled_in_pieces():
    analysis = documents.holes()
    figure = curve_figure(analysis, analysis.history.pairs[0])
    gap = next(t for t in figure.data if t.name == "gap")
    assert gap.fill == "toself"
    assert gap.y.count(None) == 3
    assert 10 not in _trace(figure, "training").x
    assert len(curve_figure(analysis, analysis.history.pairs[2]).data) == 0


def test_an_empty_history_makes_an_empty_figure():
    analysis = documents.inconclusive()
    assert len(curve_figure(analysis, documents.pair("loss", [], [])).data) == 0


def test_names_are_escaped():
    analysis = documents.hostile()
    assert "<script>" not in curve_figure(analysis, analysis.history.pairs[0]).to_json().replace("\\u003c", "<")


def test_moving_mean():
    assert moving_mean([1, 2, 3, None, 5], 3) == [1.5, 2, 2.5, None, 5]
