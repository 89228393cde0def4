"""Parallel coordinates and the line over versions: what they draw is what the documents hold."""

from __future__ import annotations

from copilot.core.comparisons.base import GroupMember, RunGroup
from copilot.core.comparisons.document import ModelHistory, VersionRow
from copilot.core.comparisons.side_by_side import side_by_side
from copilot.core.history import RunHistory
from copilot.reporting.palette import DARK, LIGHT, run_mark
from copilot.reporting.parallel_chart import MAX_SETTINGS, parallel_figure
from copilot.reporting.version_chart import versions_figure


def _member(i: int, best: float, **params: str) -> GroupMember:
    history = RunHistory.from_arrays(
        name=f"<b>{i}</b>", params=params, train_accuracy=[0.2, best + 0.05], val_accuracy=[0.2, best]
    )
    return GroupMember(history, f"id{i}", f"<b>{i}</b>")


def _drawn(*members: GroupMember, settings=("lr", "optimizer"), dark=False):
    beside = side_by_side(RunGroup(members), "epoch")
    return parallel_figure(beside, beside.quantities[0], settings, dark=dark)


MEMBERS = (
    _member(0, 0.5, lr="0.0001", optimizer="sgd"),
    _member(1, 0.9, lr="0.01", optimizer="adam"),
    _member(2, 0.7, lr="1", optimizer="adam"),
    _member(3, 0.6, lr="0.01"),
)


def _places(figure, run: int) -> dict[int, float]:
    return dict(zip(figure.data[run].x, figure.data[run].y, strict=True))


def test_a_line_a_run_through_parameters_to_what_came_of_it():
    figure = _drawn(*MEMBERS)
    assert len(figure.data) == 4
    assert [_places(figure, i)[0] for i in range(3)] == [0.0, 0.5, 1.0], "a wide range is logarithmic"
    assert [_places(figure, i)[1] for i in range(3)] == [1.0, 0.0, 0.0]
    assert [round(_places(figure, i)[2], 2) for i in range(4)] == [0.0, 1.0, 0.5, 0.25]
    assert 1 not in _places(figure, 3), "a run without the parameter skips its upright"
    assert figure.data[1].line.color == run_mark(1).light
    assert _drawn(*MEMBERS, dark=True).data[1].line.color == run_mark(1).dark
    assert "best accuracy 90.0 %" in figure.data[1].hovertext


def test_names_are_text_and_uprights_are_few():
    members = [_member(i, 0.5 + i / 10, **{f"<i>{k}</i>": str(i * k) for k in range(1, 9)}) for i in range(3)]
    figure = _drawn(*members, settings=tuple(f"<i>{k}</i>" for k in range(1, 9)))
    assert max(figure.data[0].x) == MAX_SETTINGS + 1
    text = str(figure.to_json()).replace("\\u003c", "<")
    assert "<b>0" not in text
    assert "<i>" not in text
    assert "&lt;i&gt;1" in text


def _version(version: str, best: float | None, **fields) -> VersionRow:
    return VersionRow(version=version, run_id=f"id{version}", best_value=best, **fields)


def test_versions_with_the_best_and_the_worse_ones_marked():
    rows = (_version("1", 0.9), _version("2", None), _version("3", 0.8, change=-0.1, worse=True), _version("4", 0.85))
    history = ModelHistory(model="net", best="1", summary="", versions=rows)
    figure = versions_figure(history, "accuracy")
    (line,) = figure.data
    assert line.x == ("1", "3", "4")
    assert line.marker.symbol == ("star", "triangle-down", "circle")
    assert line.marker.color == (LIGHT.best, LIGHT.onset, LIGHT.val)
    assert line.hovertext[1] == "version 3: 80.0 %<br>change -10.0 points<br>got worse"
    assert figure.layout.xaxis.categoryarray == ("1", "2", "3", "4"), "a version without a value keeps its place"
    assert versions_figure(history, "loss", dark=True).data[0].line.color == DARK.val
