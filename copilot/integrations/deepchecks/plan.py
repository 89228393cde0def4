"""What a suite runs, from its name and the settings. Light: nothing of Deepchecks is imported."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from copilot.errors import ConfigError, InputError
from copilot.integrations.deepchecks.catalogue import CHECKS, CUSTOM_CHECKS, SUITES
from copilot.utils.config import DeepchecksSettings
from copilot.utils.validators import clean_text

Plan = dict[str, dict[str, Any]]  # name of a check's class -> parameters of its constructor


def suite_names(settings: DeepchecksSettings) -> list[str]:
    """Names of the suites that can be run: those that are built in, then the settings' own."""
    return [*SUITES, *settings.suites]


def planned(suite: str, settings: DeepchecksSettings) -> Plan:
    """The checks of a suite, each once, then the settings' ``custom_checks``.

    Raises
    ------
    InputError
        No suite has this name.
    ConfigError
        One of the settings' suites or thresholds names a check that does not exist, or has the name of a built-in one.
    """
    for name in settings.suites:
        if name in SUITES:
            raise ConfigError(f"deepchecks.suites: {name} is a suite that is built in.", "Give yours another name.")
    own = {name: _own_suite(name, entries) for name, entries in settings.suites.items()}
    if suite not in SUITES and suite not in own:
        known = suite_names(settings)
        raise InputError(
            f"There is no suite called {clean_text(suite, 60)!r}.", f"{_near(suite, known)}Suites: {', '.join(known)}."
        )
    found = dict(own[suite]) if suite in own else {name: {} for name in SUITES[suite]}
    for name in settings.custom_checks:
        if (check := CUSTOM_CHECKS.get(name, name)) in CHECKS:
            found.setdefault(check, {})
    return found


def thresholds_of(settings: DeepchecksSettings) -> dict[str, dict[str, Any]]:
    """Limits by the name of the check's class.

    Raises
    ------
    ConfigError
        No check has this name.
    """
    return {check_class(name, "thresholds"): values for name, values in settings.thresholds.items()}


def check_class(name: str, place: str) -> str:
    """The class of a check that the settings name, by its class or, where it is ours, by its short name.

    Raises
    ------
    ConfigError
        No check has this name.
    """
    found = CUSTOM_CHECKS.get(name, name)
    if found not in CHECKS:
        known = [*CHECKS, *CUSTOM_CHECKS]
        what = f"deepchecks.{place}: there is no check called {clean_text(name, 60)!r}."
        raise ConfigError(what, f"{_near(name, known)}Checks: {', '.join(CHECKS)}.")
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, or None."""
    by_small = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_small, n=1)
    return by_small[near[0]] if near else None


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean {near}? " if near else ""


def _own_suite(name: str, entries: Iterable[str | Mapping[str, Mapping[str, Any]]]) -> Plan:
    place, found = f"suites.{clean_text(name, 60)}", {}
    for entry in entries:
        for check, parameters in ({entry: {}} if isinstance(entry, str) else entry).items():
            key = check_class(check, place)
            if key in found:
                raise ConfigError(f"deepchecks.{place} names {key} twice.", "Name each check once.")
            found[key] = dict(parameters)
    if not found:
        raise ConfigError(f"deepchecks.{place} names no check.", "List the names of checks, such as LabelDrift.")
    return found
