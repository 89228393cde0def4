"""The run that MLflow's fluent interface has open in this process, or had open last."""

from __future__ import annotations

from copilot.errors import InputError


def active_run() -> str:
    """Its id.

    Raises
    ------
    InputError
        No run was started here.
    """
    import mlflow

    run = mlflow.active_run() or mlflow.last_active_run()
    if run is None:
        raise InputError("No MLflow run was started in this process.", "Pass run_id.")
    return run.info.run_id


def tracking_uri() -> str:
    """Where MLflow logs to in this process."""
    import mlflow

    return mlflow.get_tracking_uri()
