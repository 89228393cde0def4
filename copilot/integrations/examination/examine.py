"""Examine a model: each step in a supervised process of its own, its result kept by model, data and settings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from copilot import __version__
from copilot.core.findings import Outcome
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.deepchecks.catalogue import SUITE_CODE
from copilot.integrations.deepchecks_runner import SuiteResult, run_suite
from copilot.integrations.examination.request import MODEL_CODE, MODEL_TITLE, Asked, Examination, Request
from copilot.integrations.examination.result_cache import cached, content_of, key_of
from copilot.integrations.examination.sets import CREDENTIALS, local, needs_credentials, open_set, roots, sources_of
from copilot.integrations.models.files import fetch_model
from copilot.integrations.models.spec import ModelFiles
from copilot.utils.config import Settings
from copilot.utils.sandbox import Isolation, isolation_available
from copilot.utils.supervise import run_supervised
from copilot.utils.validators import clean_text

Progress = Callable[[float, str], None] | None
REPORT = "deepchecks.html"
_NOT_ASKED = {"model_uri", "suite", "html_report"}
_ASKING = "copilot.integrations.examination.asking:run"


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
        self.request = self.request.model_copy(update=here)
        self.sets = [open_set(named, self.sources) for named in here.values()]
        self.data = [images.fingerprint() for images in self.sets]

    def ask(self) -> tuple[Asked, Path | None]:
        """The probes' outcomes, and the folder that holds the predictions; None where the step failed."""
        request, settings = self.request, self.settings
        model = self._fetched()
        samples = max(settings.probes.max_samples, settings.deepchecks.max_samples if request.suite else 0)
        payload = {
            "request": request.model_dump(mode="json"),
            "model": model and model.model_dump(mode="json"),
            "sources": self.sources,
            "models": settings.models.model_dump(mode="json"),
            "samples": samples,
            "probed": settings.probes.max_samples,
            "threads": settings.executor.workers,
        }
        follows = {**payload, "data": self.data, "version": __version__, "content": self._content(model)}
        failed: list[ToolError] = []

        def compute(folder: Path) -> dict[str, Any] | None:
            limits = {"timeout_s": settings.probes.timeout_s, "memory_limit_gb": settings.probes.memory_limit_gb}
            told = self._part(0.0, 0.5 if request.suite else 1.0)
            try:
                return run_supervised(
                    _ASKING,
                    payload,
                    **limits,
                    **self._trust(model),
                    collect=folder,
                    progress=told,
                    section="probes",
                )
            except ToolError as error:
                failed.append(error)
                return None

        result, folder, computed = cached("asked", key_of(_what_matters(follows)), compute, self.refresh)
        if computed:
            self.computed.append("model")
        if result is None:
            outcome = Outcome(code=MODEL_CODE, title=MODEL_TITLE, state="error", summary=str(failed[0]))
            return Asked(outcomes=(outcome,)), None
        return Asked.model_validate(result), folder

    def run_deepchecks(self, predictions: Path | None) -> tuple[tuple[Outcome, ...], Path | None]:
        """The suite's outcomes, and the page that Deepchecks made of them."""
        request, settings = self.request, self.settings
        files = (predictions / "train.npz", predictions / "test.npz") if predictions else None
        limits = ("timeout_s", "memory_limit_gb")
        own = settings.deepchecks.model_dump(mode="json", exclude=set(limits))
        asked = {"suite": request.suite, "seed": request.seed, "html": request.html_report}
        said = [content_of(file) for file in files or ()]
        follows = {"settings": own, "asked": asked, "data": self.data, "version": __version__, "said": said}
        failed: list[SuiteResult] = []

        def compute(folder: Path) -> dict[str, Any] | None:
            found = run_suite(
                request.train,
                request.test,
                files,
                suite=str(request.suite),
                settings=settings.deepchecks,
                images=self.sources,
                html_path=folder / REPORT if request.html_report else None,
                progress=self._part(0.5 if self.computed else 0.0, 1.0),
                seed=request.seed,
                pass_env=CREDENTIALS if needs_credentials(request.train, request.test) else (),
            )
            if any(o.code == SUITE_CODE for o in found.outcomes):
                failed.append(found)
                return None
            return found.model_dump(mode="json", include={"outcomes"})

        result, folder, computed = cached("deepchecks", key_of(follows), compute, self.refresh)
        if computed:
            self.computed.append("deepchecks")
        if result is None:
            return failed[0].outcomes, None
        report = folder / REPORT if folder and (folder / REPORT).is_file() else None
        return tuple(Outcome.model_validate(item) for item in result["outcomes"]), report

    def _fetched(self) -> ModelFiles | None:
        if self.request.predictions is not None:
            return None
        if not self.request.model_uri:
            raise InputError("No model was named.", "Name one, or files of its predictions for both sets.")
        mlflow = self.settings.mlflow
        return fetch_model(
            self.request.model_uri, tracking_uri=mlflow.tracking_uri, settings=mlflow, folder=self.downloads
        )

    def _trust(self, model: ModelFiles | None) -> dict[str, Any]:
        """A child that may unpickle a model is isolated; another gets the keys of remotes if it reads from one."""
        named = (self.request.train, self.request.test)
        if model is not None and self.settings.models.allow_pickle and isolation_available() is None:
            paths = [path for name, images in zip(named, self.sets, strict=True) for path in roots(name, images)]
            return {"isolation": Isolation(read=[Path(model.path), *paths])}
        return {"pass_env": CREDENTIALS} if needs_credentials(*named) else {}

    def _content(self, model: ModelFiles | None) -> list[str]:
        named = self.request.predictions or ()
        paths = [Path(model.path)] if model else [Path(name).expanduser() for name in named]
        for path in paths:
            if not path.exists():
                raise NotFoundError(f"There is no file {clean_text(path)}.", "Check the path of the predictions.")
        return [content_of(path) for path in paths]

    def _part(self, low: float, high: float) -> Progress:
        told = self.progress
        return (lambda fraction, line: told(low + (high - low) * fraction, line)) if told else None


def _what_matters(follows: dict[str, Any]) -> dict[str, Any]:
    """What a result follows from: not what the model was called, where its files were brought to, or the suite."""
    model = follows["model"] and {"params": follows["model"]["params"]}
    asked = {name: value for name, value in follows["request"].items() if name not in _NOT_ASKED}
    return {**follows, "model": model, "request": asked, "threads": 0}
