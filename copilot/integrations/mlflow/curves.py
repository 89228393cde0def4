"""From a store's runs to their curves: what is worth reading, what there is a copy of, and the history they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from copilot.core.alignment import EPOCH_NAMES
from copilot.core.history import RunHistory
from copilot.core.naming import parse_metric_name
from copilot.core.pairs import LoggedSeries
from copilot.errors import CopilotError
from copilot.integrations.mlflow.records import RunInfo
from copilot.integrations.mlflow.stores import Store
from copilot.utils.name_rules import Patterns
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.integrations.history_cache import HistoryCache


def is_wanted(name: str, train: Patterns, val: Patterns) -> bool:
    """Whether a metric is a curve or an axis of one; others need not be read."""
    return name.lower() in EPOCH_NAMES or parse_metric_name(clean_text(name), train, val) is not None


def read_series(
    store: Store, cache: HistoryCache | None, runs: Sequence[RunInfo], wanted: Callable[[str], bool], refresh: bool
) -> Iterator[tuple[str, list[LoggedSeries] | CopilotError]]:
    """Series by run id, from the local copy where it is as new as the run; `refresh` reads all from the store."""
    known = cache.load(runs, wanted) if cache and not refresh else {}
    yield from known.items()
    read: list[tuple[RunInfo, list[LoggedSeries]]] = []
    for run, series in store.series([run for run in runs if run.run_id not in known], wanted):
        yield run.run_id, series
        if not isinstance(series, CopilotError):
            read.append((run, series))
    if cache:
        cache.save(read, wanted)


def as_history(
    run: RunInfo, series: list[LoggedSeries] | CopilotError, train: Patterns, val: Patterns
) -> RunHistory | CopilotError:
    """The history that a run's series make, or why they make none."""
    if isinstance(series, CopilotError):
        return series
    try:
        told = ["The run is deleted in MLflow."] if run.deleted else []
        # Stores list metrics in orders of their own; a tie between names is to end alike in all of them.
        return RunHistory.from_series(
            sorted(series, key=lambda one: one.name),
            name=run.name,
            params=run.params,
            train_pattern=train,
            val_pattern=val,
            warnings=told,
        )
    except CopilotError as error:
        return error
