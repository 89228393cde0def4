"""Where the images lie that a run of MLflow logged as its inputs."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.files import find_split, listed
from copilot.integrations.mlflow_client import MlflowSource
from copilot.utils.config import MlflowSettings
from copilot.utils.validators import clean_text

_HINT = "Name the images themselves: a folder, a table, or another form."


def input_path(run_id: str, context: str | None, settings: MlflowSettings) -> tuple[str, str]:
    """The path of a dataset that a run logged with ``mlflow.log_input``.

    Parameters
    ----------
    run_id : str
    context : str, optional
        What it was logged for: ``training``, ``validation``, or another word for the same split. May be left out where
        the run logged one dataset.
    settings : MlflowSettings

    Returns
    -------
    (str, str)
        A path on this machine, and the context as it was logged.

    Raises
    ------
    NotFoundError
        There is no such run, or it logged no such dataset.
    InputError
        Its source is not a path on this machine.
    """
    run = MlflowSource(settings).run(run_id)
    shown = f"Run {clean_text(run.name or run_id, 60)}"
    if not run.datasets:
        raise NotFoundError(f"{shown} logged no datasets.", "Log them: mlflow.log_input(dataset, context='training').")
    by_context = {dataset.context: dataset for dataset in reversed(run.datasets)}
    told = ", ".join(f"{d.name} ({d.context or 'no context'})" for d in sorted(run.datasets, key=lambda d: d.name)[:8])
    if context is None and len(run.datasets) > 1:
        raise InputError(f"{shown} logged several datasets: {told}.", f"Name one: mlflow:{clean_text(run_id)}#CONTEXT.")
    found = find_split(context, by_context) if context else run.datasets[0].context
    if found is None:
        raise NotFoundError(f"{shown} logged no dataset for {clean_text(context, 40)}.", f"It logged: {told}.")
    dataset = by_context[found]
    return _local(dataset.source, f"The dataset {dataset.name} of {shown.lower()}"), found


def _local(source: str, what: str) -> str:
    if source.lstrip().startswith("{") or not source:
        raise InputError(f"{what} was made in code: MLflow knows no place of its images.", _HINT)
    parts = urlsplit(source)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise InputError(f"{what} lies on another machine: {clean_text(source)}.", _HINT)
        return unquote(parts.path)
    if "://" in source or len(parts.scheme) > 1:
        at = listed([f"{parts.scheme}://{parts.hostname or ''}"])
        raise InputError(f"{what} lies at {at}, and only paths on this machine are opened.", _HINT)
    return source
