"""Examine a model: each step in a supervised process of its own, its result kept by model, data and settings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from copilot.core.findings import Outcome
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.deepchecks.catalogue import SUITE_CODE
from copilot.integrations.deepchecks_runner import run_suite
from copilot.integrations.examination.request import MODEL_CODE, MODEL_TITLE, Asked, Examination, Request
from copilot.integrations.examination.result_cache import cached, content_of, key_of
from copilot.integrations.examination.sets import CREDENTIALS, local, needs_credentials, sources_of
from copilot.integrations.models.external_weights import files_of
from copilot.integrations.models.files import fetch_model
from copilot.integrations.models.forms import needs_unpickling
from copilot.integrations.models.spec import ModelFiles
from copilot.plugins import PROBES, versions_of
from copilot.utils.code_mark import code_mark
from copilot.utils.config import Settings
from copilot.utils.sandbox import Isolation, isolation_available
from copilot.utils.supervise import run_supervised
from copilot.utils.validators import clean_text

Progress = Callable[[float, str], None] | None
REPORT = "deepchecks.html"
_NOT_ASKED = {"model_uri", "suite", "html_report"}
_CHILD = "copilot.integrations.examination"
_TOOLS = ("torch", "torchvision", "captum", "onnxruntime", "weightwatcher", "numpy")  # another version, another result
_JUDGES = ("deepchecks", "scikit-learn", "torch", "numpy", "pandas")


def examine(request: Request, settings: Settings, *, refresh: bool = False, progress: Progress = None) -> Examination:
    """Ask a model about two image sets, probe it, and run a suite of Deepchecks.

    Parameters
    ----------
    request : Request
    settings : Settings
        Limits, samples, how models and images are opened.
    refresh : bool, default False
        Do it again, whatever is in the cache.
    progress : callable, optional
        Called with a fraction and a line; ``JobCancelled`` from it ends the work at once.

    Raises
    ------
    InputError
        No such model, images, suite or probe, or they do not fit together. A step that fails in another way, or exceeds
        a limit, is an outcome of the state ``error``.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as downloads:
        step = _Steps(request, settings, refresh, progress, Path(downloads))
        try:
            step.look()
        except ToolError as error:  # images that cannot even be listed within the limits
            return Examination(outcomes=(_stopped(error),), computed=("model",))
        asked, predictions = step.ask()
        suite, report = step.run_deepchecks(predictions) if request.suite else ((), None)
        return Examination(
            outcomes=(*asked.outcomes, *suite),
            pictures=asked.pictures,
            html_report=report,
            computed=tuple(step.computed),
        )


