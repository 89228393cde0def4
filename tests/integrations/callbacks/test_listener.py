"""Listener: where its monitor comes from."""

from __future__ import annotations

import pytest

from copilot import OverfitMonitor
from copilot.errors import InputError
from copilot.integrations.callbacks.listener import Listener


def test_a_monitor_is_given_or_made_from_options():
    monitor = OverfitMonitor()
    assert Listener(monitor, stop=False).monitor is monitor
    assert Listener(total_epochs=7).monitor.total_epochs == 7


def test_options_beside_a_monitor_are_an_error():
    with pytest.raises(InputError, match=r"options of one were given: metric\. Pass the options to") as raised:
        Listener(OverfitMonitor(), metric="accuracy")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("monitor", [None, OverfitMonitor()])
def test_unknown_options_are_an_error(monitor):
    with pytest.raises(InputError, match=r"Unknown option: nonsense\. Known: metric, total_epochs"):
        Listener(monitor, nonsense=3)
