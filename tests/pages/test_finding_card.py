"""A finding's card says why its check matters."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from copilot import CopilotAnalyzer


def _card(code: str) -> None:
    from copilot.core.findings import Finding
    from copilot.ui.finding_card import finding_card

    finding_card(Finding(code=code, title="Title", state="passed", summary="Calm."), {})


def _help(code: str) -> str:
    page = AppTest.from_function(_card, args=(code,), default_timeout=30).run()
    assert not page.exception
    return page.markdown[0].help


def test_the_hint_is_what_the_check_says_of_itself():
    check = next(c for c in CopilotAnalyzer().describe_checks() if c.code == "OVF105")
    hint = _help("OVF105")
    assert hint.startswith(check.why_it_matters.split(",")[0])
    assert hint.endswith("`mlops-copilot checks explain OVF105`")


def test_a_finding_of_another_tool_has_no_hint():
    assert not _help("OVF501")
