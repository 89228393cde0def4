"""Two sets of model checks finding by finding: what changed, in which direction, and how sure."""

from __future__ import annotations

import dataclasses

from copilot.core.findings import Outcome
from copilot.ui.model_checks_beside import beside, measured, of_checks
from tests.pages.checked import checked, class_gap, number


def _outcome(code: str, state: str, severity: str = "none", *evidence) -> Outcome:
    return Outcome(code=code, title=f"Title {code}", state=state, severity=severity, summary="So.", evidence=evidence)


def test_what_changed_comes_first_and_is_named():
    here = checked(
        [
            class_gap(0.99, 0.7, "high"),
            _outcome("OVF302", "passed"),
            _outcome("OVF303", "issue", "low"),
            _outcome("OVF304", "passed"),
            _outcome("OVF501", "error"),
        ]
    )
    there = checked(
        [
            class_gap(0.95, 0.9),
            _outcome("OVF302", "issue", "low"),
            _outcome("OVF303", "issue", "high"),
            _outcome("OVF304", "passed"),
            _outcome("OVF501", "passed"),
            _outcome("OVF502", "passed"),
        ]
    )
    rows = beside(here, there)
    assert {row.code: row.change for row in rows} == {
        "OVF301": "new issue",
        "OVF302": "no longer an issue",
        "OVF303": "milder",
        "OVF501": "changed",
        "OVF502": "only there",
        "OVF304": "same",
    }
    assert [row.code for row in rows][-2:] == ["OVF502", "OVF304"]
    assert {row.here for row in rows if row.code == "OVF502"} == {"– Not run"}
    assert {row.code: row.group for row in rows}["OVF501"] == "Images and suite"


def test_the_main_number_stands_with_its_interval_and_its_direction():
    [row] = beside(checked([class_gap(0.99, 0.7, "high")]), checked([class_gap(0.95, 0.9)]))
    assert row.number_here.startswith("29.0")
    assert row.number_there == "5.0 points (1.0 to 9.0 points)"
    assert (row.better, row.sure) == (False, True)
    assert row.difference.startswith("+24.0")


def test_overlapping_intervals_are_not_sure_and_unknown_numbers_have_no_direction():
    [gap] = beside(checked([class_gap(0.95, 0.9)]), checked([class_gap(0.95, 0.88)]))
    assert (gap.better, gap.sure) == (True, False)
    odd = [checked([_outcome("OVF501", "passed", "none", number("some score", v))]) for v in (0.4, 0.5)]
    [row] = beside(*odd)
    assert (row.better, row.difference) == (None, "−10.0 points")


def test_numbers_of_different_names_are_not_subtracted():
    here = checked([_outcome("OVF501", "passed", "none", number("recall of 3", 0.4))])
    there = checked([_outcome("OVF501", "passed", "none", number("recall of 8", 0.5))])
    [row] = beside(here, there)
    assert (row.number_here, row.number_there, row.difference, row.better) == ("40.0 %", "", "", None)


def test_numbers_of_another_subject_are_not_subtracted_and_other_counts_are_no_other_subject():
    def of(source: str, value: float):
        item = dataclasses.replace(number("accuracy_change", value), source=source)
        return checked([_outcome("OVF307", "passed", "none", item)])

    [row] = beside(of("mirroring, validation", 0.1), of("transposing, validation", 0.3))
    assert (row.number_there, row.difference) == ("", "")
    [row] = beside(of("mirroring, validation, 60 of 1,400 images", 0.1), of("mirroring, validation", 0.3))
    assert row.difference == "−20.0 points"
    [row] = beside(of("class 8, 12 images", 0.1), of("class 9, 12 images", 0.3))
    assert row.difference == ""


def test_accuracies_of_training_are_read_by_their_direction():
    pairs = [checked([_outcome("OVF302", "passed", "none", number("val_accuracy", v, 0.01))]) for v in (0.9, 0.8)]
    [row] = beside(*pairs)
    assert (row.better, row.sure) == (True, True)


def test_what_was_looked_at_is_no_finding_unless_it_failed():
    seen = _outcome("OVF300", "passed", "none", number("unreadable_images", 2, None, "images"))
    analysis = checked([seen, class_gap(0.9, 0.9)])
    assert [f.code for f in of_checks(analysis)] == ["OVF301"]
    assert measured(analysis, "OVF300", "unreadable_images").value == 2
    assert measured(analysis, "OVF307", "anything") is None
    assert [f.code for f in of_checks(checked([_outcome("OVF300", "error")]))] == ["OVF300"]
