"""Commands about runs: analyze, scan, report, ask."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from copilot.cli.session import SHOWN, Session, common
from copilot.errors import InputError

FAIL_ON = click.option(
    "--fail-on", type=click.Choice(["low", "medium", "high"]), help="Exit 1 if a finding is this severe or more."
)

REFRESH = click.option("--refresh", is_flag=True, help="Read and judge every run again, not only what changed.")

WRITE_BACK = click.option(
    "--write-back/--no-write-back", default=None, help="Tag the runs with the verdict. Default: mlflow.write_back."
)


@click.command()
@click.option("--run-id", metavar="ID", help="MLflow run.")
@click.option("--model-uri", metavar="URI", help="runs:/ID/model, models:/NAME/3 or models:/NAME@ALIAS.")
@click.option("--history", metavar="FILE", help="CSV or JSON of curves, or a TensorBoard event folder.")
@click.option("--explain-pairs", is_flag=True, help="Show what was read from each metric name instead, and why.")
@FAIL_ON
@WRITE_BACK
@common("table", "json", "markdown", "junit", "sarif")
def analyze(
    session: Session,
    run_id: str | None,
    model_uri: str | None,
    history: str | None,
    explain_pairs: bool,
    fail_on: str | None,
    write_back: bool | None,
) -> int:
    """Judge one run: verdict, onset, cause, evidence, what to do."""
    session.one_run(run_id=run_id, model_uri=model_uri, history=history)
    if explain_pairs:
        if fail_on is not None or write_back or session.format not in SHOWN:
            raise click.UsageError(
                "--explain-pairs judges nothing: it takes no --fail-on or --write-back, and table, json or markdown."
            )
        _explain_pairs(session, run_id or model_uri, history)
        return 0
    if history is not None and write_back:
        raise click.UsageError("--write-back needs a run: a file has none.")
    analyzer = session.analyzer(write_back=write_back)
    result = analyzer.analyze_history(history) if history is not None else analyzer.analyze_model(run_id or model_uri)
    show_one(session, result)
    tell_not_written(session, [result])
    return exit_code([result], fail_on)


@click.command()
@click.option("--experiment", metavar="NAME", help="Default: mlflow.experiment_name of the settings.")
@click.option("--limit", type=click.IntRange(1), help="At most so many runs, newest first.")
@click.option(
    "--sort",
    type=click.Choice(["attention", "best", "gap"]),
    default="attention",
    show_default=True,
    help="What needs attention first, or a leaderboard by the best value or the smallest gap.",
)
@click.option("--quantity", metavar="NAME", help="Compare by this, such as accuracy. Default: what most runs have.")
@REFRESH
@FAIL_ON
@WRITE_BACK
@common(many_servers=True)
def scan(
    session: Session,
    experiment: str | None,
    limit: int | None,
    sort: str,
    quantity: str | None,
    refresh: bool,
    fail_on: str | None,
    write_back: bool | None,
) -> int:
    """Judge every run of an experiment, and what they say together."""
    with session.progress("Reading runs") as progress:
        analyzer, options = session.analyzer(write_back=write_back), {"limit": limit, "quantity": quantity}
        many = session.tracking_uris or (() if session.tracking_uri else analyzer.settings.mlflow.tracking_uris)
        if many and sort != "attention":
            raise click.UsageError("--sort compares the runs of one tracking server.")
        if many:
            results = analyzer.scan_many(many, experiment, **options, refresh=refresh, progress=progress)
        else:
            results = analyzer.scan(experiment, **options, refresh=refresh, progress=progress)
    show_many(session, results if sort == "attention" else results.ordered(sort), sort)
    return exit_code(results, fail_on)


@click.command()
@click.option("--run-id", metavar="ID", help="MLflow run.")
@click.option("--history", metavar="FILE", help="CSV or JSON of curves, or a TensorBoard event folder.")
@click.option(
    "--formats", metavar="LIST", help="Comma-separated: html,pdf,json,markdown. Default: output.format of the settings."
)
@click.option("--output-dir", metavar="DIR", help="Default: output.directory of the settings.")
@common()
def report(
    session: Session, run_id: str | None, history: str | None, formats: str | None, output_dir: str | None
) -> int:
    """Write the reports of a run."""
    session.one_run(run_id=run_id, history=history)
    analyzer = session.analyzer()
    result = analyzer.analyze_model(run_id) if run_id is not None else analyzer.analyze_history(history)
    wanted = [f.strip() for f in formats.split(",") if f.strip()] if formats is not None else None
    if formats is not None and not wanted:
        raise InputError("--formats is empty.", "Name formats, for instance html,pdf.")
    paths = [str(path) for path in analyzer.report(result, wanted, output_dir)]
    session.emit(json.dumps(paths, indent=2) if session.format == "json" else "\n".join(paths))
    return 0


@click.command()
@click.argument("question")
@click.option("--run-id", metavar="ID", help="MLflow run.")
@click.option("--history", metavar="FILE", help="CSV or JSON of curves, or a TensorBoard event folder.")
@common()
def ask(session: Session, question: str, run_id: str | None, history: str | None) -> int:
    """Ask a question about a run; every number in the answer names its evidence."""
    session.one_run(run_id=run_id, history=history)
    analyzer = session.analyzer()
    result = analyzer.analyze_history(history) if history is not None else None
    answer = analyzer.ask(question, run_id, result=result)
    if session.format == "json":
        session.emit(answer.model_dump_json(indent=2))
    else:
        session.emit(answer.as_text() if session.format == "table" else answer.as_markdown())
    return 0


def exit_code(results, fail_on: str | None) -> int:
    """1 if an issue is at or above `fail_on`, else 0."""
    if fail_on is None:
        return 0
    from copilot.core.findings import SEVERITIES

    together = [getattr(results, "comparison", None), *getattr(results, "comparisons", {}).values()]
    severities = [r.glance.worst for r in results]
    severities += [f.severity for group in filter(None, together) for f in group.findings if f.state == "issue"]
    return int(max(map(SEVERITIES.index, severities), default=0) >= SEVERITIES.index(fail_on))


def _explain_pairs(session: Session, model_uri: str | None, history: str | None) -> None:
    from copilot.cli.pair_tables import explanation_markdown, explanation_table

    told = session.analyzer().explain_pairs(model_uri, history=history)
    if session.format == "table":
        session.show(explanation_table(told))
    else:
        session.emit(told.model_dump_json(indent=2) if session.format == "json" else explanation_markdown(told))


def show_one(session: Session, result) -> None:
    """Print one analysis."""
    if session.format == "table":
        from copilot.cli.tables import analysis_table

        session.show(analysis_table(result.analysis))
        return
    from copilot.reporting import render

    session.emit(result.to_json() if session.format == "json" else str(render(result.analysis, session.format)))


def show_many(session: Session, results, sort: str = "attention") -> None:
    """Print many runs and what they say together: by attention, or as a leaderboard."""
    from copilot.cli.tables import groups_markdown, groups_table

    together, groups = results.comparison, [("", list(results), results.comparison)]
    if results.comparisons:
        own = {uri: [r for r in results if r.subject.tracking_uri == uri] for uri in results.comparisons}
        groups = [(uri, own[uri], of_server) for uri, of_server in results.comparisons.items()]
    if session.format == "json":
        session.emit(results.to_json())
    elif sort != "attention":
        from copilot.cli.comparison_tables import leaderboard_view

        session.show(leaderboard_view(results.leaderboard(sort), together, session.format == "markdown"))
    elif session.format == "markdown":
        session.emit(groups_markdown(groups))
    else:
        session.show(groups_table(groups))
    tell_left_out(session, results.failed)
    if not len(results) and not results.failed:
        session.note("There are no runs in it.")
    tell_not_written(session, results)


def tell_not_written(session: Session, results) -> None:
    """Lines on stderr for results that could not be written into their runs."""
    told = {str(r.subject.run_id): r.not_written for r in results if r.not_written}
    tell_failures(session, "Not written back", told)


def tell_left_out(session: Session, failed: Mapping[str, str]) -> None:
    """Lines on stderr for the runs that could not be read."""
    tell_failures(session, "Left out", failed)


def tell_failures(session: Session, what: str, reasons: Mapping[str, str]) -> None:
    """A line for each reason: with the run, or with how many runs share it."""
    from copilot.utils.validators import clean_text

    runs: dict[str, list[str]] = {}
    for run_id, reason in reasons.items():
        runs.setdefault(clean_text(reason, 400), []).append(clean_text(run_id, 60))
    for reason, ids in runs.items():
        session.note(f"{what} {ids[0] if len(ids) == 1 else f'{len(ids)} runs'}: {reason}")
