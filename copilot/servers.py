"""One scan over several tracking servers at once; one that fails loses nothing of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from copilot.errors import CopilotError, JobCancelled, ToolError
from copilot.results import AnalysisList
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text, without_credentials

Progress = Callable[[float, str], None] | None
MOST_AT_ONCE = 8


def scan_servers(
    uris: Sequence[str], scan: Callable[[str, Progress], AnalysisList], progress: Progress = None
) -> AnalysisList:
    """Scan each store and put the results together, in the order of the addresses.

    Parameters
    ----------
    uris : sequence of str
        Tracking URIs; each is scanned once.
    scan : callable
        Takes a URI and a progress callable; called in several threads.
    progress : callable, optional
        Called with a fraction from 0 to 1 of the whole, and a line.

    Returns
    -------
    AnalysisList
        ``failed`` also holds the stores that gave nothing, by their address; ``comparisons`` what the runs of each
        store say together.

    Raises
    ------
    CopilotError
        No store gave anything: a `ToolError` if all of them are out of reach, else what was wrong with the first.
    """
    unique = list(dict.fromkeys(uris))
    shares = _Shares(len(unique), progress)

    def one(numbered: tuple[int, str]) -> AnalysisList | CopilotError:
        number, uri = numbered
        try:
            return scan(uri, shares.of(number))
        except JobCancelled:
            raise
        except CopilotError as error:
            return error
        finally:
            shares.done(number)

    found = parallel_map(one, list(enumerate(unique)), workers=min(len(unique), MOST_AT_ONCE))
    told = {uri: clean_text(without_credentials(uri)) for uri in unique}
    together = AnalysisList()
    for uri, results in zip(unique, found, strict=True):
        if isinstance(results, CopilotError):
            together.failed[told[uri]] = str(results)
            continue
        together.extend(results)
        together.failed.update({f"{run_id} in {told[uri]}": reason for run_id, reason in results.failed.items()})
        if results.comparison is not None:
            together.comparisons[told[uri]] = results.comparison
    errors = [error for error in found if isinstance(error, CopilotError)]
    if errors and len(errors) == len(found):
        raise next((error for error in errors if not isinstance(error, ToolError)), errors[0])
    return together


class _Shares:
    """Joins the progress of several scans; a scan that the person cancels ends the others at their next report."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._parts, self._progress, self._lock = [0.0] * count, progress, threading.Lock()

    def of(self, number: int) -> Progress:
        return (lambda fraction, line: self._tell(number, fraction, line)) if self._progress else None

    def done(self, number: int) -> None:
        self._parts[number] = 1.0

    def _tell(self, number: int, fraction: float, line: str) -> None:
        with self._lock:
            self._parts[number] = fraction
            if self._progress:
                self._progress(sum(self._parts) / len(self._parts), f"{line} (server {number + 1})")
