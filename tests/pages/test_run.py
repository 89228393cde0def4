"""A run's page speaks in plain words."""

from __future__ import annotations

from tests.pages.conftest import words

INTERNAL = ("u_shape", "over_confident", "score_still_improves", "still_improving", "sudden_jump", "None")


def test_the_page_of_a_run_says_what_stopping_would_have_saved_once(open_page, overfitted_run):
    page = open_page("run", run=overfitted_run)
    shown = words(page)
    assert shown.count("Stopping there would have saved") == 1
    after = next(m for m in page.metric if m.label == "After the best")
    assert after.value.endswith("epochs")
    assert "they took" in after.help
    assert "had been reached before" in after.help


def test_names_of_patterns_and_conflicts_are_in_words_and_intervals_are_shown(open_page, overfitted_run):
    page = open_page("run", run=overfitted_run)
    shown = words(page).replace("\\", "")
    evidence = "\n".join(page.dataframe[0].value["Value"])
    assert "a U: improves, turns, gets worse" in shown
    assert "points (between" in evidence
    assert [name for name in INTERNAL if name in shown or name in evidence] == []
