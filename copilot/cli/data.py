"""Commands about data: versions, diff, drift, describe, duplicates, check, lineage, pipeline, params."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from copilot.cli.analysis import FAIL_ON, WRITE_BACK, exit_code, show_one, tell_not_written
from copilot.cli.session import Session, common, needs_command

PATH = click.option("--path", metavar="PATH", help="Tracked folder. Default: dvc.data_path of the settings.")
PICTURES = click.option("--pictures", metavar="DIR", help="Write the contact sheets there, as image files.")
REFRESH = click.option("--refresh", is_flag=True, help="Measure again what is known by its content.")
SETS = "A set is a folder with one folder a class, .csv, .npz, COCO, YOLO, dvc:REV:PATH or mlflow:RUN_ID#CONTEXT."


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.pass_context
def data(ctx: click.Context) -> None:
    """What the data says: versions, drift, leaked and mislabelled images, lineage."""
    needs_command(ctx)


@data.command()
@click.argument("folder", required=False)
@common()
def projects(session: Session, folder: str | None) -> int:
    """List the DVC projects below a folder, with their remotes. Default: dvc.repo, else the working folder."""
    from copilot.cli.tables import as_json, simple_table

    found = session.analyzer().data_projects(folder)
    rows = ((project.path, project.repository, ", ".join(project.remotes)) for project in found)
    if session.format == "json":
        session.emit(as_json(found))
    else:
        session.show(simple_table(("Project", "Repository", "Remotes"), rows, session.format == "markdown"))
    return 0


@data.command()
@PATH
@common()
def versions(session: Session, path: str | None) -> int:
    """List the revisions in which the data changed."""
    from copilot.cli.data_tables import versions_table
    from copilot.cli.tables import as_json

    found = session.analyzer().data_versions(path)
    if session.format == "json":
        session.emit(as_json(found))
    else:
        session.show(versions_table(found, markdown=session.format == "markdown"))
    return 0


@data.command()
@click.argument("rev_a")
@click.argument("rev_b")
@PATH
@common()
def diff(session: Session, rev_a: str, rev_b: str, path: str | None) -> int:
    """Compare two revisions: files added, removed and changed, and counts by class."""
    from copilot.cli.data_tables import comparison_table

    found = session.analyzer().compare_data(rev_a, rev_b, path)
    return _show(session, found, comparison_table)


@data.command(epilog=SETS)
@click.argument("a", metavar="SET")
@click.argument("b", metavar="SET")
@PICTURES
@REFRESH
@FAIL_ON
@common()
def drift(session: Session, a: str, b: str, pictures: str | None, refresh: bool, fail_on: str | None) -> int:
    """What moved from one image set to another: image properties, class shares, features."""
    from copilot.cli.data_tables import outcomes_view

    with session.progress("Comparing") as progress:
        found = session.analyzer().data_drift(a, b, refresh=refresh, progress=progress)
    _write_pictures(session, found.pictures, pictures)
    _show(session, found, lambda doc, markdown: outcomes_view(doc.summary, doc.outcomes, markdown))
    return _failing(found.outcomes, fail_on)


@data.command(epilog=SETS)
@click.argument("named", metavar="SET")
@PICTURES
@REFRESH
@common()
def describe(session: Session, named: str, pictures: str | None, refresh: bool) -> int:
    """What is in an image set: counts, sizes, properties, corrupt files, duplicates."""
    from copilot.cli.data_tables import description_view

    with session.progress("Measuring") as progress:
        found = session.analyzer().describe_data(named, refresh=refresh, progress=progress)
    _write_pictures(session, found.pictures, pictures)
    return _show(session, found, lambda doc, markdown: description_view(doc.description, markdown))


@data.command(epilog=SETS)
@click.argument("train", metavar="TRAIN")
@click.argument("val", metavar="VALIDATION")
@PICTURES
@REFRESH
@FAIL_ON
@common()
def duplicates(session: Session, train: str, val: str, pictures: str | None, refresh: bool, fail_on: str | None) -> int:
    """Find validation images that are in training too, as they are or changed a little."""
    from copilot.cli.data_tables import outcomes_view

    with session.progress("Looking for duplicates") as progress:
        found = session.analyzer().duplicates(train, val, refresh=refresh, progress=progress)
    _write_pictures(session, found.pictures, pictures)
    _show(session, found, lambda doc, markdown: outcomes_view(doc.outcome.summary, [doc.outcome], markdown))
    return _failing([found.outcome], fail_on)


@data.command(epilog=SETS)
@click.option("--train", metavar="SET", help="Training images. Default: those that the run logged.")
@click.option("--val", metavar="SET", help="Validation images. Default: those that the run logged.")
@click.option("--run-id", metavar="ID", help="The run that was trained on them: its curves are judged too.")
@click.option("--predictions", metavar="FILE", help="A model's predictions for the validation images.")
@click.option("--groups", metavar="REGEX", help="Finds the group (patient, video, camera) in an image's name.")
@PICTURES
@REFRESH
@FAIL_ON
@WRITE_BACK
@common("table", "json", "markdown", "junit", "sarif")
def check(
    session: Session,
    train: str | None,
    val: str | None,
    run_id: str | None,
    predictions: str | None,
    groups: str | None,
    pictures: str | None,
    refresh: bool,
    fail_on: str | None,
    write_back: bool | None,
) -> int:
    """Look in the images for causes of overfitting: leaks, wrong labels, imbalance, drift, groups."""
    analyzer = session.analyzer(write_back=write_back)
    with session.progress("Looking at the data") as progress:
        result = analyzer.inspect_data(
            train,
            val,
            run_id=run_id,
            predictions=predictions,
            groups_pattern=groups,
            refresh=refresh,
            progress=progress,
        )
    _write_pictures(session, result.analysis.pictures, pictures)
    show_one(session, result)
    tell_not_written(session, [result])
    return exit_code([result], fail_on)


@data.command()
@click.option("--run-id", metavar="ID", required=True, help="MLflow run.")
@click.option("--svg", metavar="FILE", help="Draw the graph into FILE.")
@common()
def lineage(session: Session, run_id: str, svg: str | None) -> int:
    """Where a run's data came from: commit, DVC files, version, remote."""
    from copilot.cli.data_tables import lineage_view

    found = session.analyzer().lineage(run_id)
    if svg:
        from copilot.reporting.lineage_graph import lineage_svg

        session.write(svg, lineage_svg(found, ident="lineage").encode())
    return _show(session, found, lineage_view)


