"""A hook for training scripts: judge the run and the model just logged, and end the script where it must not go on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.analyzer import CopilotAnalyzer
from copilot.core.findings import SEVERITIES, Severity
from copilot.errors import InputError, QualityGateError, ToolError
from copilot.utils.config import Settings

if TYPE_CHECKING:
    from copilot.results import AnalysisResult


def after_training(
    train: str | Path | None = None,
    test: str | Path | None = None,
    *,
    run_id: str | None = None,
    model_uri: str | None = None,
    config: str | Path | Settings | None = None,
    suite: str | None = None,
    probes: Sequence[str] | None = None,
    fail_on: Severity | None = None,
    write_back: bool = True,
) -> AnalysisResult:
    """Judge the run that has just ended: its curves, and its model where images are named.

    Call it in the training script, inside ``mlflow.start_run()`` or after it.

    Parameters
    ----------
    train, test : str or Path, optional
        Image sets, as `CopilotAnalyzer.validate` takes them. Without them only the curves are judged.
    run_id : str, optional
        Default: MLflow's active or last run.
    model_uri : str, optional
        Default: the model that the run logged last.
    config : str, Path or Settings, optional
        Default: as `CopilotAnalyzer`; without a tracking URI there, MLflow's own.
    suite, probes
        As `CopilotAnalyzer.validate`.
    fail_on : {"low", "medium", "high"}, optional
        Raise where a finding is this severe or more.
    write_back : bool, default True
        Tag the run with the verdict, and lay the analysis and its report among its artifacts.

    Raises
    ------
    QualityGateError
        A finding is at or above `fail_on`; its ``result`` is the analysis. As exit code of a script it is 1.
    ToolError
        A step came to no end (a limit, a crash), and `fail_on` was asked for.
    InputError
        There is no such run, model or images.
    """
    from copilot.integrations.mlflow.active_run import active_run

    run_id = run_id or active_run()
    analyzer = _analyzer(config, write_back)
    try:
        if train is None and test is None and model_uri is None:
            result = analyzer.analyze_model(run_id)
        else:
            result = analyzer.validate(
                model_uri or _model_of(analyzer, run_id), train, test, suite=suite, probes=probes
            )
    finally:
        analyzer.close()
    if result.not_written:
        warnings.warn(f"The verdict could not be written into the run: {result.not_written}", stacklevel=2)
    _gate(result, fail_on)
    return result


def _analyzer(config: str | Path | Settings | None, write_back: bool) -> CopilotAnalyzer:
    settings = CopilotAnalyzer(config).settings
    own: dict[str, Any] = {"write_back": write_back}
    if not settings.mlflow.tracking_uri:
        from copilot.integrations.mlflow.active_run import tracking_uri

        own["tracking_uri"] = tracking_uri()
    return CopilotAnalyzer(settings.model_copy(update={"mlflow": settings.mlflow.model_copy(update=own)}))


def _model_of(analyzer: CopilotAnalyzer, run_id: str) -> str:
    models = analyzer.source.run(run_id).model_uris
    if not models:
        raise InputError(f"The run {run_id} has logged no model.", "Log it first, or pass model_uri.")
    return models[-1]


def _gate(result: AnalysisResult, fail_on: Severity | None) -> None:
    if fail_on is not None and result.not_looked_at:
        raise ToolError(result.not_looked_at, "Nothing can be said of what was not looked at.")
    if fail_on is None or SEVERITIES.index(result.glance.worst) < SEVERITIES.index(fail_on):
        return
    limit = SEVERITIES.index(fail_on)
    found = [f for f in result.findings if f.state == "issue" and SEVERITIES.index(f.severity) >= limit]
    error = QualityGateError(f"{len(found)} findings are {fail_on} or worse: {found[0].code} {found[0].summary}")
    error.result = result
    raise error
