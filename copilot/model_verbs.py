"""The analyzer's verbs about models and their images: validate, batch, after_training."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.errors import InputError, JobCancelled
from copilot.group_verbs import GroupVerbs
from copilot.utils.sections import as_list
from copilot.utils.validators import clean_text, home_folder
from copilot.workbench import PROBES, Progress

if TYPE_CHECKING:
    from copilot.batching import BatchResult, Entry, Validated
    from copilot.integrations.examination.request import Examination, Request
    from copilot.probes.base import Probe
    from copilot.results import AnalysisResult
    from copilot.utils.config import Settings

NONE = "none"


class ModelVerbs(GroupVerbs):
    """What `CopilotAnalyzer` does with models and images."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self._thresholds_of(PROBES) or self._mutes_of(PROBES):
            self.probes  # noqa: B018 - wrong thresholds are told at once

    def validate(
        self,
        model_uri: str | None = None,
        train: str | Path | None = None,
        test: str | Path | None = None,
        *,
        suite: str | None = None,
        probes: Sequence[str] | None = None,
        predictions: tuple[str | Path, str | Path] | None = None,
        task: str | None = None,
        seed: int = 0,
        refresh: bool = False,
        progress: Progress = None,
    ) -> AnalysisResult:
        """Probe a model with two image sets and run a suite of Deepchecks; findings beside those of its curves.

        Parameters
        ----------
        model_uri : str, optional
            MLflow model URI, bare run id, or the path of a model; left out where `predictions` are given.
        train, test : str or Path, optional
            Image sets: a folder with one folder a class, a CSV manifest, an .npz, COCO or YOLO files, ``dvc:REV:PATH``
            or ``mlflow:RUN_ID#CONTEXT``; see `images.opening.open_images`. Default: the data sets that the run logged.
        suite : str, optional
            Default: ``deepchecks.suite`` of the settings; ``none`` runs none.
        probes : sequence of str, optional
            Names of probes. Default: ``probes.run`` of the settings, which is all of them; ``["none"]`` runs none.
        predictions : (str, str), optional
            Files of predictions for the training and the validation images, instead of a model.
        task : {"classification", "detection", "segmentation"}, optional
            What the labels are for, where a set may be read in several ways, such as COCO. Default: ``task`` of
            ``models.preprocessing``, else as the sets are.
        seed : int, default 0
            Fixes which images of large sets are looked at.
        refresh : bool, default False
            Do it again, though nothing has changed since the last time.
        progress : callable, optional
            Called with a fraction from 0 to 1 and a line.

        Raises
        ------
        InputError
            No such model, images, suite or probe, or they do not fit together.
        """
        model_uri = None if model_uri is None else str(model_uri)
        if seed < 0:
            raise InputError(f"The seed {seed} is negative.", "Pass 0 or more.")
        train, test = self._sets(model_uri, train, test)
        request = self._request(model_uri, train, test, suite, probes, predictions, task, seed)
        found = self._examined(request, refresh, progress)
        result = self._with_curves(model_uri, found)
        result.computed = found.computed
        return self._written([result])[0]

    def batch(self, plan: str | Path, *, refresh: bool = False, progress: Progress = None) -> BatchResult:
        """Validate many models on many image sets, in parallel; what is done already is not done again.

        Parameters
        ----------
        plan : str or Path
            YAML file, as `batching.read_plan` describes it.
        refresh : bool, default False
            Do everything again.

        Raises
        ------
        InputError
            The plan cannot be read. A model that fails is a row with its reason.
        """
        from copilot.batching import read_plan, run_batch

        stop = threading.Event() if self.settings.executor.kind == "local" else None
        work = partial(_validated, type(self), self.settings, refresh, stop)
        try:
            return run_batch(self.settings, read_plan(plan), work, progress)
        finally:
            if stop is not None:
                stop.set()  # what is under way ends at its next word

    def suites(self) -> tuple[str, ...]:
        """Names of the Deepchecks suites that `validate` runs."""
        from copilot.integrations.deepchecks.plan import suite_names

        return tuple(suite_names(self.settings.deepchecks))

    @cached_property
    def probes(self) -> list[Probe]:
        """Every probe with its thresholds."""
        from copilot.plugins import third_party_probes
        from copilot.probes.loading import load_probes

        return load_probes(self._thresholds_of(PROBES), self._mutes_of(PROBES), third_party_probes())

    def deepchecks_report(self, result: AnalysisResult) -> Path | None:
        """The page that Deepchecks made of a result of `validate`, if it was kept and is still there."""
        kept = result.analysis.provenance.artifacts.get("deepchecks_report")
        home = home_folder().resolve()
        place = (home / kept).resolve() if kept else None
        return place if place is not None and place.is_relative_to(home) and place.is_file() else None

    def _sets(self, model_uri: str | None, train: str | Path | None, test: str | Path | None) -> tuple[str, str]:
        """The image sets by name: those of the run where none were named."""
        if train is not None and test is not None:
            return str(train), str(test)
        if model_uri is None or not self.settings.mlflow.tracking_uri:
            raise InputError("Image sets are missing.", "Name the training and the validation images: --train, --test.")
        run_id = self.source.resolve(model_uri).run_id
        return str(train or f"mlflow:{run_id}#training"), str(test or f"mlflow:{run_id}#validation")

    def _request(
        self,
        model_uri: str | None,
        train: str,
        test: str,
        suite: str | None,
        probes: Sequence[str] | None,
        predictions: tuple[str | Path, str | Path] | None,
        task: str | None,
        seed: int,
    ) -> Request:
        from copilot.integrations.deepchecks.plan import planned
        from copilot.integrations.examination.request import Request
        from copilot.probes.loading import chosen

        settings, wanted = self.settings, suite or self.settings.deepchecks.suite
        if wanted != NONE:
            planned(wanted, settings.deepchecks)  # a wrong name is told before the model is asked
        names = settings.probes.run if probes is None else as_list(probes)
        if model_uri and predictions:
            raise InputError("A model and predictions were given.", "Pass one of them.")
        return Request(
            model_uri=model_uri,
            predictions=tuple(map(str, predictions)) if predictions else None,
            train=train,
            test=test,
            suite=None if wanted == NONE else wanted,
            probes=tuple(probe.name for probe in chosen(self.probes, names)),
            checks=self._thresholds_of(PROBES),
            ignore=self._mutes_of(PROBES),
            task=task or settings.models.preprocessing.get("task"),
            seed=seed,
            html_report=settings.deepchecks.html_report,
        )

    def _examined(self, request: Request, refresh: bool, progress: Progress) -> Examination:
        from copilot.integrations.examination.examine import examine

        return examine(request, self.settings, refresh=refresh, progress=progress)

    def _with_curves(self, model_uri: str | None, found: Examination) -> AnalysisResult:
        """The run's own analysis with what was found; a model without readable curves is inconclusive."""
        extra = {"extra": found.outcomes, "pictures": found.pictures, "artifacts": _artifacts(found)}
        if self.settings.mlflow.tracking_uri and model_uri:
            try:
                resolved = self.source.resolve(model_uri)
                return self._analyse_one(resolved.run_id, kind="model", model_uri=resolved.model_uri, **extra)
            except InputError:
                pass  # a model file, or a run without curves: what was found stands alone
        from copilot.core.history import RunHistory

        subject = {"kind": "model", "model_uri": clean_text(model_uri) if model_uri else None}
        return self._analyse([RunHistory.empty()], [subject], **extra)[0]

    def _thresholds_of(self, family: str) -> dict[str, dict]:
        return {code: own for code, own in self.settings.detection.checks.items() if code.startswith(family)}

    def _mutes_of(self, family: str) -> dict[str, str]:
        return {code: why for code, why in self.settings.detection.ignore.items() if code.startswith(family)}


def _validated(
    kind: type[ModelVerbs], settings: Settings, refresh: bool, stop: threading.Event | None, entry: Entry
) -> Validated:
    """An entry of a batch, in whatever thread or process."""
    from copilot.batching import Validated

    def told(fraction: float, line: str) -> None:
        if stop is not None and stop.is_set():
            raise JobCancelled("The batch was stopped.")

    analyzer = kind(settings)
    try:
        given = entry.model_dump(exclude={"name", "on", "model"})
        result = analyzer.validate(entry.model, **given, refresh=refresh, progress=told)
    finally:
        analyzer.close()
    return Validated(result.to_json(indent=None), not result.computed, result.not_looked_at, result.not_written)


def _artifacts(found: Examination) -> dict[str, str]:
    """Files that were kept, by what they are: paths below the home folder."""
    report = found.html_report
    return {"deepchecks_report": report.relative_to(home_folder()).as_posix()} if report else {}
