"""What each version's own client writes. Run by the Python of that version; the tests read the same constants.

Each line on stdin is ``URI<tab>ARTIFACT FOLDER``; the answer, on a line of its own, is the ids as JSON. Without an
artifact folder the store is only opened.
"""

from __future__ import annotations

import json
import random
import sys

START_MS = 1_700_000_000_000
EPOCHS = range(12)
NAN_EPOCH, INF_EPOCH, TWICE = 3, 6, 4
TRAIN = {e: 1 / (e + 1) for e in EPOCHS}
VAL = {e: 0.5 + (e - 5) ** 2 / 50 for e in EPOCHS} | {NAN_EPOCH: float("nan"), INF_EPOCH: float("inf")}
ODD = {"nan": float("nan"), "inf": float("inf"), "minus inf": float("-inf"), "tiny": 5e-324}
EXPERIMENT, LOCAL_EXPERIMENT = "digits, <b>first</b> try", "artifacts beside the store"
PARAMS = {"lr": "0.1", "optimizer/name": "sgd ü"}
TAGS = {
    "team": "vision",
    "notes/hostile": "<script>\x1b[31m \u202ehi",
    "mlflow.note.content": "Looks *good*.\n\nKeep it.",
}
MODEL, DESCRIPTION, VERSION_TAGS = "digit net", "the first\none", {"approved by": "ana"}
FILES = {"config.json": '{"a": 1}', "plots/deep/curve.txt": "0 1 2"}
DATASET = ("digits", "d41d8", "training", "data/train")


def points() -> list[tuple[str, float, int, int]]:
    """Rows of (name, value, milliseconds, step), out of order; one step is logged again, later, with another value."""
    rows = [("train_loss", v, START_MS + 1000 * e, e) for e, v in TRAIN.items()]
    rows += [("val_loss", v, START_MS + 1000 * e + 500, e) for e, v in VAL.items()]
    rows += [("system/cpu", 50.0, START_MS + 1000 * e, e) for e in EPOCHS]
    rows += [(f"system/{name}", value, START_MS, 0) for name, value in ODD.items()]
    rows.append(("train_loss", 99.0, START_MS + 1000 * TWICE - 500, TWICE))
    random.Random(0).shuffle(rows)
    return rows


def write(uri: str, artifacts: str) -> dict[str, str]:
    """Write runs, artifacts and a registered model; ids by what they are."""
    import mlflow
    from mlflow.tracking import MlflowClient

    version = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri, registry_uri=uri)
    ids = {"mlflow": mlflow.__version__, "experiment": client.create_experiment(EXPERIMENT)}
    _runs(client, ids)
    for path, text in FILES.items():
        client.log_text(ids["main"], text, path)
    ids["local_experiment"] = client.create_experiment(LOCAL_EXPERIMENT, artifact_location=artifacts)
    ids["local"] = _run(client, ids["local_experiment"], "beside")
    one_by_one = client.create_experiment("judged one by one", artifact_location=f"{artifacts}-too")
    ids["tagged"] = _run(client, one_by_one, "to be tagged", TAGS)
    if version >= (2, 4):
        _dataset(client, ids["main"])
    if not uri.startswith("file:") or version >= (2, 0):
        _registry(client, ids, version)
    if version >= (3, 0):
        _logged_model(client, ids)
    return ids


def open_store(uri: str) -> dict[str, str]:
    """Open a store, which makes its tables."""
    from mlflow.tracking import MlflowClient

    MlflowClient(uri).get_experiment("0")
    return {}


def _runs(client, ids: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    experiment = ids["experiment"]
    ids["main"] = client.create_run(experiment, start_time=START_MS, run_name="wide net").info.run_id
    rows = points()
    for name, value, time, step in rows[:5]:
        client.log_metric(ids["main"], name, value, time, step)
    metrics = [Metric(*row) for row in rows[5:]]
    params, tags = [Param(*p) for p in PARAMS.items()], [RunTag(*t) for t in TAGS.items()]
    client.log_batch(ids["main"], metrics, params, tags)
    client.set_terminated(ids["main"], end_time=START_MS + 60_000)
    ids["child"] = _run(client, experiment, "fold 1", {"mlflow.parentRunId": ids["main"]}, "FAILED")
    ids["deleted"] = _run(client, experiment, "mistake")
    client.delete_run(ids["deleted"])
    ids["restored"] = _run(client, experiment, "no mistake")
    client.delete_run(ids["restored"])
    client.restore_run(ids["restored"])


def _run(client, experiment: str, name: str, tags: dict[str, str] | None = None, status: str = "FINISHED") -> str:
    from mlflow.entities import Metric

    run_id = client.create_run(experiment, start_time=START_MS + 1000, tags=tags, run_name=name).info.run_id
    metrics = [Metric("train_loss", v, START_MS + e, e) for e, v in TRAIN.items()]
    metrics += [Metric("val_loss", v + 0.1, START_MS + e, e) for e, v in TRAIN.items()]
    client.log_batch(run_id, metrics)
    client.set_terminated(run_id, status, end_time=START_MS + 90_000)
    return run_id


def _dataset(client, run_id: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, digest, context, place = DATASET
    data = Dataset(name=name, digest=digest, source_type="local", source=json.dumps({"uri": place}))
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", context)])])


def _registry(client, ids: dict[str, str], version: tuple[int, ...]) -> None:
    client.create_registered_model(MODEL)
    for run, told in ((ids["main"], DESCRIPTION), (ids["child"], None), (ids["main"], None)):
        tags = VERSION_TAGS if told else None
        client.create_model_version(MODEL, "s3://bucket/model", run, tags=tags, description=told)
    client.delete_model_version(MODEL, "3")
    if version < (3, 0):
        client.transition_model_version_stage(MODEL, "1", "Production")
    if version >= (2, 3):
        client.set_registered_model_alias(MODEL, "champion", "1")
    if version >= (2, 21):
        client.register_prompt("a-prompt", "Say {{this}}.")
    client.create_registered_model("empty")


def _logged_model(client, ids: dict[str, str]) -> None:
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(ids["experiment"], name="net", source_run_id=ids["main"])
    client.log_outputs(ids["main"], [LoggedModelOutput(model.model_id, 0)])
    ids["model"] = model.model_id


if __name__ == "__main__":
    for line in sys.stdin:
        uri, artifacts = line.rstrip("\n").split("\t")
        answer = write(uri, artifacts) if artifacts else open_store(uri)
        print("@" + json.dumps(answer), flush=True)  # noqa: T201
