"""Graphs of stages and tables of values."""

from __future__ import annotations

from copilot.core.pipelines import MAX_ROWS, Pipeline, Stage, StageFile, ValueTable, across, connect, flatten, in_order


def stage(name: str, deps: tuple[str, ...] = (), outs: tuple[str, ...] = ()) -> Stage:
    files = {"deps": tuple(StageFile(path=p) for p in deps), "outs": tuple(StageFile(path=p) for p in outs)}
    return Stage(name=name, kind="stage", defined_in="dvc.yaml", **files)


def test_files_and_folders_connect_stages():
    stages = [
        stage("last", ("data", "m/a.bin")),
        stage("made", ("raw/x.csv",), ("data/part", "m")),
        stage("raw", (), ("raw",)),
    ]
    edges = connect(stages)
    assert {(e.source, e.target, e.path) for e in edges} == {
        ("raw", "made", "raw"),
        ("made", "last", "data/part"),
        ("made", "last", "m"),
    }
    ordered = in_order(stages, edges)
    assert [s.name for s in ordered] == ["raw", "made", "last"]
    pipeline = Pipeline(revision="r", commit="c", stages=ordered, edges=edges)
    assert [s.name for s in pipeline.upstream("m/a.bin")] == ["raw", "made"]
    assert pipeline.upstream("elsewhere") == ()


def test_names_that_only_look_alike_stay_apart():
    assert connect([stage("a", (), ("data",)), stage("b", ("data2", "dat"))]) == ()


def test_a_circle_is_kept_and_comes_last():
    stages = [stage("a", ("q",), ("p",)), stage("b", ("p",), ("q",)), stage("c", (), ("z",))]
    assert [s.name for s in in_order(stages, connect(stages))] == ["c", "a", "b"]


def test_values_are_flattened_and_cleaned():
    deep: dict = {}
    at = deep
    for _ in range(40):
        at["d"] = at = {}
    found = flatten(
        {"a": {"b": [1, True, None]}, "t": "x\u202e\ny", "inf": float("inf"), "e": {}, (1, 2): 3, "deep": deep}
    )
    assert found["a.b.0"] == 1
    assert found["a.b.1"] is True
    assert found["a.b.2"] is None
    assert (found["t"], found["inf"], found["e"], found["(tuple)"]) == ("x y", "inf", "(dict)", 3)
    assert sum(name.startswith("deep") for name in found) == 1
    assert len(flatten({str(n): n for n in range(3 * MAX_ROWS)})) <= MAX_ROWS + 1


def test_what_changed_between_neighbours():
    key = ("params.yaml", "lr")
    flag = ("params.yaml", "flag")
    table = across("params", ["a", "b", "c"], [{key: 1, flag: True}, {key: 1.0, flag: 1}, {key: 1.0}], ["note", "note"])
    rows = {row.name: row for row in table.rows}
    assert (rows["lr"].values, rows["lr"].changed) == ((1, 1.0, 1.0), False)
    assert (rows["flag"].values, rows["flag"].changed) == ((True, 1, None), True)
    assert [row.name for row in table.changed] == ["flag"]
    assert table.notes == ("note",)
    assert ValueTable.model_validate_json(table.model_dump_json()) == table
    many = across("metrics", ["a"], [{("m.json", f"{n:05}"): n for n in range(MAX_ROWS + 7)}])
    assert (len(many.rows), many.notes) == (MAX_ROWS, ("7 further values were left out.",))
