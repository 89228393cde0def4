"""Make the checks of a suite with their parameters and conditions. Imported only inside the supervised child."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from deepchecks.vision import checks
from deepchecks.vision.utils.image_properties import default_image_properties

from copilot.errors import ConfigError
from copilot.integrations.deepchecks import custom_checks
from copilot.integrations.deepchecks.catalogue import CONDITIONS, CUSTOM_CHECKS
from copilot.integrations.deepchecks.plan import nearest
from copilot.integrations.deepchecks.records import SuiteRun
from copilot.utils.validators import clean_text

_PREFIX = "add_condition_"
_SCORES: dict[str, list[str]] = {
    "classification": ["accuracy", "precision_macro", "recall_macro", "f1_macro"],
    "detection": ["average_precision_macro", "average_recall_macro", "precision_macro", "recall_macro", "f1_macro"],
    "segmentation": ["dice_per_class", "iou_per_class"],
}


def made(suite: SuiteRun, task: str, grey: bool) -> list[Any]:
    """New checks of a suite, with conditions.

    Parameters
    ----------
    suite : SuiteRun
    task : {"classification", "detection", "segmentation"}
    grey : bool
        Grey images have no colour to look at.

    Raises
    ------
    ConfigError
        A check has no such parameter or condition, or cannot take its value.
    """
    return [_with_conditions(_made(name, own, task, grey), suite.thresholds) for name, own in suite.checks.items()]


def _made(name: str, own: Mapping[str, Any], task: str, grey: bool) -> Any:
    kind = getattr(custom_checks if name in CUSTOM_CHECKS.values() else checks, name, None)
    if kind is None:
        raise ConfigError(f"This version of Deepchecks has no check {name}.", "Take it out of deepchecks.suites.")
    known = _parameters(kind.__init__)
    usual: dict[str, Any] = {"n_samples": None}  # the sample is drawn before
    if grey and "image_properties" in known:
        usual["image_properties"] = [p for p in default_image_properties if "Relative Intensity" not in p["name"]]
    if name == "SingleDatasetPerformance":
        usual["scorers"] = _SCORES[task]
    for parameter in own:
        _must_be_known(parameter, {*known, "n_samples"}, f"deepchecks.suites: {name} has no parameter")
    return _tried(partial(kind, **{**usual, **own}), f"deepchecks.suites: {name}")


def _with_conditions(check: Any, thresholds: Mapping[str, Mapping[str, Any]]) -> Any:
    name = type(check).__name__
    own = {key.removeprefix(_PREFIX): getattr(check, key) for key in dir(check) if key.startswith(_PREFIX)}
    limits = {condition: _parameters(method) for condition, method in own.items()}
    for condition, values in _wanted(name, limits, thresholds.get(name, {})).items():
        for limit in values:
            _must_be_known(limit, limits[condition], f"deepchecks.thresholds: {name}: {condition} has no limit")
        _tried(partial(own[condition], **values), f"deepchecks.thresholds: {name}: {condition}")
    return check


def _wanted(name: str, limits: Mapping[str, list[str]], given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Conditions of a check with their limits: the usual one, changed by limits that are given, and those named."""
    usual = CONDITIONS.get(name)
    found: dict[str, dict[str, Any]] = {usual: {}} if usual else {}
    for key, value in given.items():
        if key in limits:
            found.setdefault(key, {}).update(value if isinstance(value, Mapping) else {limits[key][0]: value})
        elif usual and key in limits[usual]:
            found[usual][key] = value
        else:
            known = [*limits, *(limits[usual] if usual else ())]
            _must_be_known(key, known, f"deepchecks.thresholds: {name} has no condition or limit")
    return found


def _parameters(function: Callable[..., Any]) -> list[str]:
    every = inspect.signature(function).parameters.values()
    return [p.name for p in every if p.name != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _must_be_known(name: str, known: Iterable[str], problem: str) -> None:
    known = sorted(known)
    if name not in known:
        near = nearest(name, known)
        hint = f"Did you mean {near}? " if near else ""
        every = f"Known: {', '.join(known)}." if known else "It has none."
        raise ConfigError(f"{problem} {clean_text(name, 60)!r}.", hint + every)


def _tried(make: Callable[[], Any], place: str) -> Any:
    try:
        return make()
    except Exception as error:  # whatever its code does with a value of the wrong kind
        reason = clean_text(error, 200) or type(error).__name__
        raise ConfigError(
            f"{place} cannot take these values: {reason}", "See the documentation of Deepchecks."
        ) from error
