from __future__ import annotations

import json
import re
from xml.etree import ElementTree as Xml

import pytest

from copilot.core.findings import Analysis, HistoryRecord
from copilot.reporting.charts import curve_svg
from copilot.reporting.palette import DARK, LIGHT
from tests.reporting import documents

SVG = "{http://www.w3.org/2000/svg}"


def _parts(svg: str, kind: str) -> list[Xml.Element]:
    return [e for e in Xml.fromstring(svg).iter() if e.get("class") == kind]


def _lines(svg: str, kind: str) -> str:
    """The path of the curve itself, not of its sample in the legend."""
    return _parts(svg, kind)[0].get("d")


@pytest.fixture
def analysis() -> Analysis:
    return documents.overfitting()


def test_the_chart_marks_what_the_diagnosis_says(analysis: Analysis):
    svg = curve_svg(analysis, analysis.history.pairs[0])
    texts = [e.text for e in Xml.fromstring(svg).iter(f"{SVG}text")]
    assert {"best 13", "overfitting from 14", "training", "validation", "gap", "epoch", "loss"} <= set(texts)
    best, onset = _parts(svg, "best")[0], _parts(svg, "onset")[0]
    x_best = float(re.match(r"M([\d.]+)", best.get("d"))[1])
    assert best.get("stroke-dasharray")
    assert x_best < float(onset.get("x"))
    assert float(onset.get("x")) + float(onset.get("width")) == pytest.approx(704, abs=0.2)  # to the last epoch


def test_the_chart_speaks_to_people_who_do_not_see_it(analysis: Analysis):
    root = Xml.fromstring(curve_svg(analysis, analysis.history.pairs[1], ident="c7"))
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby").split() == [title.get("id"), described.get("id")] == ["c7-title", "c7-desc"]
    assert title.text == "Training and validation accuracy by epoch"
    assert "Validation accuracy goes from 29.7 % at epoch 1 to 87.0 % at epoch 40." in described.text
    assert "best epoch is 13" in described.text
    assert "starts at epoch 14" in described.text


def test_colours_follow_the_theme_and_are_fixed(analysis: Analysis):
    for colours in (LIGHT, DARK):
        svg = curve_svg(analysis, analysis.history.pairs[0], colours)
        assert {e.get("stroke") for e in _parts(svg, "train")} == {colours.train}
        assert {e.get("stroke") for e in _parts(svg, "val")} == {colours.val}
        assert _parts(svg, "gap")[0].get("fill") == colours.val


def test_lines_break_at_holes():
    analysis = documents.holes()
    svg = curve_svg(analysis, analysis.history.pairs[0])
    assert _lines(svg, "train").count("M") == 3  # 1-7, 13-19, 23-40; epoch 21 stands alone
    assert _lines(svg, "val").count("M") == 1
    assert len(_parts(svg, "train-mark")) == 3  # the lone point, the last point, the legend
    assert _parts(svg, "gap")[0].get("d").count("M") == 3  # 1-7, 13-19, 23-30


def test_a_metric_logged_every_fifth_epoch_is_one_line():
    analysis = documents.holes()
    path = _lines(curve_svg(analysis, analysis.history.pairs[1]), "val")
    assert path.count("M") == 1
    assert path.count("L") == 7


def test_a_pair_without_values_or_with_one_side():
    analysis = documents.holes()
    assert curve_svg(analysis, analysis.history.pairs[2]) == ""
    alone = analysis.history.pairs[1].model_copy(update={"train": (None,) * 40})
    svg = curve_svg(analysis, alone)
    assert not _parts(svg, "train")
    assert not _parts(svg, "gap")
    assert Xml.fromstring(svg).find(f"{SVG}title").text == "Validation accuracy by epoch"


def test_one_epoch_is_drawn_as_points():
    analysis = documents.overfitting()
    single = documents.pair("loss", [0.5], [0.7])
    short = analysis.model_copy(update={"history": HistoryRecord(epochs=(14,), pairs=(single,))})
    svg = curve_svg(short, single)
    assert len(_parts(svg, "train-mark")) == len(_parts(svg, "val-mark")) == 2  # the point and the legend


def test_hover_holds_the_values_as_the_report_writes_them(analysis: Analysis):
    svg = curve_svg(analysis, analysis.history.pairs[1], hover=True)
    rows = json.loads(Xml.fromstring(svg).get("data-hover"))["rows"]
    assert len(rows) == 40
    place, epoch, train, val, gap = rows[-1]
    assert (epoch, train[1], val[1], gap) == ("40", "99.4 %", "87.0 %", "12.4 points")
    assert 0 < place < 1
    assert "data-hover" not in curve_svg(analysis, analysis.history.pairs[1])


def test_a_long_history_stays_small():
    n = 20_000
    pair = documents.pair("loss", [1 / (1 + i) for i in range(n)], [0.5 + i / n for i in range(n)])
    analysis = documents.overfitting()
    long = analysis.model_copy(update={"history": HistoryRecord(epochs=tuple(range(n)), pairs=(pair,))})
    assert len(curve_svg(long, pair, hover=True)) < 200_000


def test_hostile_names_stay_text():
    analysis = documents.hostile()
    svg = curve_svg(analysis, analysis.history.pairs[0], hover=True)
    assert "<script" not in svg
    assert not list(Xml.fromstring(svg).iter(f"{SVG}script"))
    assert all(len(e.text or "") < 600 for e in Xml.fromstring(svg).iter())
