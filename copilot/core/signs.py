"""What the curves of a running run say, in sentences with their numbers. None where there is nothing to say."""

from __future__ import annotations

import math

import numpy as np

from copilot.core.checks.base import percent
from copilot.core.checks.generalisation_gap import GapThresholds
from copilot.core.checks.instability import InstabilityThresholds
from copilot.core.followed import TRAIN, VAL, FollowedQuantity
from copilot.core.history import axis_value

EARLY = 0.5  # share of the stop rule's evidence, rise and noise ratio at which "may be turning" is told


def has_diverged(f: FollowedQuantity, limits: InstabilityThresholds) -> bool:
    """By the limits of the instability check: half of what training gained is lost, or its loss explodes."""
    r = f.reading
    if r is None or not np.isfinite(r.level[TRAIN]) or TRAIN not in f.first:
        return False
    gained = f.first[TRAIN] - r.best_level[TRAIN]
    lost = gained > 0 and r.rise[TRAIN] > limits.diverged * gained and r.noise_ratio[TRAIN] > f.thresholds.noise_ratio
    exploded = f.kind == "loss" and f.first[TRAIN] > 0 and r.level[TRAIN] > limits.explosion * f.first[TRAIN]
    grew = r.level[TRAIN] - r.best[TRAIN] >= limits.least_growth * abs(r.best[TRAIN])
    return bool(lost or (exploded and grew))


def diverging(f: FollowedQuantity, limits: InstabilityThresholds) -> str | None:
    """Training gets worse."""
    if not has_diverged(f, limits):
        return None
    now, best = f.value(f.reading.level[TRAIN]), f.value(f.reading.best_level[TRAIN])
    return f"Training {f.quantity} is at {now:.4g}, after a best level of {best:.4g}: training diverges."


def gap(f: FollowedQuantity, limits: GapThresholds) -> str | None:
    """Validation is worse than training by more than the gap check allows."""
    r = f.reading
    if r is None or not np.isfinite(r.level).all() or f.watched <= f.thresholds.warm_up:
        return None
    limit = limits.train_val_gap if f.bounded else limits.loss_gap_share * _scale(f)
    if limit == 0 or r.level[VAL] - r.level[TRAIN] < limit:
        return None
    train, val = f.value(r.level[TRAIN]), f.value(r.level[VAL])
    return f"The gap opens: {f.quantity} is {train:.4g} on training and {val:.4g} on validation."


def _scale(f: FollowedQuantity) -> float:
    """As the gap check scales a loss: the first cost, or what training gained where that is more."""
    return max(abs(max(f.first.values())), f.first[TRAIN] - float(f.reading.best[TRAIN]))


def turning(f: FollowedQuantity) -> str | None:
    """Half of the evidence that a stop needs is there."""
    r, t = f.reading, f.thresholds
    early = r.evidence[VAL] > EARLY * t.evidence and r.noise_ratio[VAL] > EARLY * t.noise_ratio
    if not early or r.rise[VAL] < EARLY * r.needed[VAL] or f.watched <= t.warm_up or r.turned[VAL]:
        return None
    return f"Validation {f.quantity} may be turning: {amount(f)} worse than its best level."


def turned(f: FollowedQuantity, epochs_left: float | None = None) -> str:
    """Why to stop."""
    r, verb, at = f.reading, "fallen" if f.higher_is_better else "risen", _epoch(f)
    change = float(r.train_change[VAL])
    training = (
        "" if np.isnan(change) else f", while training {'goes on improving' if change < 0 else 'holds its level'}"
    )
    saved = f" That saves {_count(epochs_left, 'planned epoch')}." if epochs_left else ""
    return (
        f"Validation {f.quantity} has {verb} by {amount(f)} from its best level of {f.value(r.best_level[VAL]):.4g} to "
        f"{f.value(r.level[VAL]):.4g}, {_ratio(r.noise_ratio[VAL])} times the noise, "
        f"{_count(int(r.since_best[VAL]), f.unit)} after its best at epoch {at}{training}. "
        f"Keep the checkpoint of epoch {at}.{saved}"
    )


def going_on(f: FollowedQuantity, now: float, held: FollowedQuantity | None = None) -> str:
    """Why not to stop; `now` is the validation cost of this epoch, `held` a score that still improves."""
    best, at = f.value(f.reading.best[VAL]), _epoch(f)
    if held is not None:
        since = int(held.reading.since_best_level[VAL])
        level = f"its best level was {_count(since, held.unit)} ago" if since else "it is at its best level"
        return (
            f"Validation {f.quantity} has turned ({amount(f)} worse than its best level), but validation "
            f"{held.quantity} still improves: {level}."
        )
    if not math.isfinite(now):
        return f"Validation {f.quantity} has no value at this epoch; its best is {best:.4g} at epoch {at}."
    since = int(f.reading.since_best[VAL])
    if since == 0:
        return f"Validation {f.quantity} is at its best: {best:.4g} at epoch {at}."
    ago = _count(since, f.unit)
    return f"Validation {f.quantity} is {f.value(now):.4g}; its best was {best:.4g} at epoch {at}, {ago} ago."


def amount(f: FollowedQuantity) -> str:
    """The rise over the best level, for people."""
    rise, best = float(f.reading.rise[VAL]), abs(float(f.reading.best_level[VAL]))
    if f.bounded:
        return f"{rise * 100:.3g} points"
    return percent(rise / best, 1) if best > 0 else f"{rise:.3g}"


def _count(number: float, unit: str) -> str:
    return f"{number:.10g} {unit}{'' if number == 1 else 's'}"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else "more than 1000"  # curves without noise


def _epoch(f: FollowedQuantity) -> str:
    return f"{axis_value(f.best_epoch):.10g}"
