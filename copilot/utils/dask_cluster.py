"""Work on a Dask cluster: the one that the settings name, else one of this process, closed to everybody else."""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from copilot.errors import MissingExtraError, ToolError
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from distributed import Client, Future

    from copilot.utils.config import ExecutorSettings

CONNECT_S = 5.0
LOOK_S = 2.0  # between two looks whether anybody works
STALLED_S = 30.0  # without a worker
AHEAD = 4  # tasks a thread of the cluster that are sent ahead

_clients: dict[tuple[int, str | None, int], Client] = {}
_starting = threading.Lock()


def results_in_order(
    task: Callable[[Any], Any], items: Sequence[Any], executor: ExecutorSettings, limit: int = 0
) -> Iterator[Any]:
    """What `task` gives for each item, in order; closing the iterator cancels the rest.

    Parameters
    ----------
    task : callable
        Travels by pickle, as its items and results do; its errors are its own to catch.
    items : sequence
    executor : ExecutorSettings
    limit : int, default 0
        At most this many at a time; 0 means as many as the cluster has threads, and a few in its queue.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    ToolError
        The cluster cannot be reached or started, is lost on the way, has no workers, or cannot run the task.
    """
    client = _client(executor)
    room = limit or AHEAD * max(1, _threads(client))
    waiting, running, done, due = enumerate(items), {}, {}, 0
    try:
        while due < len(items):
            for place, item in islice(waiting, room - len(running)):
                running[client.submit(task, item, pure=False)] = place
            for future in _finished(client, running):
                done[running.pop(future)] = _result(future)
            while due in done:
                yield done.pop(due)
                due += 1
    finally:
        _cancel(client, running)


def close() -> None:
    """Close the clusters that this process has started, and its connections to others."""
    while _clients:
        (process, *_), client = _clients.popitem()
        if process == os.getpid():
            _ended(client)


def _client(executor: ExecutorSettings) -> Client:
    """A connection that works; made once a process for each cluster."""
    try:
        import distributed  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingExtraError("executor.kind: dask", "dask") from error
    place = (os.getpid(), executor.address, executor.workers)
    with _starting:
        if (known := _clients.get(place)) is not None and known.status == "running":
            return known
        if not _clients:
            atexit.register(close)
        _clients[place] = _connected(executor.address) if executor.address else _own(executor.workers)
        return _clients[place]


def _connected(address: str) -> Client:
    """A connection to a scheduler; made in a thread, since Dask waits forever for one that accepts and says nothing."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told by our errors
    made: list[Client] = []

    def connect() -> None:
        with contextlib.suppress(Exception):  # whatever answers there, it is no scheduler of ours
            made.append(Client(address, timeout=CONNECT_S, set_as_default=False, name="mlops-copilot"))

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(1.5 * CONNECT_S)
    if not made:
        raise ToolError(
            f"No Dask scheduler answers at {clean_text(address)}.",
            "Is it running there, with the same version of Dask? See executor.address in the settings.",
        )
    return made[0]


def _own(workers: int) -> Client:
    """A cluster of processes on loopback, by TLS with keys that only this process and its children have."""
    from distributed import Client, LocalCluster

    if multiprocessing.current_process().daemon:
        raise ToolError(
            "A process that multiprocessing started cannot start a Dask cluster.",
            "Put your script's code under `if __name__ == '__main__':`, or name a cluster in executor.address.",
        )
    try:
        cluster = LocalCluster(
            n_workers=workers or None,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            security=True,
            silence_logs=logging.CRITICAL,
        )
        return Client(cluster, timeout=CONNECT_S, set_as_default=False)
    except (OSError, RuntimeError, ImportError) as error:
        raise ToolError(
            f"A local Dask cluster did not start: {clean_text(error).rstrip('.')}.",
            "A script needs its code under `if __name__ == '__main__':`; or set executor.kind: local.",
        ) from error


def _threads(client: Client) -> int:
    try:
        return sum(client.nthreads().values())
    except (OSError, TimeoutError):
        return 0


def _finished(client: Client, running: Collection[Future]) -> Collection[Future]:
    """Wait for the next that is done, as long as there is anybody who works."""
    from distributed import wait
    from distributed.client import FuturesCancelledError

    worked = time.monotonic()
    while True:
        try:
            with client.as_current():
                return wait(list(running), timeout=LOOK_S, return_when="FIRST_COMPLETED").done
        except FuturesCancelledError as error:
            raise _lost() from error
        except TimeoutError:
            if client.status != "running":
                raise _lost() from None
            now = time.monotonic()
            worked = now if _threads(client) else worked
            if now - worked > STALLED_S:
                raise ToolError(
                    "The Dask cluster has no workers.", "Start some, or set executor.kind: local."
                ) from None


def _result(future: Future) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result(timeout=CONNECT_S)
    except KilledWorker as error:
        raise ToolError("A Dask worker died, probably for lack of memory.", "Use fewer workers.") from error
    except (FutureCancelledError, OSError, TimeoutError) as error:
        raise _lost() from error
    except Exception as error:  # the task's own errors do not come this way
        raise ToolError(
            f"The workers of the Dask cluster cannot run this: {clean_text(error)}.",
            "They need the same versions of Python and mlops-copilot as this process.",
        ) from error


def _lost() -> ToolError:
    return ToolError("The Dask cluster went away before the work was done.", "See its scheduler's log, and try again.")


def _cancel(client: Client, running: Collection[Future]) -> None:
    if running and client.status == "running":
        client.cancel(list(running), force=True)


def _ended(client: Client) -> None:
    cluster = client.cluster
    try:
        client.close(timeout=CONNECT_S)
        if cluster is not None:
            cluster.close(timeout=CONNECT_S)
    except (OSError, TimeoutError, RuntimeError):
        logging.getLogger(__name__).debug("a Dask cluster did not close in time")
