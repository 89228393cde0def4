"""Commands about models and their images: validate, batch."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from copilot.cli.analysis import FAIL_ON, WRITE_BACK, exit_code, show_one, tell_failures, tell_not_written
from copilot.cli.session import Session, common
from copilot.errors import InputError, NotFoundError, ToolError

SETS = "a folder with one folder a class, .csv, .npz, COCO, YOLO, dvc:REV:PATH or mlflow:RUN_ID#CONTEXT"
_REFRESH = click.option("--refresh", is_flag=True, help="Do it again, though nothing has changed since the last time.")


@click.command()
@click.option("--model-uri", metavar="URI", help="runs:/ID/model, models:/NAME/3, models:/NAME@ALIAS or a file.")
@click.option("--train", metavar="SET", help=f"Training images: {SETS}. Default: those that the run logged.")
@click.option("--test", metavar="SET", help="Validation or test images. Default: those that the run logged.")
@click.option("--suite", metavar="NAME", help="Deepchecks suite, or none. Default: deepchecks.suite of the settings.")
@click.option("--probes", metavar="LIST", help="Comma-separated names, or none. Default: probes.run of the settings.")
@click.option(
    "--predictions",
    nargs=2,
    metavar="TRAIN TEST",
    help="Files of predictions for both sets (CSV, .npz, COCO JSON), instead of a model.",
)
@click.option("--deepchecks-report", metavar="FILE", help="Copy the page that Deepchecks makes to FILE.")
@click.option(
    "--task",
    type=click.Choice(["classification", "detection", "segmentation"]),
    help="What the labels are for, where a set may be read in several ways, such as COCO. Default: as the set is.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Fixes which images of large sets are looked at.")
@_REFRESH
@FAIL_ON
@WRITE_BACK
@common("table", "json", "markdown", "junit", "sarif")
def validate(
    session: Session,
    model_uri: str | None,
    train: str | None,
    test: str | None,
    suite: str | None,
    probes: str | None,
    predictions: tuple[str, str] | None,
    deepchecks_report: str | None,
    task: str | None,
    seed: int,
    refresh: bool,
    fail_on: str | None,
    write_back: bool | None,
) -> int:
    """Probe a model with its images and run a Deepchecks suite."""
    session.one_run(model_uri=model_uri, predictions=" ".join(predictions) if predictions else None)
    analyzer = session.analyzer(write_back=write_back)
    with session.progress("Looking at the model") as progress:
        result = analyzer.validate(
            model_uri,
            train,
            test,
            suite=suite,
            probes=None if probes is None else [name.strip() for name in probes.split(",") if name.strip()],
            predictions=predictions or None,
            task=task,
            seed=seed,
            refresh=refresh,
            progress=progress,
        )
    if deepchecks_report:
        _copy_report(analyzer.deepchecks_report(result), Path(deepchecks_report))
        session.note(f"Wrote {deepchecks_report}")
    show_one(session, result)
    tell_not_written(session, [result])
    if result.not_looked_at:
        session.note(f"Not everything could be looked at: {result.not_looked_at}")
        return ToolError.exit_code
    return exit_code([result], fail_on)


@click.command()
@click.argument("plan", metavar="FILE.yaml")
@_REFRESH
@FAIL_ON
@WRITE_BACK
@common()
def batch(session: Session, plan: str, refresh: bool, fail_on: str | None, write_back: bool | None) -> int:
    """Validate many models on many image sets; started again, it goes on where it stopped."""
    from copilot.cli.batch_tables import batch_markdown, batch_table

    with session.progress("Looking at the models") as progress:
        result = session.analyzer(write_back=write_back).batch(plan, refresh=refresh, progress=progress)
    if session.format == "json":
        session.emit(result.to_json())
    elif session.format == "markdown":
        session.emit(batch_markdown(result))
    else:
        session.show(batch_table(result))
    tell_failures(session, "Not written back", {row.name: row.not_written for row in result.rows if row.not_written})
    known = sum(row.known for row in result.rows)
    if known:
        session.note(f"{known} of {len(result.rows)} were known already; --refresh does them again.")
    return result.exit_code(fail_on)


def _copy_report(kept: Path | None, wanted: Path) -> None:
    if kept is None:
        raise NotFoundError("Deepchecks made no page.", "Run a suite, with deepchecks.html_report in the settings.")
    try:
        shutil.copyfile(kept, wanted)
    except OSError as error:
        raise InputError(f"'{wanted}' cannot be written: {error.strerror}.", "Choose another file.") from error