@data.command()
@click.argument("rev", default="HEAD")
@click.option("--svg", metavar="FILE", help="Draw the graph into FILE.")
@common()
def pipeline(session: Session, rev: str, svg: str | None) -> int:
    """The DVC stages of a revision, and what they need of each other."""
    from copilot.cli.data_tables import pipeline_table

    found = session.analyzer().pipeline(rev)
    if svg:
        from copilot.reporting.lineage_graph import pipeline_svg

        session.write(svg, pipeline_svg(found, ident="pipeline").encode())
    return _show(session, found, pipeline_table)


@data.command()
@click.argument("revs", nargs=-1, required=True)
@click.option("--metrics", is_flag=True, help="The project's metrics instead of its parameters.")
@common()
def params(session: Session, revs: tuple[str, ...], metrics: bool) -> int:
    """Parameters (or metrics) of the DVC project over revisions."""
    from copilot.cli.data_tables import values_table

    return _show(session, session.analyzer().params_across(revs, metrics=metrics), values_table)


def _show(session: Session, found: Any, view: Callable[..., Any]) -> int:
    if session.format == "json":
        session.emit(found.model_dump_json(indent=2))
    else:
        session.show(view(found, markdown=session.format == "markdown"))
    return 0


def _failing(outcomes: Any, fail_on: str | None) -> int:
    from copilot.core.findings import SEVERITIES

    worst = max((SEVERITIES.index(o.severity) for o in outcomes if o.state == "issue"), default=0)
    return int(fail_on is not None and worst >= SEVERITIES.index(fail_on))


def _write_pictures(session: Session, pictures: Any, folder: str | None) -> None:
    import base64

    for number, picture in enumerate(pictures if folder else (), 1):
        name = f"{number:02}-{picture.finding_code or 'images'}.{picture.media_type.rpartition('/')[2]}"
        session.write(str(Path(folder, name)), base64.b64decode(picture.data))
