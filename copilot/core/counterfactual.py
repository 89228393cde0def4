"""What stopping at the best epoch would have kept and saved."""

from __future__ import annotations

import numpy as np

from copilot.core.findings import Counterfactual, Evidence
from copilot.core.history import RunHistory, axis_value, counted
from copilot.core.naming import is_fraction
from copilot.core.pairs import Pair

SECONDS_PER_HOUR = 3600.0


def stop_at_best(history: RunHistory, primary: Pair) -> Counterfactual | None:
    """The run as it would be had it stopped at the best epoch of its primary quantity.

    Parameters
    ----------
    history : RunHistory
    primary : Pair
        With values on validation.

    Returns
    -------
    Counterfactual or None
        None where the best epoch is the last one. ``kept_share`` is the smallest share of its best value over the run
        that a validation score from 0 to 1 had reached by then; hours need logged times.
    """
    stop, last = primary.best_index, len(history.epochs) - 1
    if stop == last:
        return None
    kept = [(_kept(p, stop), p.quantity) for p in history.pairs if is_fraction(p.quantity) and p.higher_is_better]
    share, quantity = min((item for item in kept if item[0] is not None), default=(None, None))
    return Counterfactual(
        stop_epoch=axis_value(history.epochs[stop]),
        epochs_saved=last - stop,
        counted_in=history.counted_in,
        hours_saved=_hours(history.times, stop, last),
        kept_share=share,
        kept_quantity=quantity,
    )


def as_evidence(found: Counterfactual) -> list[Evidence]:
    """The numbers of a counterfactual, for sentences to cite."""
    at = {"epoch": found.stop_epoch, "source": "diagnosis"}
    items = [Evidence(name="epochs_saved", value=found.epochs_saved, unit=found.counted_in, **at)]
    if found.hours_saved is not None:
        value, unit = duration(found.hours_saved)
        items.append(Evidence(name="time_saved", value=value, unit=unit, **at))
    if found.kept_share is not None:
        share = float(f"{found.kept_share * 100:.3g}")
        items.append(Evidence(name="kept_share", value=share, unit="%", quantity=found.kept_quantity, **at))
    return items


def duration(hours: float) -> tuple[float, str]:
    """A time in the unit that reads best, at two digits: hours, minutes or seconds."""
    for value, unit in ((hours, "h"), (hours * 60, "min")):
        if value >= 1:
            return float(f"{value:.2g}"), unit
    return float(f"{hours * SECONDS_PER_HOUR:.2g}"), "s"


def sentence(found: Counterfactual) -> str:
    """What it says, for the summary."""
    hours = " ({:g} {})".format(*duration(found.hours_saved)) if found.hours_saved else ""
    kept = f" and kept {found.kept_share * 100:.3g} % of the best {found.kept_quantity}" if found.kept_share else ""
    return f"Stopping there would have saved {counted(found.epochs_saved, found.counted_in)}{hours}{kept}."


def _kept(pair: Pair, stop: int) -> float | None:
    until, whole = pair.val[: stop + 1], pair.val
    until, whole = until[np.isfinite(until)], whole[np.isfinite(whole)]
    if not until.size or whole.max() <= 0:
        return None
    return round(float(until.max() / whole.max()), 5)


def _hours(times: np.ndarray | None, stop: int, last: int) -> float | None:
    if times is None or not (np.isfinite(times[stop]) and np.isfinite(times[last])) or times[last] <= times[stop]:
        return None
    return float(f"{(times[last] - times[stop]) / SECONDS_PER_HOUR:.3g}")
