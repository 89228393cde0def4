"""A map over threads that gives up on work that stands still: file systems of remotes have waits of their own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from copilot.errors import ToolError

Item = TypeVar("Item")
Tick = Callable[[], None]
_GLANCE_S = 0.2


class StalledError(ToolError):
    """Nothing moved for too long."""


def impatient_map(
    function: Callable[[Item, Tick], Any], items: Sequence[Item], *, workers: int, patience_s: float
) -> Iterator[tuple[int, Any, Exception | None]]:
    """Apply `function` to each item in daemon threads, and give results as they come.

    A thread that hangs cannot be stopped; being a daemon it does not hold up the end of the program. What is done and
    not yet taken is bounded, so that a slow reader keeps memory small.

    Parameters
    ----------
    function : callable
        Takes an item and a function to call whenever something has moved.
    items : sequence
    workers : int
        Threads, at most.
    patience_s : float
        Seconds in which anything has to move.

    Yields
    ------
    tuple
        Position of the item, its result, and the error that it raised or None.

    Raises
    ------
    StalledError
        Nothing moved for `patience_s`.
    """
    work = _Work(function, items, workers)
    for _ in range(min(workers, len(items))):
        threading.Thread(target=work.run, daemon=True, name="dvc-remote").start()
    try:
        for _ in items:
            yield work.take(patience_s)
    finally:
        work.stopped.set()


class _Work:
    def __init__(self, function: Callable[[Any, Tick], Any], items: Sequence[Any], workers: int) -> None:
        self.function, self.items = function, items
        self.stopped = threading.Event()
        self._todo = iter(range(len(items)))
        self._lock = threading.Lock()
        self._done: queue.Queue[tuple[int, Any, Exception | None]] = queue.Queue(maxsize=2 * workers)
        self._moved = time.monotonic()

    def run(self) -> None:
        while not self.stopped.is_set():
            with self._lock:
                at = next(self._todo, None)
            if at is None:
                return
            try:
                outcome = at, self.function(self.items[at], self.tick), None
            except Exception as error:  # carried to the thread that asks
                outcome = at, None, error
            self._put(outcome)

    def tick(self) -> None:
        self._moved = time.monotonic()

    def take(self, patience_s: float) -> tuple[int, Any, Exception | None]:
        self.tick()  # the time that the reader took does not count
        while True:
            try:
                return self._done.get(timeout=min(_GLANCE_S, patience_s))
            except queue.Empty:
                if time.monotonic() - self._moved > patience_s:
                    raise StalledError(f"Nothing came for {patience_s:.0f} s.") from None

    def _put(self, outcome: tuple[int, Any, Exception | None]) -> None:
        while not self.stopped.is_set():
            try:
                self._done.put(outcome, timeout=_GLANCE_S)
                return self.tick()
            except queue.Full:
                continue
        return None
