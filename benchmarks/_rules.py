"""Published rules that call a run overfitting, each written from its definition, with its defaults.

A rule reads a `Case` and returns whether it calls the run overfitting, and since which index (None if it does not say).
Rules for a loss read the run's loss, the sum of its components if there are several, and one minus accuracy if there is
none.

References
----------
.. [1] Amazon SageMaker Debugger, "Overfit Rule": ``start_step`` 0, ``patience`` 1, ``ratio_threshold`` 0.1, "the
   maximum ratio of the difference between the mean validation loss and mean training loss to the mean training loss".
.. [2] skore user guide, "Checks", SKD001 "Potential overfitting".
.. [3] Weights & Biases guide, "Log summary metrics": a run's summary keeps each metric's last value.
.. [4] Keras 3 API, ``keras.callbacks.EarlyStopping``: ``min_delta`` 0; stops after ``patience`` epochs without
   a new best.
.. [5] Prechelt, "Early Stopping - But When?", 1998: generalisation loss GL = 100 (E / lowest E so far - 1), stop at 5.
.. [6] Li et al., "Keeping Deep Learning Models in Check: A History-Based Approach to Mitigate Overfitting",
   arXiv:2401.10359: correlation of the losses as a baseline.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from benchmarks._datasets import Case

Called = tuple[bool, int | None]
Rule = Callable[[Case], Called]


def sagemaker(case: Case, start_step: int = 0, patience: int = 1, ratio_threshold: float = 0.1) -> Called:
    """(validation - training) / training loss above the threshold at `patience` epochs in a row, at any time [1]_."""
    train, val = case.costs
    with np.errstate(all="ignore"):
        above = (val - train) / train > ratio_threshold
    above[:start_step] = False
    run = 0
    for epoch, is_above in enumerate(above):
        run = run + 1 if is_above else 0
        if run >= patience:
            return True, epoch
    return False, None


def skore(case: Case, floor: float = 0.03, fraction: float = 0.10) -> Called:
    """Final gap of at least max(0.03, 10 % of the reference) in a strict majority of the metrics [2]_.

    The reference is the training score where higher is better, the validation score where lower is better.
    """
    votes = []
    for train, val, higher_is_better in case.pairs:
        gap, reference = (train[-1] - val[-1], train[-1]) if higher_is_better else (val[-1] - train[-1], val[-1])
        votes.append(gap >= max(floor, fraction * abs(reference)))
    return sum(votes) > len(votes) / 2, None


def run_summary(case: Case, share: float = 0.1) -> Called:
    """Last validation loss above the last training loss: what a run summary shows [3]_. The share is ours."""
    train, val = case.costs
    return bool(val[-1] > (1 + share) * train[-1]), None


def early_stopping(case: Case, patience: int, min_delta: float = 0.0) -> Called:
    """Keras' callback would have stopped before the last epoch [4]_; onset: its best epoch."""
    val = np.where(np.isnan(case.costs[1]), np.inf, case.costs[1])
    epochs = np.arange(len(val))
    before = np.concatenate([[np.inf], np.minimum.accumulate(val)[:-1]])
    best = np.maximum.accumulate(np.where(val < before - min_delta, epochs, -1))
    stops = np.flatnonzero((epochs - best >= patience) & (epochs > 0) & (epochs < len(val) - 1))
    return (True, max(int(best[stops[0]]), 0)) if len(stops) else (False, None)


def early_stopping_10(case: Case) -> Called:
    return early_stopping(case, 10)


def early_stopping_20(case: Case) -> Called:
    return early_stopping(case, 20)


def generalisation_loss(case: Case, percent: float = 5.0) -> Called:
    """Validation loss above its lowest so far by 5 %, at any time [5]_; onset: that lowest."""
    val = case.costs[1]
    best = np.fmin.accumulate(val)
    with np.errstate(all="ignore"):
        hits = np.flatnonzero(100 * (val / best - 1) > percent)
    return (True, int(np.nanargmin(val[: hits[0] + 1]))) if len(hits) else (False, None)


def final_over_best(case: Case, factor: float = 1.05) -> Called:
    """Last validation loss above 1.05 times its lowest; onset: the lowest."""
    val = case.costs[1]
    if not np.isfinite(val).any() or not val[-1] > factor * np.nanmin(val):
        return False, None
    return True, int(np.nanargmin(val))


def smoothed_final_over_best(case: Case, width: int = 11, factor: float = 1.05) -> Called:
    """As `final_over_best`, of the moving mean over 11 epochs: of the widths tried, the best on the real ones."""
    val = case.costs[1]
    if len(val) < width or np.isnan(val).any():
        return False, None
    smooth = np.convolve(val, np.ones(width) / width, mode="valid")
    return bool(smooth[-1] > factor * smooth.min()), int(smooth.argmin()) + width // 2


def spearman_with_epoch(case: Case) -> Called:
    """Validation loss rises with the epoch: rank correlation above 0."""
    val = case.costs[1]
    return _rank_correlation(np.arange(len(val)), val) > 0, None


def spearman_with_train(case: Case) -> Called:
    """Validation rises while training falls: rank correlation of both losses below 0 [6]_."""
    return _rank_correlation(*case.costs) < 0, None


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return 0.0
    return float(spearmanr(one[known], other[known]).statistic)


RULES: dict[str, Rule] = {
    "SageMaker Overfit": sagemaker,
    "skore SKD001": skore,
    "W&B style, last value": run_summary,
    "EarlyStopping, 10": early_stopping_10,
    "EarlyStopping, 20": early_stopping_20,
    "Prechelt GL5": generalisation_loss,
    "final > 1.05 x best": final_over_best,
    "the same, smoothed": smoothed_final_over_best,
    "Spearman epoch, val": spearman_with_epoch,
    "Spearman train, val": spearman_with_train,
}
