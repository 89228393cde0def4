"""The command about papers: research."""

from __future__ import annotations

from pathlib import Path

import click

from copilot.cli.session import Session, common
from copilot.errors import InputError


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
