"""Commands about several runs: compare, crossval, history."""

from __future__ import annotations

import click

from copilot.cli.analysis import FAIL_ON, exit_code, show_many, tell_left_out
from copilot.cli.session import Session, common
from copilot.errors import InputError


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN RUN...")
@click.option("--baseline", metavar="ID", help="Run that the others are measured against. Default: the first.")
@click.option(
    "--axis",
    type=click.Choice(["epoch", "step", "time"]),
    default="epoch",
    show_default=True,
    help="What curves are aligned by; time is counted from each run's start.",
)
@FAIL_ON
@common()
def compare(session: Session, runs: tuple[str, ...], baseline: str | None, axis: str, fail_on: str | None) -> int:
    """Judge the named runs, side by side and against a baseline."""
    if baseline is not None:
        session.one_run(baseline=baseline)
    with session.progress("Reading runs") as progress:
        results = session.analyzer().compare(runs, baseline, axis=axis, progress=progress)
    if session.format == "json":
        session.emit(results.to_json())
    else:
        from copilot.cli.comparison_tables import beside_markdown, beside_view

        view = beside_markdown if session.format == "markdown" else beside_view
        shown = view([r.analysis for r in results], results.comparison)
        session.emit(shown) if isinstance(shown, str) else session.show(shown)
    tell_left_out(session, results.failed)
    if len(results) < 2:
        raise InputError(
            f"Only {len(results)} of the runs can be read, which leaves nothing to compare.", "Check the ids."
        )
    return exit_code(results, fail_on)


@click.command()
@click.option("--parent-run", metavar="ID", required=True, help="Run that holds the folds as child runs.")
@FAIL_ON
@common()
def crossval(session: Session, parent_run: str, fail_on: str | None) -> int:
    """Judge the folds of a cross-validation, and how well they agree."""
    session.one_run(parent_run=parent_run)
    with session.progress("Reading folds") as progress:
        results = session.analyzer().crossval(parent_run, progress=progress)
    show_many(session, results)
    return exit_code(results, fail_on)


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--quantity", metavar="NAME", help="Compare by this, such as accuracy. Default: what most versions have.")
@click.option(
    "--fail-on",
    type=click.Choice(["low", "medium", "high"]),
    help="Exit 1 if the newest version is worse than the one before, this severe or more.",
)
@common()
def history(session: Session, model: str, quantity: str | None, fail_on: str | None) -> int:
    """A registered model over its versions, and where it got worse."""
    with session.progress("Reading versions") as progress:
        results = session.analyzer().history(model, quantity=quantity, progress=progress)
    if session.format == "json":
        session.emit(results.to_json())
    else:
        from copilot.cli.comparison_tables import history_view

        session.show(history_view(results.comparison, session.format == "markdown"))
    return _newest_is_worse(results.comparison.model_history, fail_on)


def _newest_is_worse(found, fail_on: str | None) -> int:
    if fail_on is None:
        return 0
    from copilot.core.findings import SEVERITIES

    newest = next((row for row in reversed(found.versions) if row.best_value is not None), None)
    return int(
        newest is not None and bool(newest.worse) and SEVERITIES.index(newest.severity) >= SEVERITIES.index(fail_on)
    )
