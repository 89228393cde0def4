"""The probes with their thresholds, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copilot.core.checks import make_checks
from copilot.errors import InputError
from copilot.probes import BUILT_IN
from copilot.probes.base import BaseProbe, Probe
from copilot.utils.validators import clean_text

NONE = "none"


def load_probes(
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ignore: Iterable[str] = (),
    plugins: Iterable[type[BaseProbe]] = (),
) -> list[Probe]:
    """Make every probe with its thresholds; parameters and errors as in `core.checks.load_checks`."""
    return make_checks([*BUILT_IN, *plugins], overrides, None, ignore)


def chosen(probes: Sequence[Probe], names: Sequence[str]) -> list[Probe]:
    """The probes of these names, in the order of their codes; all of them without a name, none for ``none``.

    Raises
    ------
    InputError
        There is no such probe.
    """
    if not names:
        return list(probes)
    if list(names) == [NONE]:
        return []
    known = {probe.name: probe for probe in probes}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InputError(
                f"There is no probe called {clean_text(name, 60)!r}.", f"{hint}Probes: {', '.join(known)}, or {NONE}."
            )
    return [probe for probe in probes if probe.name in names]
