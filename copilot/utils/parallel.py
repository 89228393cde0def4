"""One parallel map for the whole package, by joblib or on a Dask cluster: order, progress, cancel, the first error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from copilot.errors import ToolError

if TYPE_CHECKING:
    from copilot.utils.config import ExecutorSettings

Item = TypeVar("Item")
Result = TypeVar("Result")
_BACKENDS = {"threads": "threading", "processes": "loky"}


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 0,
    progress: Callable[[float, str], None] | None = None,
    backend: Literal["threads", "processes"] = "threads",
    unit: str = "items",
    executor: ExecutorSettings | None = None,
) -> list[Result]:
    """Apply `function` to each item.

    Parameters
    ----------
    function : callable
        Takes one item. With processes or Dask, it, the items and the results travel by pickle.
    items : iterable
    workers : int, default 0
        At most this many at a time; 0 means as `executor` says, else one per core. 1 works here without a pool.
    progress : callable, optional
        Called with a fraction from 0 to 1 and a line such as "3 of 40 runs", in the order of the items. What it raises
        (`JobCancelled`) ends the map: items that wait are dropped, those under way are not waited for.
    backend : {"threads", "processes"}, default "threads"
        Threads for waiting (servers, files) and NumPy; processes for plain Python, not from a Streamlit script.
    unit : str, default "items"
        What to call the items in the progress line.
    executor : ExecutorSettings, optional
        The person's ``executor`` setting; with Dask the work goes to that cluster whatever the `backend`. Pass it for
        work that can leave this machine.

    Returns
    -------
    list
        One result for each item, in the order of `items`.

    Raises
    ------
    Exception
        The error of the first item, in order, that failed; a `ToolError` if a worker process died, or if a Dask cluster
        is out of reach.
    """
    todo = list(items)
    if not todo:
        return []
    limit = workers or (executor.workers if executor else 0)
    if executor is not None and executor.kind == "dask":
        outcomes = _on_dask(function, todo, workers, executor)
    else:
        outcomes = _on_this_machine(function, todo, limit, backend)
    results: list[Result] = []
    with contextlib.closing(outcomes):
        for result, error in outcomes:
            if error is not None:
                raise error
            results.append(result)
            if progress:
                progress(len(results) / len(todo), f"{len(results)} of {len(todo)} {unit}")
    return results


def _on_this_machine(
    function: Callable[[Any], Any], todo: Sequence[Any], limit: int, backend: str
) -> Generator[tuple[Any, Exception | None]]:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    count = min(limit or joblib.cpu_count(), len(todo))
    pool = joblib.Parallel(n_jobs=count, backend=_BACKENDS[backend], return_as="generator", batch_size=1)
    with contextlib.closing(pool(joblib.delayed(_attempt)(function, item) for item in todo)) as outcomes:
        try:
            yield from outcomes
        except TerminatedWorkerError as error:
            raise ToolError("A worker process died, probably for lack of memory.", "Use fewer workers.") from error


def _on_dask(
    function: Callable[[Any], Any], todo: Sequence[Any], limit: int, executor: ExecutorSettings
) -> Generator[tuple[Any, Exception | None]]:
    from copilot.utils.dask_cluster import results_in_order

    yield from results_in_order(partial(_attempt, function), todo, executor, limit)


def _attempt(function: Callable[[Any], Any], item: Any) -> tuple[Any, Exception | None]:
    try:
        return function(item), None
    except Exception as error:  # carried home, so that the first in order is raised and not the first in time
        return None, error
