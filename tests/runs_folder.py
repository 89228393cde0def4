"""A folder of MLflow runs as text files, for tests that need runs and no MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.core.curves import healthy, overfitting

EXPERIMENT = "cv_model_analysis"
RUNS = {"steady": "a" * 32, "climbing": "b" * 32, "no curves": "c" * 32}
CURVES = {"steady": healthy(), "climbing": overfitting(n=60, onset=20)}


def curves_of(name: str) -> dict[str, list[float]]:
    """The series of one of `CURVES`, by logged name."""
    pair = CURVES[name].pairs[0]
    return {"train_loss": pair.train.tolist(), "val_loss": pair.val.tolist()}


def write_csv(path: Path, series: Mapping[str, Sequence[object]]) -> Path:
    """A CSV file with an epoch column that counts from 0."""
    rows = [",".join(["epoch", *series])]
    rows += [",".join(map(str, (i, *row))) for i, row in enumerate(zip(*series.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_runs(folder: Path) -> Path:
    """Two runs with curves and one without, in one experiment; the same curves as `write_csv` would write."""
    experiment = folder / "1"
    experiment.mkdir(parents=True)
    (experiment / "meta.yaml").write_text(
        f"artifact_location: {experiment}\ncreation_time: 1700000000000\nexperiment_id: '1'\n"
        f"last_update_time: 1700000000000\nlifecycle_stage: active\nname: {EXPERIMENT}\n"
    )
    for at, (name, run_id) in enumerate(RUNS.items()):
        run = experiment / run_id
        for part in ("metrics", "params", "tags", "artifacts"):
            (run / part).mkdir(parents=True)
        (run / "meta.yaml").write_text(
            f"artifact_uri: {run}/artifacts\nend_time: {1700000060000 + at}\nentry_point_name: ''\nexperiment_id: '1'\n"
            f"lifecycle_stage: active\nrun_id: {run_id}\nrun_name: {name}\nrun_uuid: {run_id}\nsource_name: ''\n"
            f"source_type: 4\nsource_version: ''\nstart_time: {1700000000000 + at}\nstatus: 3\ntags: []\nuser_id: me\n"
        )
        for metric, values in (curves_of(name) if name in CURVES else {}).items():
            lines = [f"{1700000000000 + 1000 * i} {value!r} {i}" for i, value in enumerate(values)]
            (run / "metrics" / metric).write_text("\n".join(lines) + "\n")
    return folder
