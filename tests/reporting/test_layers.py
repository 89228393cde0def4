"""The arrangement of graphs: columns, way-points, circles."""

from __future__ import annotations

from copilot.reporting.layers import WayPoint, layers


def columns(laid) -> list[set[str]]:
    return [{spot for spot in column if isinstance(spot, str)} for column in laid.columns]


def test_links_go_right_and_nodes_stand_next_to_what_they_lead_to():
    laid = layers("abcdx", [("a", "b"), ("b", "c"), ("c", "d"), ("x", "d"), ("x", "unknown"), ("a", "a")])
    assert columns(laid) == [{"a"}, {"b"}, {"c", "x"}, {"d"}]
    assert set(laid.paths) == {("a", "b"), ("b", "c"), ("c", "d"), ("x", "d")}


def test_a_long_link_has_a_way_point_in_each_column_between():
    laid = layers("abc", [("a", "b"), ("b", "c"), ("a", "c")])
    assert laid.paths["a", "c"] == ["a", WayPoint("a", "c", 1), "c"]
    assert WayPoint("a", "c", 1) in laid.columns[1]


def test_crossings_are_avoided_where_they_can_be():
    laid = layers(["a", "b", "y", "x"], [("a", "x"), ("b", "y")])
    left, right = laid.columns
    assert [{"a": "x", "b": "y"}[node] for node in left] == right


def test_circles_and_empty_graphs_are_arranged_too():
    assert layers([], []).columns == []
    laid = layers("abc", [("a", "b"), ("b", "a"), ("b", "c")])
    assert {spot for column in laid.columns for spot in column if isinstance(spot, str)} == set("abc")
