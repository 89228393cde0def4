"""The list of checks and their thresholds from the settings."""

import pytest

from copilot.core.checks import BUILT_IN, load_checks
from copilot.errors import ConfigError


def test_codes_are_unique_and_titles_given():
    codes = [c.code for c in BUILT_IN]
    assert len(set(codes)) == len(codes)
    assert all(c.code.startswith("OVF1") and c.title and c.__doc__ for c in BUILT_IN)


def test_aliases_reach_the_thresholds_of_their_checks():
    checks = {c.code: c for c in load_checks(thresholds={"train_val_gap": 0.2, "learning_curve_slope": 0.01})}
    assert checks["OVF101"].thresholds.train_val_gap == 0.2
    assert checks["OVF105"].thresholds.learning_curve_slope == 0.01


def test_settings_by_code_win_over_aliases():
    checks = load_checks({"OVF101": {"train_val_gap": 0.3}}, {"train_val_gap": 0.2})
    assert checks[0].thresholds.train_val_gap == 0.3


@pytest.mark.parametrize(
    ("overrides", "thresholds", "named"),
    [
        ({"OVF11": {}}, {}, "OVF101"),
        ({"OVF102": {"risse": 0.1}}, {}, "OVF102.rise"),
        ({"OVF102": {"rise": -1}}, {}, "OVF102.rise"),
        ({}, {"train_val_gab": 0.1}, "train_val_gap"),
    ],
)
def test_wrong_keys_and_values_name_what_was_meant(overrides, thresholds, named):
    with pytest.raises(ConfigError, match=named):
        load_checks(overrides, thresholds)