@dataclass
class _Steps:
    request: Request
    settings: Settings
    refresh: bool
    progress: Progress
    downloads: Path
    computed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sources = sources_of(self.settings)
        here = {side: local(getattr(self.request, side), self.settings) for side in ("train", "test")}
        said = self.request.predictions
        given = said and tuple(str(Path(name).expanduser().absolute()) for name in said)
        self.request = self.request.model_copy(update={**here, "predictions": given})
        self.named = list(here.values())
        self.limits = {
            "timeout_s": self.settings.probes.timeout_s,
            "memory_limit_gb": self.settings.probes.memory_limit_gb,
            "section": "probes",
        }
        self.keys = CREDENTIALS if needs_credentials(*self.named) else ()

    def look(self) -> None:
        """See which images there are."""
        payload = {"named": self.named, "sources": self.sources, "task": self.request.task}
        told = self._part(0.0, 0.02)
        found = run_supervised(f"{_CHILD}.looking:run", payload, **self.limits, pass_env=self.keys, progress=told)
        self.data, self.roots = found["data"], found["roots"]

    def ask(self) -> tuple[Asked, Path | None]:
        """The probes' outcomes, and the folder that holds the predictions; None where the step failed."""
        request, settings = self.request, self.settings
        model = self._fetched()
        payload = {
            "request": request.model_dump(mode="json"),
            "model": model and model.model_dump(mode="json"),
            "sources": self.sources,
            "models": settings.models.model_dump(mode="json"),
            "samples": max(settings.probes.max_samples, settings.deepchecks.max_samples if request.suite else 0),
            "probed": settings.probes.max_samples,
            "threads": settings.executor.workers,
        }
        key = key_of(self._followed(payload, model))

        def compute(folder: Path) -> tuple[dict[str, Any], bool]:
            options = {**self.limits, **self._trust(model), "collect": folder}
            told = self._part(0.02, 0.5 if request.suite else 1.0)
            found = _asked(run_supervised(f"{_CHILD}.asking:run", payload, **options, progress=told), request)
            return found.model_dump(mode="json"), all(outcome.state != "error" for outcome in found.outcomes)

        try:
            options = {"spare": self.downloads / "asked", "is_whole": partial(_is_whole, request)}
            step = cached("asked", key, compute, **options, refresh=self.refresh)
        except ToolError as error:
            self.computed.append("model")
            return Asked(outcomes=(_stopped(error),)), None
        self.computed += ["model"] * step.computed
        return Asked.model_validate(step.result), step.folder

    def run_deepchecks(self, predictions: Path | None) -> tuple[tuple[Outcome, ...], Path | None]:
        """The suite's outcomes, and the page that Deepchecks made of them."""
        request, settings = self.request, self.settings
        files = (predictions / "train.npz", predictions / "test.npz") if predictions else None
        follows = {
            "settings": settings.deepchecks.model_dump(mode="json", exclude={"timeout_s", "memory_limit_gb"}),
            "asked": [request.suite, request.task, request.seed, request.html_report],
            "data": self.data,
            "versions": _versions(_JUDGES),
            "said": content_of(files or ()),
        }

        def compute(folder: Path) -> tuple[dict[str, Any], bool]:
            found = run_suite(
                request.train,
                request.test,
                files,
                suite=str(request.suite),
                settings=settings.deepchecks,
                images={**self.sources, "task": request.task},
                html_path=folder / REPORT if request.html_report else None,
                progress=self._part(0.5 if self.computed else 0.02, 1.0),
                seed=request.seed,
                pass_env=self.keys,
            )
            kept = all(outcome.code != SUITE_CODE for outcome in found.outcomes)
            return found.model_dump(mode="json", include={"outcomes"}), kept

        spare = self.downloads / "deepchecks"
        options = {"spare": spare, "is_whole": lambda result: bool(result.get("outcomes"))}
        step = cached("deepchecks", key_of(follows), compute, **options, refresh=self.refresh)
        self.computed += ["deepchecks"] * step.computed
        report = step.folder / REPORT
        kept = report if report.is_file() and step.folder != spare else None
        return tuple(Outcome.model_validate(item) for item in step.result["outcomes"]), kept

    def _fetched(self) -> ModelFiles | None:
        if self.request.predictions is not None:
            return None
        if not self.request.model_uri:
            raise InputError("No model was named.", "Name one, or files of its predictions for both sets.")
        if self.progress:
            self.progress(0.02, "Fetching the model")
        mlflow = self.settings.mlflow
        return fetch_model(
            self.request.model_uri, tracking_uri=mlflow.tracking_uri, settings=mlflow, folder=self.downloads
        )

    def _trust(self, model: ModelFiles | None) -> dict[str, Any]:
        """A child that may unpickle a model is isolated; another gets the keys of remotes if it reads from one."""
        unpickles = model is not None and self.settings.models.allow_pickle and needs_unpickling(model)
        if not unpickles or isolation_available() is not None:
            return {"pass_env": self.keys}
        for named, paths in zip(self.named, self.roots, strict=True):
            if paths is None:
                raise InputError(
                    f"A pickled model is isolated: it cannot read {clean_text(named)}.",
                    "Bring the images into a folder, or log the model with serialization_format='pt2'.",
                )
        return {"isolation": Isolation(read=[*files_of(model), *(Path(p) for paths in self.roots for p in paths)])}

    def _followed(self, payload: dict[str, Any], model: ModelFiles | None) -> dict[str, Any]:
        """What a result follows from: not what things are called, where they lie, or how fast the machine is."""
        given = [Path(name).expanduser() for name in self.request.predictions or ()]
        for path in given:
            if not path.exists():
                raise NotFoundError(f"There is no file {clean_text(path)}.", "Check the path of the predictions.")
        asked = {name: value for name, value in payload["request"].items() if name not in _NOT_ASKED}
        return {
            **payload,
            "model": model and model.params,
            "sources": None,
            "threads": 0,
            "request": {**asked, "train": "", "test": "", "predictions": None},
            "data": self.data,
            "versions": {**_versions(_TOOLS), **versions_of(PROBES)},
            "content": content_of(files_of(model) if model else given),
        }

    def _part(self, low: float, high: float) -> Progress:
        told = self.progress
        return (lambda fraction, line: told(low + (high - low) * fraction, line)) if told else None


def _stopped(error: ToolError) -> Outcome:
    """A step that came to no end, as a finding."""
    return Outcome(code=MODEL_CODE, title=MODEL_TITLE, state="error", summary=clean_text(error, 400))


def _asked(answer: dict[str, Any], request: Request) -> Asked:
    """The answer of a process that may have run a stranger's code.

    Raises
    ------
    ToolError
        It is not of the form that it must have.
    """
    try:
        asked = Asked.model_validate(answer)
    except ValidationError as error:
        raise ToolError(
            "The process that asked the model gave no proper answer.", "Do not trust this model."
        ) from error
    if len({o.code for o in asked.outcomes}) != len(asked.outcomes) or len(asked.outcomes) != len(request.probes) + 1:
        raise ToolError("The process that asked the model answered what was not asked.", "Do not trust this model.")
    return asked


def _is_whole(request: Request, result: dict[str, Any]) -> bool:
    try:
        return bool(_asked(result, request).outcomes)
    except ToolError:
        return False


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {"mlops-copilot": code_mark()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found
