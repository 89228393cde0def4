"""Curves of many runs from a tracking server: in bulk where it can, one metric at a time where it cannot.

MLflow's own UI reads the curves of up to 100 runs in one request (from 2.0 on). Its answers are cut at 25,000 points
without a word, so requests are planned to stay below, and what comes is held against the latest values of the run list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from copilot.core.pairs import LoggedSeries
from copilot.errors import CopilotError, OutOfReachError
from copilot.integrations.mlflow.records import RunInfo, make_series
from copilot.integrations.mlflow.transport import PATIENCE, MissingEndpointError, Transport
from copilot.utils.parallel import parallel_map

BULK_RUNS = 100  # runs that the server takes in one request, and
BULK_POINTS = 25_000  # points that it gives in one answer
FILL = 0.8  # of these are asked for, since how many there are is an estimate
PAGE_POINTS = 25_000
SPARSE_FROM = 1000  # a last step from here on may count batches: one run is read first, to see how many points it has
GIVE_UP_AFTER = 3  # refusals, without an answer before
WORKERS = 4  # more do not make a server faster
_UI = "/ajax-api/2.0/mlflow/"

Points = np.ndarray  # of shape (3, n): values, steps, milliseconds since 1970


@dataclass(frozen=True)
class Wanted:
    """One metric of some runs; `latest` has step and milliseconds of each run's latest value."""

    key: str
    latest: dict[str, tuple[float, float]] = field(default_factory=dict)


