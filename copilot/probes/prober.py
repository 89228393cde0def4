"""Examined model + probes -> outcomes and pictures. The only runner of probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from copilot.core.checks.base import BaseCheck
from copilot.core.detector import muted
from copilot.core.findings import Outcome, State
from copilot.errors import CopilotError
from copilot.probes.base import Examined, Probe, Probed, Progress
from copilot.probes.samples import only_guesses
from copilot.utils.validators import clean_text

_LACKING = {
    "predict": "Only predictions were given; this probe asks the model about changed images.",
    "module": "This needs the weights of a PyTorch model.",
}


def run_probes(
    examined: Examined | None,
    probes: Sequence[Probe],
    ignore: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> list[Probed]:
    """Run every probe on a model; the fault of one becomes its own outcome and leaves the others alone.

    Parameters
    ----------
    examined : Examined or None
        None where the model is no classifier: then no probe applies.
    probes : sequence of Probe
    ignore : mapping of code to reason, optional
        Muted probes: their outcome is ``ignored`` with the reason, and they are not run.
    progress : callable, optional
        Called with a fraction from 0 to 1 and a line.
    """
    found = []
    for number, probe in enumerate(probes):

        def told(fraction: float, line: str, probe: Probe = probe, number: int = number) -> None:
            if progress:
                progress((number + min(max(fraction, 0.0), 1.0)) / len(probes), f"{probe.title}: {line}")

        told(0.0, "beginning")
        found.append(_run(examined, probe, ignore or {}, told))
    return found


def _run(examined: Examined | None, probe: Probe, ignore: Mapping[str, str], progress: Progress) -> Probed:
    if probe.code in ignore:
        return Probed(muted(probe.code, probe.title, ignore[probe.code]))
    if examined is None:
        return Probed(
            _without_numbers(probe, "not_applicable", "The probes look at classifiers; this is another task.")
        )
    if probe.needs != "predictions" and getattr(examined, probe.needs) is None:
        return Probed(_without_numbers(probe, "not_applicable", _LACKING[probe.needs]))
    try:
        if probe.needs == "predict" and (why := only_guesses(examined)):
            return Probed(_without_numbers(probe, "not_applicable", why))
        return probe.probe(examined, progress)
    except CopilotError as error:
        return Probed(_without_numbers(probe, "error", clean_text(str(error), 300)))
    except Exception as error:  # a plugin's, or a model's that fails on a changed image
        return Probed(
            _without_numbers(probe, "error", clean_text(f"The probe failed: {type(error).__name__}: {error}", 300))
        )


def _without_numbers(probe: Probe, state: State, why: str) -> Outcome:
    return BaseCheck.outcome(probe, state, why)  # type: ignore[arg-type]
