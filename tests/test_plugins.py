"""Checks of third parties come in through entry points, and a broken one stays outside."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

from copilot.analyzer import CopilotAnalyzer
from copilot.core.checks.base import BaseCheck, Thresholds
from copilot.errors import ConfigError
from copilot.plugins import third_party_checks
from copilot.utils.config import Settings
from tests.core.curves import healthy


class LimitThresholds(Thresholds):
    limit: int = 3


class Points(BaseCheck):
    """Counts the points of a run."""

    code = "ACME1"
    title = "Points"
    Thresholds = LimitThresholds

    def measure(self, batch):
        return {"n": np.full(len(batch.pairs), batch.points)}

    def judge(self, history, rows):
        over = rows[0]["n"] > self.thresholds.limit
        return self.outcome("issue" if over else "passed", "Counted.", severity="low" if over else "none")


class Impostor(Points):
    code = "OVF101"


not_a_check = {"code": "ACME9"}


@pytest.fixture
def installed(tmp_path, monkeypatch, caplog):
    """A function that installs a distribution with these entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(logging.getLogger("copilot"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("copilot"), "level", logging.WARNING)
    caplog.set_level(logging.WARNING)

    def install(**points: str) -> pytest.LogCaptureFixture:
        folder = tmp_path / "acme-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        (folder / "entry_points.txt").write_text("[mlops_copilot.checks]\n" + "\n".join(lines) + "\n")
        return caplog

    return install


def test_a_check_of_a_third_party_runs_beside_the_built_in_ones(installed):
    installed(points=f"{__name__}:Points")
    analyzer = CopilotAnalyzer(Settings(detection={"checks": {"ACME1": {"limit": 1000}}}))
    assert analyzer.analyze_history(healthy()).analysis.finding("ACME1").state == "passed"
    finding = CopilotAnalyzer(Settings()).analyze_history(healthy()).analysis.finding("ACME1")
    assert (finding.state, finding.title) == ("issue", "Points")
    assert "ACME1" in [c.code for c in analyzer.describe_checks()]


def test_its_thresholds_and_muting_are_checked_as_ours_are(installed):
    installed(points=f"{__name__}:Points")
    with pytest.raises(ConfigError, match=r"ACME1\.limit"):
        CopilotAnalyzer(Settings(detection={"checks": {"ACME1": {"limitt": 1}}}))
    muted = CopilotAnalyzer(Settings(detection={"ignore": {"ACME1": "loud"}})).analyze_history(healthy())
    assert muted.analysis.finding("ACME1").summary == "Muted: loud"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_module:Check", "No module named"),
        (f"{__name__}:nothing", "nothing"),
        (f"{__name__}:not_a_check", "no check class"),
        (f"{__name__}:Impostor", "OVF101 is taken"),
    ],
)
def test_a_broken_plugin_is_named_in_the_log_and_left_out(installed, target, reason):
    log = installed(broken=target, points=f"{__name__}:Points")
    assert [c.code for c in third_party_checks()] == ["ACME1"]
    assert "plugin could not be loaded" in log.text
    assert "broken" in log.text
    assert reason in log.text
    assert CopilotAnalyzer(Settings()).analyze_history(healthy()).diagnosis.verdict == "healthy"


def test_one_code_is_taken_once(installed):
    log = installed(a=f"{__name__}:Points", b=f"{__name__}:Points")
    assert [c.code for c in third_party_checks()] == ["ACME1"]
    assert "ACME1 is taken" in log.text


def test_without_plugins_there_are_none():
    assert third_party_checks() == []
    assert "no_such_module" not in sys.modules