class ServerHistories:
    """Reads curves from one server, and remembers what it can."""

    def __init__(self, server: Transport) -> None:
        self._server = server
        self._bulk: bool | None = None  # not known before it was tried
        self._density: dict[str, float] = {}  # points for each step, by metric, as seen so far
        self._most = BULK_RUNS
        self._refused = 0
        self._lost: OutOfReachError | None = None

    def read(
        self, runs: Sequence[RunInfo], keys: Mapping[str, Sequence[str]]
    ) -> Iterator[tuple[RunInfo, list[LoggedSeries] | CopilotError]]:
        """The metrics in `keys` (names by run id) of each run, in the order of `runs`.

        Once the server is out of reach, the runs that are left get that error without being asked for.
        """
        self._lost = None
        found: dict[str, dict[str, Points | CopilotError]] = {run.run_id: {} for run in runs}
        for jobs in (self._scouts, self._planned):
            todo = jobs(runs, {r.run_id: [k for k in keys[r.run_id] if k not in found[r.run_id]] for r in runs})
            for answer in parallel_map(self._answered, todo, workers=WORKERS):
                for (run_id, key), points in answer.items():
                    found[run_id][key] = points
        for run in runs:
            yield run, _series(run, found[run.run_id])

    def _scouts(self, runs: Sequence[RunInfo], keys: Mapping[str, Sequence[str]]) -> list[Wanted]:
        """For each metric with large steps, of which nothing is known yet, the run that went furthest."""
        furthest: dict[str, RunInfo] = {}
        for run in runs:
            for key in keys[run.run_id]:
                step = run.latest[key][0]
                if key not in self._density and step >= max(SPARSE_FROM, _step_of(furthest.get(key), key)):
                    furthest[key] = run
        return [Wanted(key, {run.run_id: run.latest[key]}) for key, run in furthest.items()]

    def _planned(self, runs: Sequence[RunInfo], keys: Mapping[str, Sequence[str]]) -> list[Wanted]:
        """Requests, those of neighbouring runs together; runs that may overfill one are few in each."""
        open_jobs: dict[str, Wanted] = {}
        filled: dict[str, float] = {}
        jobs: list[Wanted] = []
        for run in runs:
            for key in keys[run.run_id]:
                size = self._expected(key, run.latest[key][0])
                job = open_jobs.get(key)
                if job is None or len(job.latest) >= BULK_RUNS or filled[key] + size > FILL * BULK_POINTS:
                    job = open_jobs[key] = Wanted(key)
                    filled[key] = 0.0
                    jobs.append(job)
                job.latest[run.run_id] = run.latest[key]
                filled[key] += size
        return jobs

    def _expected(self, key: str, last_step: float) -> float:
        """How many points a metric may have: one a step, unless other runs had fewer."""
        steps = min(max(last_step, 0.0) + 1.0, 1e9) if np.isfinite(last_step) else 1e9
        return max(steps * self._density.get(key, 1.0), 1.0)

    def _answered(self, job: Wanted) -> dict[tuple[str, str], Points | CopilotError]:
        whole = self._in_bulk(job) if self._bulk is not False and len(job.latest) > 1 else {}
        alone = {run_id: self._alone(run_id, job.key) for run_id in job.latest if run_id not in whole}
        self._learn(job, {**whole, **{run_id: p for run_id, p in alone.items() if not isinstance(p, CopilotError)}})
        return {(run_id, job.key): points for run_id, points in {**whole, **alone}.items()}

    def _in_bulk(self, job: Wanted) -> dict[str, Points]:
        """Runs that came whole; none where the server has no such endpoint or breaks over it."""
        whole: dict[str, Points] = {}
        left = sorted(job.latest)
        while len(left) > 1 and self._most > 1 and self._lost is None:
            asked = left[: self._most]
            try:
                came, size = self._bulk_answer(asked, job.key)
            except OutOfReachError:
                # It may have been too much in one answer; if not, the next request tells.
                self._most = min(self._most, len(asked) // 10)
                continue
            except MissingEndpointError:
                self._bulk = False
                break
            except CopilotError:
                self._refused += 1
                if self._bulk is None and self._refused >= GIVE_UP_AFTER:
                    self._bulk = False
                break
            self._bulk = True
            # Answers are sorted by run: where one is full, its last run may be cut, and those after it are missing.
            last = max(came, default="") if size >= BULK_POINTS else None
            cut = [run_id for run_id in asked if last is not None and run_id >= last]
            for run_id in set(asked) - set(cut):
                if run_id in came and _reaches(came[run_id], job.latest[run_id]):
                    whole[run_id] = came[run_id]
            if cut == asked:
                break
            left = cut + left[len(asked) :]
        return whole

    def _bulk_answer(self, run_ids: list[str], key: str) -> tuple[dict[str, Points], int]:
        answer = self._server.call(
            "GET", "metrics/get-history-bulk", {"run_id": run_ids, "metric_key": key}, api=_UI, patience=PATIENCE
        )
        return self._server.parsed(lambda: (_by_run(answer.get("metrics", [])), len(answer.get("metrics", []))))

    def _alone(self, run_id: str, key: str) -> Points | CopilotError:
        if self._lost is not None:
            return self._lost
        query = {"run_id": run_id, "run_uuid": run_id, "metric_key": key, "max_results": PAGE_POINTS}
        try:
            pages = self._server.pages("GET", "metrics/get-history", query)
            return self._server.parsed(
                lambda: np.concatenate([_columns(page.get("metrics", [])) for page in pages], axis=1)
            )
        except OutOfReachError as error:
            self._lost = error
            return error
        except CopilotError as error:
            return error

    def _learn(self, job: Wanted, read: Mapping[str, Points]) -> None:
        ratios = [points.shape[1] / (max(job.latest[run_id][0], 0.0) + 1.0) for run_id, points in read.items()]
        if ratios:
            self._density[job.key] = float(np.clip(np.max(ratios), 1e-9, 1e3))


def _series(run: RunInfo, points: dict[str, Points | CopilotError]) -> list[LoggedSeries] | CopilotError:
    failed = next((p for p in points.values() if isinstance(p, CopilotError)), None)
    return failed or [make_series(key, *points[key]) if key in points else make_series(key) for key in run.latest]


def _step_of(run: RunInfo | None, key: str) -> float:
    return run.latest[key][0] if run else 0.0


def _by_run(rows: list[dict[str, Any]]) -> dict[str, Points]:
    """Points of each run; rows of a run come one after another."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["run_id"], []).append(row)
    return {run_id: _columns(own) for run_id, own in found.items()}


def _columns(rows: list[dict[str, Any]]) -> Points:
    columns = [row["value"] for row in rows], [row.get("step", 0) for row in rows], [row["timestamp"] for row in rows]
    return np.array(columns, dtype=float)


def _reaches(points: Points, latest: tuple[float, float]) -> bool:
    """Whether the latest value that the run list gave is among the points, or a later one."""
    step, time = latest
    later = (points[1] > step) | ((points[1] == step) & (points[2] >= time))
    return bool(later.any())
