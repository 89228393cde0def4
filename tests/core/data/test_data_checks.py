"""The list of data checks and its making from the settings."""

from __future__ import annotations

import pytest

from copilot.core.checks.describe import describe
from copilot.core.data import BUILT_IN, load_data_checks
from copilot.errors import ConfigError


def test_checks_are_in_the_order_of_their_codes_and_names_differ():
    codes = [check.code for check in BUILT_IN]
    assert codes == sorted(set(codes))
    assert len({check.name for check in BUILT_IN}) == len(codes)


def test_thresholds_come_from_the_settings():
    checks = load_data_checks({"OVF404": {"ratio": 3.0}, "OVF401": {"moved": 0.2}}, ["OVF401", "OVF406"])
    assert next(check for check in checks if check.code == "OVF404").thresholds.ratio == 3.0


def test_what_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="OVF499"):
        load_data_checks({"OVF499": {}})
    with pytest.raises(ConfigError, match="ratios"):
        load_data_checks({"OVF404": {"ratios": 3.0}})


@pytest.mark.parametrize("check", BUILT_IN, ids=lambda check: check.code)
def test_each_has_a_page_with_all_its_parts(check: type):
    page = describe(check())
    assert page.claim
    assert page.measures
    assert page.why_it_matters
    assert page.source
    assert page.when_it_is_wrong
    assert page.scope == "images"
    assert all(threshold.description for threshold in page.thresholds)
