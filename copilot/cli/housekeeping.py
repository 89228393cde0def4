"""Commands about the installation: doctor, config, checks."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from copilot.cli.session import Session, common, needs_command
from copilot.errors import InputError
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.core.checks.describe import CheckDescription


@click.command()
@common("table", "json")
def doctor(session: Session) -> int:
    """See whether everything works, and what to do where it does not."""
    from copilot.cli.tables import as_json, health_table

    items = session.analyzer().health()
    if session.format == "json":
        session.emit(as_json(items))
    else:
        session.show(health_table(items))
    return 3 if any(item.state == "failed" for item in items) else 0


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.pass_context
def config(ctx: click.Context) -> None:
    """The settings file."""
    needs_command(ctx)


@config.command()
@click.argument("file", default="mlops_copilot_config.yaml")
@common("table")
def init(session: Session, file: str) -> int:
    """Write a settings file to start from."""
    from importlib.resources import files

    path = Path(file)
    if path.exists():
        raise InputError(f"{file} is there already.", "Name another file, or change that one.")
    template = files("copilot").joinpath("templates/configs/default.yaml").read_text(encoding="utf-8")
    try:
        path.write_text(template, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.", "Choose another place.") from error
    session.note(f"Wrote {file}. Set mlflow.tracking_uri in it, then run `mlops-copilot doctor`.")
    return 0


@config.command()
@click.argument("file", required=False)
@common("table")
def check(session: Session, file: str | None) -> int:
    """See whether a settings file is valid."""
    from copilot.analyzer import CopilotAnalyzer
    from copilot.utils.config import find_settings_file

    found = find_settings_file(file or session.config)
    CopilotAnalyzer(found)
    session.emit(f"{found or 'The defaults'}: valid.")
    return 0


@config.command()
@common("table", "json")
def show(session: Session) -> int:
    """Show the settings in force; secrets are masked."""
    import json

    import yaml

    settings = session.analyzer().settings.public()
    session.emit(
        json.dumps(settings, indent=2) if session.format == "json" else yaml.safe_dump(settings, sort_keys=False)
    )
    return 0


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.pass_context
def checks(ctx: click.Context) -> None:
    """The checks, their thresholds and what they mean."""
    needs_command(ctx)


@checks.command(name="list")
@common()
def list_(session: Session) -> int:
    """List every check."""
    from copilot.cli.tables import as_json, checks_table

    found = session.analyzer().describe_checks()
    if session.format == "json":
        session.emit(as_json(found))
    else:
        session.show(checks_table(found, markdown=session.format == "markdown"))
    return 0


@checks.command()
@click.argument("code")
@common()
def explain(session: Session, code: str) -> int:
    """Explain one check: what it measures, why, when it is wrong, its thresholds, how to mute it."""
    from copilot.cli.tables import check_view
    from copilot.reporting.check_page import check_page

    chosen = _check_named(code, session.analyzer().describe_checks())
    if session.format == "table":
        session.show(check_view(chosen))
    else:
        session.emit(chosen.model_dump_json(indent=2) if session.format == "json" else check_page(chosen))
    return 0


def _check_named(code: str, known: Sequence[CheckDescription]) -> CheckDescription:
    """The check with this code in any case; an unknown one is compared with codes and titles."""
    wanted = code.strip().lower()
    by_code = {c.code.lower(): c for c in known}
    if wanted in by_code:
        return by_code[wanted]
    names = {**by_code, **{c.title.lower(): c for c in known}}
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.25)
    meant = f"; did you mean '{names[near[0]].code}' ({names[near[0]].title})?" if near else "."
    raise InputError(f"unknown check '{clean_text(code, 20)}'{meant}", "See `mlops-copilot checks list`.")
