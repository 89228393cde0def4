"""Made groups of runs with known answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from copilot.core.comparisons.base import GroupMember, RunGroup
from copilot.core.findings import Evidence, Outcome
from copilot.core.history import RunHistory

EPOCHS = 13


def run(
    score: float | None = None,
    gap: float = 0.05,
    *,
    loss: float | None = None,
    noise: float = 0.0,
    name: str = "run",
    run_id: str | None = None,
    parent: str | None = None,
    tags: dict[str, str] | None = None,
    seed: int = 0,
    **params: object,
) -> GroupMember:
    """A run that ends at its best: validation accuracy `score` and/or loss `loss`, training better by `gap`.

    `noise` is added to every point, by `seed`; parameters are logged as text.
    """
    rng, left = np.random.default_rng(seed), np.r_[0.5 ** np.arange(EPOCHS - 3), 0, 0, 0]
    series = {}
    if score is not None:
        series |= {"val_accuracy": score - 0.3 * left, "train_accuracy": score + gap - 0.3 * left}
    if loss is not None:
        series |= {"val_loss": loss + 0.5 * left, "train_loss": loss - gap + 0.5 * left}
    series = {key: values + rng.normal(0, noise, EPOCHS) for key, values in series.items()}
    history = RunHistory.from_arrays(name=name, params={k: str(v) for k, v in params.items()}, **series)
    return GroupMember(history, run_id or name, name, parent, tags or {})


def group(members: Iterable[GroupMember], **options: object) -> RunGroup:
    return RunGroup(tuple(members), **options)


def folds(scores: Sequence[float], gap: float = 0.05, *, name: str = "net", **params: object) -> list[GroupMember]:
    """The folds of one cross-validation, told by the parameter `fold`."""
    number = len(scores)
    return [run(s, gap, name=f"{name}-{i}", fold=i, n_folds=number, **params) for i, s in enumerate(scores, 1)]


def value(outcome: Outcome, name: str) -> Evidence:
    """The first evidence of a name; fails where there is none."""
    return next(e for e in outcome.evidence if e.name == name)
