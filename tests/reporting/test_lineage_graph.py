"""The drawings of a run's chain and of a pipeline."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from copilot.core.lineage import Lineage, LineageLink, LineageNode, MissingLink
from copilot.core.pipelines import Pipeline, Stage, StageFile, connect, in_order
from copilot.reporting.lineage_graph import MAX_BOXES, lineage_svg, pipeline_svg
from copilot.reporting.palette import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def lineage() -> Lineage:
    nodes = (
        LineageNode(id="run", kind="run", label="<script>alert(1)</script>" + "w" * 100, facts={"status": "FINISHED"}),
        LineageNode(id="code", kind="code", label="3f2a9c1b77", facts={"message": "a & b\u202e"}),
        LineageNode(id="data0", kind="data", label="images", facts={"files": "20,000", "md5": "x"}),
    )
    links = (
        LineageLink(source="code", target="run", label="ran"),
        LineageLink(source="data0", target="run", label="read by", certainty="assumed"),
        LineageLink(source="data0", target="nowhere", label="lost"),
    )
    gap = MissingLink(at="data", what="No hash.", hint="Set the tag dvc.md5.")
    return Lineage(run_id="r", nodes=nodes, links=links, missing=(gap,), summary="A run & its data.")


def texts(svg: str) -> list[str]:
    return [e.text for e in Xml.fromstring(svg).iter(f"{SVG}text")]


def test_each_thing_has_a_box_with_its_kind_in_words(lineage):
    shown = texts(lineage_svg(lineage))
    assert {"run", "commit", "data", "images", "20,000 files", "3f2a9c1b77", "a & b", "ran", "read by"} <= set(shown)
    assert {"No hash.", "Set the tag dvc.md5."} <= set(shown)


def test_hostile_names_are_text_and_fit_their_box(lineage):
    svg = lineage_svg(lineage)
    assert "<script>" not in svg
    assert "\u202e" not in svg
    name = next(text for text in texts(svg) if text.startswith("<script>"))
    assert name.endswith("…")
    assert len(name) < 25
    root = Xml.fromstring(svg)
    width = float(root.get("viewBox").split()[2])
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x")) <= float(box.get("x")) + float(box.get("width")) <= width


def test_assumed_links_are_dashed_and_those_to_nothing_left_out(lineage):
    links = [e for e in Xml.fromstring(lineage_svg(lineage)).iter() if e.get("class") == "link"]
    told = {e.find(f"{SVG}title").text: e.get("stroke-dasharray") for e in links}
    assert told == {"ran": None, "read by, assumed": "5 4"}


def test_it_speaks_and_follows_the_theme(lineage):
    for theme in (LIGHT, DARK):
        root = Xml.fromstring(lineage_svg(lineage, theme, ident="l9"))
        assert root.get("aria-labelledby") == "l9-title l9-desc"
        assert root.find(f"{SVG}desc").text == "A run & its data."
        assert {e.get("fill") for e in root.iter() if e.get("class") == "paper"} == {theme.paper}


def test_a_pipeline_with_states_in_words():
    def stage(name, deps=(), outs=(), **more):
        files = {"deps": tuple(StageFile(path=p) for p in deps), "outs": tuple(StageFile(path=p) for p in outs)}
        return Stage(name=name, kind="stage", defined_in="dvc.yaml", command=f"run {name}", **files, **more)

    stages = (stage("a", (), ("x",)), stage("b", ("x",), ("y",), frozen=True), stage("c", ("y", "x"), recorded=False))
    edges = connect(stages)
    pipeline = Pipeline(revision="v1", commit="c", stages=in_order(stages, edges), edges=edges, notes=("Odd file.",))
    shown = texts(pipeline_svg(pipeline))
    assert {"stage", "stage, frozen", "stage, not run", "run a", "x", "y", "Odd file."} <= set(shown)
    assert Xml.fromstring(pipeline_svg(pipeline)).find(f"{SVG}desc").text == "3 stages and 3 links at v1."


def test_a_large_pipeline_is_cut_and_says_so():
    stages = tuple(Stage(name=f"s{n}", kind="stage", defined_in="dvc.yaml") for n in range(MAX_BOXES + 5))
    svg = pipeline_svg(Pipeline(revision="r", commit="c", stages=stages))
    assert "5 further boxes were left out." in texts(svg)
    assert svg.count('class="paper"') == MAX_BOXES
