"""Charts of several runs: what they draw is what the document holds."""

from __future__ import annotations

import numpy as np
import pytest

from copilot.core.comparisons.base import GroupMember, RunGroup
from copilot.core.comparisons.side_by_side import side_by_side
from copilot.core.history import RunHistory
from copilot.core.pairs import LoggedSeries
from copilot.reporting.comparison_charts import overlay_figure, setting_figure
from copilot.reporting.palette import run_mark


def _member(name: str, params=None, **series) -> GroupMember:
    return GroupMember(RunHistory.from_arrays(name=name, params=params or {}, **series), name, name)


def _beside(*members: GroupMember, axis="epoch"):
    return side_by_side(RunGroup(members), axis)


TWO = (
    _member("<b>a</b>", {"lr": "0.001"}, train_accuracy=[0.5, 0.7, 0.9], val_accuracy=[0.5, 0.75, 0.7]),
    _member("b", {"lr": "0.1"}, train_accuracy=[0.6, 0.8], val_accuracy=[0.6, 0.65]),
)


def test_validation_is_solid_training_dotted_and_the_best_marked():
    beside = _beside(*TWO)
    figure = overlay_figure(beside, beside.quantities[0])
    dotted, solid, best = figure.data[:3]
    assert (dotted.line.dash, solid.line.dash) == ("dot", None)
    assert list(solid.y[:3]) == [0.5, 0.75, 0.7]
    assert list(dotted.y[:3]) == [0.5, 0.7, 0.9]
    assert (best.x, best.y, best.marker.symbol) == ((1,), (0.75,), "circle")
    assert solid.line.color == dotted.line.color == run_mark(0).light
    assert solid.customdata[2] == "validation 70.0 % at epoch 2<br>gap 20.0 points"
    assert figure.data[4].line.color == run_mark(1).light
    assert overlay_figure(beside, beside.quantities[0], dark=True).data[0].line.color == run_mark(0).dark
    assert len(overlay_figure(beside, beside.quantities[0], training=False).data) == 4


def test_names_are_text_not_markup():
    beside = _beside(*TWO)
    for figure in (
        overlay_figure(beside, beside.quantities[0]),
        setting_figure(beside, beside.quantities[0], "lr", "gap"),
    ):
        assert "<b>a" not in str(figure.to_json()).replace("\\u003c", "<")
        assert "&lt;b&gt;a" in str(figure.to_json())


@pytest.mark.parametrize(
    ("last", "title", "x"), [(90.0, "seconds", 90.0), (600.0, "minutes", 10.0), (36000.0, "hours", 10.0)]
)
def test_time_is_told_in_a_fitting_unit(last, title, x):
    series = LoggedSeries("val_loss", np.array([3.0, 1.0]), np.array([0.0, 1.0]), np.array([0.0, last]))
    member = GroupMember(RunHistory.from_series([series], name="a"), "a", "a")
    beside = _beside(member, member, axis="time")
    figure = overlay_figure(beside, beside.quantities[0])
    assert figure.layout.xaxis.title.text == f"{title} since the start of the run"
    best = next(t for t in figure.data if t.mode == "lines+markers")
    assert best.x[0] == pytest.approx(x)


def test_a_sparse_curve_is_joined_and_a_hole_is_not():
    sparse = _member("s", epochs=[0, 5, 10, 15], val_loss=[4.0, 3.0, 2.0, 1.0])
    holes = _member("h", val_loss=[4.0, 3.5, float("nan"), float("nan"), float("nan"), 2.0, 1.5, 1.0])
    dense = _member("d", val_loss=list(np.linspace(3, 1, 20)))
    beside = _beside(sparse, holes, dense)
    lines = [t for t in overlay_figure(beside, beside.quantities[0]).data if t.mode == "lines"]
    assert list(lines[0].y) == [4.0, 3.0, 2.0, 1.0, None]
    assert list(lines[1].y) == [4.0, 3.5, None, 2.0, 1.5, 1.0, None]


def test_interpolated_curves_are_joined_however_their_times_lie():
    def timed(name, times, values):
        series = LoggedSeries("val_loss", np.array(values), np.arange(len(times), dtype=float), np.array(times))
        return GroupMember(RunHistory.from_series([series], name=name), name, name)

    beside = _beside(
        timed("a", [0.0, 1.0, 2.0, 500.0, 900.0], [5.0, 4.0, 3.0, 2.0, 1.0]),
        timed("b", [0.0, 3.0], [1.0, 2.0]),
        axis="time",
    )
    line = next(t for t in overlay_figure(beside, beside.quantities[0]).data if t.mode == "lines")
    assert list(line.y).count(None) == 1, "one piece"
    broken = _beside(
        timed("a", [0.0, 10.0, 20.0], [3.0, float("nan"), 1.0]),
        timed("b", [0.0, 5.0, 20.0], [3.0, 2.0, 1.0]),
        axis="time",
    )
    line = next(
        t for t in overlay_figure(broken, broken.quantities[0]).data if t.name == "a" and t.mode != "lines+markers"
    )
    assert list(line.y) == [3.0, None, 1.0, None]


def test_log_scale_only_where_every_value_is_positive():
    positive = _beside(_member("a", val_loss=[2.0, 1.0]), _member("b", val_loss=[2.0, 1.0]))
    zero = _beside(_member("a", val_loss=[2.0, 0.0]), _member("b", val_loss=[2.0, 1.0]))
    kinds = [overlay_figure(b, b.quantities[0], log_scale=True).layout.yaxis.type for b in (positive, zero)]
    assert kinds == ["log", "linear"]


def test_long_curves_are_thinned_and_keep_their_best():
    n = 1900
    values = np.linspace(3, 1, n)
    values[777] = 0.5
    beside = _beside(_member("a", val_loss=values), _member("b", val_loss=values))
    figure = overlay_figure(beside, beside.quantities[0])
    line = next(t for t in figure.data if t.mode == "lines")
    assert len(line.y) < 700
    assert 0.5 in line.y


def test_a_setting_against_the_best_and_the_gap():
    beside = _beside(*TWO, _member("c", {"opt": "adam"}, val_accuracy=[0.1, 0.2]))
    (accuracy,) = beside.quantities
    best = setting_figure(beside, accuracy, "lr", "best")
    assert [(t.x[0], t.y[0]) for t in best.data] == [(0.001, 0.75), (0.1, 0.65)]
    assert best.layout.xaxis.type == "log"
    gap = setting_figure(beside, accuracy, "lr", "gap")
    assert [t.y[0] for t in gap.data] == [pytest.approx(-0.05), pytest.approx(0.15)]
    words = setting_figure(beside, accuracy, "opt", "best")
    assert (words.layout.xaxis.type, words.data[0].x[0], words.data[0].marker.symbol) == (
        "category",
        "adam",
        "triangle-up",
    )


def test_the_legend_gives_way_to_the_table_where_there_are_many_runs():
    few, many = (_beside(*[_member(f"r{i}", val_loss=[2.0, 1.0 + i]) for i in range(n)]) for n in (8, 9))
    assert overlay_figure(few, few.quantities[0]).layout.showlegend is True
    assert overlay_figure(many, many.quantities[0]).layout.showlegend is False
