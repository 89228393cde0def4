"""The analyzer's verbs about data: versions, what moved, what is in a set, leaked and mislabelled images, lineage."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from copilot.errors import InputError, NotFoundError
from copilot.model_verbs import ModelVerbs
from copilot.utils.validators import clean_text
from copilot.workbench import DATA, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

    from copilot.core.checks.base import BaseCheck
    from copilot.core.data.documents import DescribedData, DuplicatedData
    from copilot.core.data.set_comparison import SetComparison
    from copilot.core.data.validation_size import Scores
    from copilot.core.datasets import DataComparison, DataProject, DataVersion
    from copilot.core.findings import Outcome, Picture
    from copilot.core.lineage import DataChange, Lineage, RunsByVersion
    from copilot.core.pipelines import Pipeline, ValueTable
    from copilot.integrations.dvc_manager import DvcManager
    from copilot.integrations.images.base import ImageSet
    from copilot.integrations.inspection.comparison import DriftChecks
    from copilot.results import AnalysisResult


class DataVerbs(ModelVerbs):
    """What `CopilotAnalyzer` does with data.

    Image sets are named as for `validate`: a folder, a table, arrays, COCO or YOLO files, ``dvc:REV:PATH``,
    ``mlflow:RUN_ID#CONTEXT``.
    """

    def data_projects(self, folder: str | Path | None = None) -> list[DataProject]:
        """DVC projects below a folder; default: the one of the settings, else the working folder."""
        from copilot.integrations.dvc.projects import find_projects

        return find_projects(Path(folder or self.settings.dvc.repo or "."))

    def data_versions(self, path: str | None = None) -> list[DataVersion]:
        """Revisions in which a DVC-tracked folder changed, newest first."""
        return self._dvc.versions(self._data_path(path))

    def compare_data(
        self, rev_a: str, rev_b: str, path: str | None = None, *, progress: Progress = None
    ) -> DataComparison:
        """What changed in a DVC-tracked folder between two revisions, from its file lists; nothing is checked out."""
        return self._dvc.compare(self._data_path(path), rev_a, rev_b)

    def data_image(self, name: str, rev: str, path: str | None = None) -> Image:
        """One picture of a DVC-tracked folder as it was in a revision; `name` is its path inside the folder."""
        return self._dvc.open_image(f"{self._data_path(path)}/{name}", rev)

    def data_drift(
        self, a: str, b: str, *, refresh: bool = False, pictures: bool = True, seed: int = 0, progress: Progress = None
    ) -> SetComparison:
        """What moved from one image set to another: image properties, class shares, and features of the images.

        Parameters
        ----------
        a, b : str
            Image sets: the reference, and what is compared with it. Two revisions of one folder
            (``dvc:REV:PATH``) are compared by what is new.
        refresh : bool, default False
            Measure images again that are known by their content.
        pictures : bool, default True
            Show images of both sides.
        seed : int, default 0
            Of the random samples.

        Raises
        ------
        InputError
            No such set, or not one image of it can be read.
        """
        from copilot.core.data.documents import sourced
        from copilot.integrations.inspection.comparison import compare_sets
        from copilot.utils.names import in_words

        found = compare_sets(
            self._images(a),
            self._images(b),
            names=tuple(clean_text(name, 60) for name in in_words(a, b)),
            checks=self._drift_checks(),
            executor=self.settings.executor,
            refresh=refresh,
            pictures=pictures,
            seed=seed,
            progress=progress,
        )
        source = f"{clean_text(a, 60)} / {clean_text(b, 60)}"
        return found.model_copy(update={"outcomes": tuple(sourced(o, source) for o in found.outcomes)})

    def describe_data(self, named: str, *, refresh: bool = False, progress: Progress = None) -> DescribedData:
        """What is in an image set: counts, sizes, properties, corrupt files and duplicates, with pictures."""
        from copilot.core.data.documents import DescribedData
        from copilot.integrations.inspection.describe import describe

        found, pictures = describe(
            self._images(named), executor=self.settings.executor, refresh=refresh, progress=progress
        )
        return DescribedData(description=found, pictures=pictures)

    def duplicates(
        self, train: str, val: str, *, refresh: bool = False, seed: int = 0, progress: Progress = None
    ) -> DuplicatedData:
        """Validation images that are in training too, as they are or changed a little, with sheets of the pairs."""
        from copilot.core.data.documents import DuplicatedData, sourced
        from copilot.core.data.duplicates import Duplicates
        from copilot.integrations.inspection.duplicates import judge_duplicates

        check = next(c for c in self.data_checks if isinstance(c, Duplicates))
        a, b = self._images(train), self._images(val)
        options = {"executor": self.settings.executor, "refresh": refresh, "seed": seed, "progress": progress}
        outcome, pictures = judge_duplicates(a, b, check, **options)
        outcome = sourced(outcome, f"{a.origin} / {b.origin}")
        return DuplicatedData(a=a.origin, b=b.origin, outcome=outcome, pictures=pictures)

    def inspect_data(
        self,
        train: str | None = None,
        val: str | None = None,
        *,
        run_id: str | None = None,
        predictions: str | Path | None = None,
        groups_pattern: str | None = None,
        refresh: bool = False,
        seed: int = 0,
        progress: Progress = None,
    ) -> AnalysisResult:
        """Look in the images for causes of overfitting; the findings stand beside those of the run's curves.

        Parameters
        ----------
        train, val : str, optional
            Image sets. Default: the data sets that the run logged.
        run_id : str, optional
            The run that was trained on them.
        predictions : str or Path, optional
            File of a model's predictions for the validation images.
        groups_pattern : str, optional
            Regular expression that finds the group (patient, video, camera) in an image's name.
        refresh : bool, default False
            Measure images again that are known by their content.
        seed : int, default 0

        Raises
        ------
        InputError
            No such set or run, or the predictions do not fit.
        """
        from copilot.core.data.documents import sourced

        named = self._sets(run_id, train, val)
        a, b = map(self._images, named)
        scores = self._scores_of(run_id) if run_id else None
        found = self._inspected(a, b, scores, predictions, groups_pattern, refresh, seed, progress)
        outcomes = [sourced(outcome, f"{a.origin} / {b.origin}") for outcome, _ in found]
        pictures = [picture for _, shown in found for picture in shown]
        if run_id is not None:
            result = self._analyse_one(run_id, kind="run", model_uri=None, extra=outcomes, pictures=pictures)
            return self._written([result])[0]
        from copilot.core.history import RunHistory

        subject = {"kind": "data", "run_name": f"{a.origin} and {b.origin}"}
        return self._analyse([RunHistory.empty()], [subject], outcomes, pictures, checks=())[0]

    def lineage(self, run_id: str) -> Lineage:
        """Where a run's data came from: commit, DVC files, version, remote; what is missing is said.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        from copilot.integrations.lineage import lineage_of

        return lineage_of(self.source, run_id, self._dvc_if_there())

    def runs_by_data(self, experiment: str | None = None, path: str | None = None) -> RunsByVersion:
        """Runs of an experiment by the version of the data that they used."""
        from copilot.integrations.lineage import runs_by_version

        return runs_by_version(
            self.source, self._experiment(experiment), self._dvc, path or self.settings.dvc.data_path
        )

    def data_change(self, run_a: str, run_b: str, path: str | None = None) -> DataChange:
        """What moved in the data between two runs."""
        from copilot.integrations.lineage import data_change

        return data_change(self.source, run_a, run_b, self._dvc, path)

    def pipeline(self, rev: str = "HEAD") -> Pipeline:
        """The stages of the DVC project in a revision, and what they need of each other."""
        return self._dvc.pipeline(rev)

    def params_across(self, revs: Sequence[str], *, metrics: bool = False, progress: Progress = None) -> ValueTable:
        """Parameters of the DVC project over revisions; with `metrics`, its metrics."""
        across = self._dvc.metrics_across if metrics else self._dvc.params_across
        return across(list(revs), progress)

    @cached_property
    def data_checks(self) -> list[BaseCheck]:
        """Every check of image sets with its thresholds."""
        from copilot.core.data import load_data_checks

        return load_data_checks(self._thresholds_of(DATA), self._mutes_of(DATA))

    @cached_property
    def _dvc(self) -> DvcManager:
        from copilot.integrations.dvc_manager import DvcManager

        dvc = self.settings.dvc
        return DvcManager(dvc.repo, dvc.remote, patience_s=dvc.patience_s, keep_copies=dvc.keep_copies)

    def _dvc_if_there(self) -> DvcManager | None:
        try:
            return self._dvc
        except InputError:
            return None

    def _data_path(self, path: str | None) -> str:
        chosen = path or self.settings.dvc.data_path
        if not chosen:
            raise InputError("No data path was named.", "Pass --path, or set dvc.data_path in the settings.")
        return chosen

    def _images(self, named: str) -> ImageSet:
        from copilot.integrations.images.opening import open_images

        settings = self.settings
        return open_images(str(named), images=settings.images, dvc=settings.dvc, mlflow=settings.mlflow)

    def _scores_of(self, run_id: str) -> Scores | None:
        """What the run's curves say of its scores; a run without readable curves says nothing."""
        from copilot.core.data.validation_size import Scores

        names = self.settings.metrics.rules
        try:
            history = self.source.history(run_id, train_pattern=names.train, val_pattern=names.val)
        except NotFoundError:
            raise
        except InputError:
            return None
        return Scores.of_run(history)

    def _drift_checks(self) -> DriftChecks:
        from copilot.core.data.embedding_drift import EmbeddingDrift
        from copilot.core.data.label_drift import LabelDrift
        from copilot.core.data.property_drift import PropertyDrift
        from copilot.integrations.inspection.comparison import DriftChecks

        own = {type(check): check for check in self.data_checks}
        return DriftChecks(own[PropertyDrift], own[LabelDrift], own[EmbeddingDrift])

    def _inspected(
        self,
        train: ImageSet,
        val: ImageSet,
        scores: Scores | None,
        predictions: str | Path | None,
        groups_pattern: str | None,
        refresh: bool,
        seed: int,
        progress: Progress,
    ) -> list[tuple[Outcome, tuple[Picture, ...]]]:
        from copilot.integrations.inspection.inspect import inspect_sets
        from copilot.integrations.predictions_files import read_predictions

        return inspect_sets(
            train,
            val,
            self.data_checks,
            predictions=read_predictions(predictions, val) if predictions else None,
            scores=scores,
            groups_pattern=groups_pattern,
            ignore=self._mutes_of(DATA),
            executor=self.settings.executor,
            refresh=refresh,
            seed=seed,
            progress=progress,
        )
