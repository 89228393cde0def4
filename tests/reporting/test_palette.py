from __future__ import annotations

import itertools

import numpy as np
import pytest

from copilot.core.findings import SEVERITIES, VERDICTS
from copilot.reporting.palette import DARK, LIGHT, SEVERITY_STYLES, STATE_STYLES, VERDICT_STYLES, run_mark
from copilot.reporting.words import state_label

# How colour-blind people see linear RGB: G. Machado et al., IEEE TVCG 15 (2009), severity 1.
VISION = {
    "usual": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}


def _linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _contrast(a: str, b: str) -> float:
    low, high = sorted(float(np.dot([0.2126, 0.7152, 0.0722], _linear(c))) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_verdicts_stay_apart_for_every_eye(theme: str, vision: str):
    seen = [_lab(VISION[vision] @ _linear(getattr(style, theme))) for style in VERDICT_STYLES.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_training_and_validation_stay_apart_for_every_eye(colours, vision: str):
    train, val = (_lab(VISION[vision] @ _linear(c)) for c in (colours.train, colours.val))
    assert np.linalg.norm(train - val) > 40


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_compared_runs_stay_apart_for_every_eye(theme: str, colours, vision: str):
    hues = [getattr(run_mark(i), theme) for i in range(8)]
    seen = [_lab(VISION[vision] @ _linear(hue)) for hue in hues]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 25
    assert min(_contrast(hue, colours.paper) for hue in hues) > 3


def test_compared_runs_differ_by_colour_or_sign_and_the_first_by_both():
    marks = [run_mark(i) for i in range(56)]
    assert len({(m.light, m.symbol) for m in marks}) == 56
    assert len({m.glyph for m in marks[:7]}) == 7
    assert [m.glyph for m in marks[:7]] == [m.glyph for m in marks[7:14]]


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_words_can_be_read_on_the_page(theme: str, colours):
    styles = [*VERDICT_STYLES.values(), *STATE_STYLES.values(), *SEVERITY_STYLES.values()]
    shown = {getattr(s, theme) for s in styles} | set(colours[:6])
    assert {c: round(_contrast(c, colours.paper), 1) for c in shown if _contrast(c, colours.paper) < 4.4} == {}


def test_never_colour_alone():
    assert set(VERDICT_STYLES) == set(VERDICTS)
    assert set(SEVERITY_STYLES) == set(SEVERITIES)
    assert all(state_label(state) for state in STATE_STYLES)
    for table in (VERDICT_STYLES, SEVERITY_STYLES):
        assert len({s.icon for s in table.values()}) == len(table)
        assert len({s.glyph for s in table.values()}) == len(table)
