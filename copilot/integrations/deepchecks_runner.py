"""Deepchecks suites on a model and two image folders, in a supervised child; Deepchecks is not imported here."""

from __future__ import annotations

import difflib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from copilot.core.findings import Document, Outcome
from copilot.errors import InputError, NotFoundError
from copilot.integrations.deepchecks.catalogue import CUSTOM_CHECKS, SUITES, codes_of
from copilot.utils.config import DeepchecksSettings, MlflowSettings
from copilot.utils.supervise import run_supervised
from copilot.utils.validators import clean_text

_CHILD = "copilot.integrations.deepchecks.child:run"


class SuiteResult(Document):
    """The outcomes of a suite, one a check.

    ``html_report`` is the path of Deepchecks' own report if one was asked for, ``skipped`` lists image files that could
    not be read, ``n_train`` and ``n_test`` count the images that were looked at.
    """

    suite: str
    outcomes: tuple[Outcome, ...]
    n_train: int
    n_test: int
    skipped: tuple[str, ...] = ()
    html_report: str | None = None
    duration_s: float = 0.0


def run_suite(
    model_uri: str,
    train: str | Path,
    test: str | Path,
    *,
    suite: str,
    settings: DeepchecksSettings,
    tracking_uri: str | None,
    allow_pickle: bool = False,
    html_path: str | Path | None = None,
    progress: Callable[[float, str], None] | None = None,
    mlflow: MlflowSettings | None = None,
    seed: int = 0,
) -> SuiteResult:
    """Run a suite of Deepchecks.

    Parameters
    ----------
    model_uri : str
        As in `models.files.fetch_model`.
    train, test : str or Path
        Folders with one sub-folder of images per class.
    suite : str
        One of ``SUITES``.
    settings : DeepchecksSettings
        Limits of the process, size of the samples, checks of ours.
    tracking_uri : str or None
        MLflow store of the model; not needed for the path of a model.
    allow_pickle : bool, default False
        Load pickled models too (``models.allow_pickle``).
    html_path : str or Path, optional
        Where Deepchecks' own report goes, about 5 MB and a few seconds.
    progress : callable, optional
        Called with a fraction and a line; ``JobCancelled`` from it stops the suite at once.
    mlflow : MlflowSettings, optional
        Timeouts of the model's store.
    seed : int, default 0
        Fixes which images are looked at.

    Raises
    ------
    InputError
        No such suite, folder or model, or the model and the images do not fit.
    ToolError
        The suite crashed or exceeded a limit.
    """
    begin = time.monotonic()
    _known(suite)
    for folder in (train, test):
        if not Path(folder).expanduser().is_dir():
            raise NotFoundError(f"Image folder not found: {clean_text(folder)}", "It needs one sub-folder per class.")
    report = Path(html_path).expanduser().resolve() if html_path else None
    if report and not report.parent.is_dir():
        raise NotFoundError(f"There is no folder {clean_text(report.parent)}.", "Make it first.")
    with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as downloads:
        from copilot.integrations.models.files import fetch_model

        files = fetch_model(model_uri, tracking_uri=tracking_uri, settings=mlflow, folder=Path(downloads))
        payload = {
            "model": files.model_dump(mode="json"),
            "train": str(Path(train).expanduser().resolve()),
            "test": str(Path(test).expanduser().resolve()),
            "suite": suite,
            "max_samples": settings.max_samples,
            "seed": seed,
            "allow_pickle": allow_pickle,
            "html": str(report) if report else None,
        }
        answer = run_supervised(
            _CHILD,
            payload,
            timeout_s=settings.timeout_s,
            memory_limit_gb=settings.memory_limit_gb,
            progress=progress,
            section="deepchecks",
        )
    outcomes = [Outcome.model_validate(item) for item in answer["outcomes"]]
    return SuiteResult(
        suite=suite,
        outcomes=(*outcomes, *_not_yet(settings.custom_checks)),
        n_train=answer["n_train"],
        n_test=answer["n_test"],
        skipped=tuple(answer["skipped"]),
        html_report=str(report) if report else None,
        duration_s=round(time.monotonic() - begin, 2),
    )


def _known(suite: str) -> None:
    if suite not in SUITES:
        near = difflib.get_close_matches(suite, SUITES, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise InputError(f"There is no suite called {clean_text(suite, 60)!r}.", f"{hint}Suites: {', '.join(SUITES)}.")


def _not_yet(names: list[str]) -> list[Outcome]:
    """Checks of ours that the settings name: listed as skipped until they exist."""
    known = {name: name if name in CUSTOM_CHECKS else f"{name} (custom check)" for name in names}
    codes = codes_of(known.values())
    reasons = {True: "This check is not available yet.", False: f"No such check. Known: {', '.join(CUSTOM_CHECKS)}."}
    return [
        Outcome(code=codes[key][0], title=codes[key][1], state="skipped", summary=reasons[name in CUSTOM_CHECKS])
        for name, key in known.items()
    ]
