"""One measurement of `mlflow_scan.py`, in a process of its own.

    python -m benchmarks._mlflow_measures NAME URI EXPERIMENT SAMPLE

The clock starts when libraries are imported, the client is made and the experiment has been found. The last line of
the output is JSON: seconds, runs, points (0 where a measurement counts none) and verdicts.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Work = Callable[[], dict[str, Any]]


def naive(uri: str, experiment: str, sample: int, threads: int = 1) -> Work:
    """What most scripts do: list the runs, then ask for each metric of each run."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id

    def read(run: Any) -> int:
        return sum(len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics)

    def work() -> dict[str, Any]:
        runs = client.search_runs([experiment_id], max_results=sample)
        if threads == 1:
            return {"runs": len(runs), "points": sum(map(read, runs))}
        with ThreadPoolExecutor(threads) as pool:
            return {"runs": len(runs), "points": sum(pool.map(read, runs))}

    return work


def histories(uri: str, experiment: str, sample: int) -> Work:
    """Ours: every run as aligned curves, all in memory at the end."""
    source = _analyzer(uri).source
    source.experiments()  # loads what is loaded when first used

    def work() -> dict[str, Any]:
        read = source.histories(source.runs(experiment))
        sides = (side for history in read.values() for pair in history.pairs for side in (pair.train, pair.val))
        return {"runs": len(read), "points": sum(map(len, sides))}

    return work


def scan(uri: str, experiment: str, sample: int) -> Work:
    """Ours: every run judged and all compared."""
    from copilot import RunHistory

    analyzer = _analyzer(uri)
    analyzer.source.experiments()
    falling = [1 / n for n in range(1, 30)]
    analyzer.analyze_history(RunHistory.from_arrays(train_loss=falling, val_loss=falling))

    def work() -> dict[str, Any]:
        found = analyzer.scan(experiment)
        return {"runs": len(found), "points": 0, "verdicts": Counter(r.diagnosis.verdict for r in found)}

    return work


def limit(uri: str, experiment: str, sample: int) -> Work:
    """The least that can be done with a file: all points into a pandas frame, then one array a run and metric."""
    import sqlite3

    import pandas as pd

    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))

    def work() -> dict[str, Any]:
        frame = pd.read_sql_query("SELECT run_uuid, key, step, value FROM metrics", connection)
        groups = frame.groupby(["run_uuid", "key"], sort=False)["value"]
        arrays = {name: values.to_numpy() for name, values in groups}
        return {"runs": len({run for run, _ in arrays}), "points": sum(map(len, arrays.values()))}

    return work


def naive_threads(uri: str, experiment: str, sample: int) -> Work:
    return naive(uri, experiment, sample, threads=8)


MEASURES = {made.__name__: made for made in (naive, naive_threads, histories, scan, limit)}


def _analyzer(uri: str) -> Any:
    from copilot import CopilotAnalyzer
    from copilot.utils.config import Settings

    return CopilotAnalyzer(Settings(mlflow={"tracking_uri": uri}))


def main(name: str, uri: str, experiment: str, sample: str) -> None:
    work = MEASURES[name](uri, experiment, int(sample))
    started = time.perf_counter()
    found = work()
    print(json.dumps({"seconds": time.perf_counter() - started, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
