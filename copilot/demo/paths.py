"""Where the parts of a demo lie, and whether it is complete. Light: interfaces may import it at any time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

EXPERIMENT = "digits-cnn"
MODEL_NAME = "digits-cnn"
CHAMPION = "champion"
IMAGES = "images"
_FORMAT = 1


@dataclass(frozen=True)
class DemoPaths:
    """A demo: everything that opens it.

    Attributes
    ----------
    folder : Path
        Holds everything below.
    tracking_uri : str
        SQLite address of the MLflow store.
    experiment : str
        Name of the MLflow experiment.
    data_repo : Path
        Git and DVC repository with the images.
    answer_key : Path
        JSON: run id -> name, condition and the verdicts that are right. Nothing of it is in MLflow.
    config_file : Path
        Settings file that points at all of it.
    """

    folder: Path
    tracking_uri: str
    experiment: str
    data_repo: Path
    answer_key: Path
    config_file: Path

    @classmethod
    def of(cls, folder: Path) -> DemoPaths:
        """The paths of a demo in `folder`, whether or not it has been built."""
        folder = Path(folder).expanduser().resolve()
        return cls(
            folder=folder,
            tracking_uri=f"sqlite:///{(folder / 'mlflow.db').as_posix()}",
            experiment=EXPERIMENT,
            data_repo=folder / "data",
            answer_key=folder / "answer_key.json",
            config_file=folder / "mlops_copilot_config.yaml",
        )

    @property
    def marker(self) -> Path:
        """Says that the folder is a demo's, and whether building it was finished."""
        return self.folder / "demo.json"

    @property
    def artifacts(self) -> Path:
        return self.folder / "mlartifacts"

    @property
    def data_remote(self) -> Path:
        """Local DVC remote."""
        return self.folder / "dvc_remote"

    def state(self) -> dict[str, object]:
        """What the marker says; empty if there is none that can be read."""
        try:
            found = json.loads(self.marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def is_complete(self) -> bool:
        """Whether a finished demo of this version lies here; a folder that was moved has to be built anew."""
        state = self.state()
        return state.get("complete") is True and (state.get("format"), state.get("folder")) == (
            _FORMAT,
            str(self.folder),
        )

    def mark(self, seed: int, complete: bool, process: dict[str, float] | None = None) -> None:
        """Write the marker; `process` is the id and start time of the process that is building."""
        state = {"format": _FORMAT, "folder": str(self.folder), "seed": seed, "complete": complete, "process": process}
        self.marker.write_text(json.dumps(state), encoding="utf-8")
