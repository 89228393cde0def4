"""Commands of the other witnesses: data (DVC), research (papers)."""

from __future__ import annotations

from pathlib import Path

import click

from copilot.cli.session import Session, common, needs_command
from copilot.errors import InputError


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.pass_context
def data(ctx: click.Context) -> None:
    """Versions of DVC-tracked data, and what changed between two of them."""
    needs_command(ctx)


@data.command()
@click.option("--path", metavar="PATH", help="Tracked folder. Default: dvc.data_path of the settings.")
@common()
def versions(session: Session, path: str | None) -> int:
    """List the revisions in which the data changed."""
    from copilot.cli.tables import as_json, versions_table

    found = session.analyzer().data_versions(path)
    if session.format == "json":
        session.emit(as_json(found))
    else:
        session.show(versions_table(found, markdown=session.format == "markdown"))
    return 0


@data.command()
@click.argument("rev_a")
@click.argument("rev_b")
@click.option("--path", metavar="PATH", help="Tracked folder. Default: dvc.data_path of the settings.")
@common()
def diff(session: Session, rev_a: str, rev_b: str, path: str | None) -> int:
    """Compare two revisions: files added, removed and changed, and counts by class."""
    from copilot.cli.tables import comparison_table

    found = session.analyzer().compare_data(rev_a, rev_b, path)
    if session.format == "json":
        session.emit(found.model_dump_json(indent=2))
    else:
        session.show(comparison_table(found, markdown=session.format == "markdown"))
    return 0


@click.command()
@click.argument("query", required=False)
@click.option("--run-id", metavar="ID", help="Search for the likely cause of this run's verdict.")
@click.option("--bibtex", metavar="FILE", help="Write the references to FILE.")
@common()
def research(session: Session, query: str | None, run_id: str | None, bibtex: str | None) -> int:
    """Find papers that show a remedy."""
    from copilot.cli.tables import papers_table
    from copilot.core.papers import bibtex as bibtex_of

    if query and run_id:
        raise click.UsageError("Give a QUERY or --run-id, not both.")
    analyzer = session.analyzer()
    about = analyzer.analyze_model(run_id) if run_id else query
    with session.progress("Asking the sources") as progress:
        found = analyzer.research(about, progress=progress)
    if bibtex:
        try:
            Path(bibtex).write_text(bibtex_of(found.papers), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{bibtex} cannot be written: {error.strerror}.", "Choose another file.") from error
    if session.format == "json":
        session.emit(found.model_dump_json(indent=2))
    else:
        session.show(papers_table(found, markdown=session.format == "markdown"))
    return 0
