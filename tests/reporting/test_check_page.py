"""The pages of the checks, and that docs/checks/ holds them as they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

from copilot.analyzer import CopilotAnalyzer
from copilot.core.checks.describe import CheckDescription, ThresholdDescription
from copilot.reporting.check_page import alias_lines, change_lines, check_index, check_page, check_pages, mute_lines
from copilot.utils.config import Settings

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CHECKS = CopilotAnalyzer(Settings.model_construct()).describe_checks()


def _described(**fields) -> CheckDescription:
    return CheckDescription(**{"code": "ACME1", "title": "Points", "explanation": "", "thresholds": (), **fields})


def test_the_documentation_is_up_to_date():
    wanted = runpy.run_path(str(REPOSITORY / "scripts" / "write_check_pages.py"))["pages"]()
    there = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs" / "checks").iterdir()}
    assert sorted(there) == sorted(wanted), "Run scripts/write_check_pages.py"
    assert [name for name in wanted if there[name] != wanted[name]] == [], "Run scripts/write_check_pages.py"


def test_the_pages_do_not_depend_on_the_environment(monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_DETECTION__THRESHOLDS", '{"train_val_gap": 0.5}')
    monkeypatch.setenv("MLOPS_COPILOT_DETECTION__IGNORE", '{"OVF105": "long runs"}')
    pages = runpy.run_path(str(REPOSITORY / "scripts" / "write_check_pages.py"))["pages"]()
    assert pages == check_pages(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_the_settings_that_a_page_shows_are_valid_and_do_what_it_says(check):
    for lines in filter(None, (change_lines(check), alias_lines(check), mute_lines(check))):
        assert lines in check_page(check)
        analyzer = CopilotAnalyzer(Settings(**yaml.safe_load(lines)))
        again = next(c for c in analyzer.describe_checks() if c.code == check.code)
        assert again.thresholds == check.thresholds
        assert bool(again.muted) == (lines == mute_lines(check))


def test_references_become_links():
    page = check_page(_described(source="A, 1998, doi:10.1007/3-540-49430-8_3; B (arXiv:1611.03530)."))
    assert "[doi:10.1007/3-540-49430-8_3](https://doi.org/10.1007/3-540-49430-8_3); B" in page
    assert "([arXiv:1611.03530](https://arxiv.org/abs/1611.03530))." in page


def test_a_changed_value_has_a_column_and_a_pipe_breaks_no_row():
    limit = ThresholdDescription(name="limit", value=5, default=3, description="a|b\nc")
    page = check_page(_described(thresholds=(limit,), muted="*loud*"))
    assert "| Threshold | In force | Default | What it means |\n" in page
    assert "| `limit` | 5 | 3 | a\\|b c |\n" in page
    assert r"Muted in these settings: \*loud\*" in page
    assert "In force" not in check_page(_described(thresholds=(limit.model_copy(update={"value": 3}),)))


def test_a_check_that_says_little_has_a_short_page():
    page = check_page(_described())
    assert page.startswith("# ACME1 Points\n\n## Mute it\n")
    assert "Threshold" not in page


def test_the_index_links_every_page_and_tells_scopes_apart_where_there_are_some():
    index = check_index(CHECKS)
    rows = {c.code: f"| [{c.code}]({c.code}.md) | {c.title} | {c.scope or 'run'} | {c.claim} |" for c in CHECKS}
    assert [code for code, row in rows.items() if row not in index] == []
    scoped = check_index([*CHECKS[:1], _described(scope="comparison", claim="They differ.")])
    assert "| Points | comparison | They differ. |" in scoped
    assert f"| {CHECKS[0].title} | run |" in scoped
