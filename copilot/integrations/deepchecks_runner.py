"""Deepchecks suites on two image sets, in a supervised child; Deepchecks is not imported here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from copilot.core.findings import Document, Outcome
from copilot.errors import NotFoundError, ToolError
from copilot.integrations.deepchecks.catalogue import CHECKS, CUSTOM_CHECKS, SUITE_CODE, SUITE_TITLE, codes_of
from copilot.integrations.deepchecks.plan import planned, thresholds_of
from copilot.utils.config import DeepchecksSettings
from copilot.utils.supervise import run_supervised
from copilot.utils.validators import clean_text

_CHILD = "copilot.integrations.deepchecks.child:run"


class SuiteResult(Document):
    """The outcomes of a suite, one a check.

    ``html_report`` is the path of Deepchecks' own report if one was asked for, ``skipped`` lists images that could
    not be read, ``n_train`` and ``n_test`` count the images that were looked at. A suite that did not end well (a limit
    exceeded, a crash) has no checks but one outcome ``OVF500`` with the state ``error``.
    """

    suite: str
    outcomes: tuple[Outcome, ...]
    n_train: int
    n_test: int
    skipped: tuple[str, ...] = ()
    html_report: str | None = None
    duration_s: float = 0.0


def run_suite(
    train: str,
    test: str,
    predictions: tuple[Path, Path] | None = None,
    *,
    suite: str,
    settings: DeepchecksSettings,
    images: dict[str, Any] | None = None,
    html_path: str | Path | None = None,
    progress: Callable[[float, str], None] | None = None,
    seed: int = 0,
    pass_env: Sequence[str] = (),
) -> SuiteResult:
    """Run a suite of Deepchecks.

    Parameters
    ----------
    train, test : str
        What the image sets are named; a folder has one sub-folder of images per class.
    predictions : pair of Path, optional
        What a model said of some training and test images, as `Predictions.save` wrote it. Without them the checks that
        need them do not apply.
    suite : str
        One of `plan.suite_names`.
    settings : DeepchecksSettings
        Limits of the process, size of the samples, own suites, thresholds and checks of ours.
    images : dict, optional
        How the child opens the image sets, as JSON values.
    html_path : str or Path, optional
        Where Deepchecks' own report goes, about 5 MB and a few seconds.
    progress : callable, optional
        Called with a fraction and a line; ``JobCancelled`` from it stops the suite at once.
    seed : int, default 0
        Fixes which images are looked at.
    pass_env : sequence of str
        Environment variables that opening the images needs.

    Returns
    -------
    SuiteResult
        Also for a suite that crashed, was killed, or exceeded a limit.

    Raises
    ------
    InputError
        No such suite, check, threshold or image set, or the predictions and the images do not fit.
    """
    begin = time.monotonic()
    payload = {
        "train": str(train),
        "test": str(test),
        "images": images or {},
        "predictions": [str(Path(file).resolve()) for file in predictions] if predictions else None,
        "suite": suite,
        "checks": planned(suite, settings),
        "thresholds": thresholds_of(settings),
        "max_samples": settings.max_samples,
        "seed": seed,
        "html": str(_report_path(html_path)) if html_path else None,
    }
    try:
        answer = run_supervised(
            _CHILD,
            payload,
            timeout_s=settings.timeout_s,
            memory_limit_gb=settings.memory_limit_gb,
            progress=progress,
            pass_env=pass_env,
            section="deepchecks",
        )
    except ToolError as error:
        answer = _ended_badly(error)
    outcomes = [Outcome.model_validate(item) for item in answer["outcomes"]]
    done = any(outcome.code != SUITE_CODE for outcome in outcomes)
    return SuiteResult(
        suite=suite,
        outcomes=(*outcomes, *_unknown(settings.custom_checks)),
        n_train=answer["n_train"],
        n_test=answer["n_test"],
        skipped=tuple(answer["skipped"]),
        html_report=payload["html"] if done else None,
        duration_s=round(time.monotonic() - begin, 2),
    )


def _report_path(html_path: str | Path) -> Path:
    report = Path(html_path).expanduser().resolve()
    if not report.parent.is_dir():
        raise NotFoundError(f"There is no folder {clean_text(report.parent)}.", "Make it first.")
    return report


def _ended_badly(error: ToolError) -> dict[str, Any]:
    """The answer of a suite that has none."""
    more = " deepchecks.max_samples says how much is used." if "less data" in error.hint else ""
    outcome = Outcome(code=SUITE_CODE, title=SUITE_TITLE, state="error", summary=clean_text(f"{error}{more}", 400))
    return {"outcomes": [outcome.model_dump(mode="json")], "n_train": 0, "n_test": 0, "skipped": []}


def _unknown(names: list[str]) -> list[Outcome]:
    """Custom checks that nobody knows: listed as skipped."""
    codes = codes_of(f"{name} (custom check)" for name in names if name not in CUSTOM_CHECKS and name not in CHECKS)
    why = f"No such check. Known: {', '.join(CUSTOM_CHECKS)}."
    return [Outcome(code=code, title=title, state="skipped", summary=why) for code, title in codes.values()]
