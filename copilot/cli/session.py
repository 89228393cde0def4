"""What every command shares: its common options, the analyzer made from them, output and progress."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from copilot.errors import InputError

if TYPE_CHECKING:
    from copilot.analyzer import CopilotAnalyzer

SHOWN = ("table", "json", "markdown")


@dataclass
class Session:
    """The common options of one command."""

    config: str | None
    tracking_uri: str | None
    format: str
    output: str | None
    quiet: bool
    debug: bool
    tracking_uris: tuple[str, ...] = ()

    def analyzer(self, **mlflow: Any) -> CopilotAnalyzer:
        """The analyzer of these options; None among the MLflow settings leaves one as it is."""
        from copilot.analyzer import CopilotAnalyzer

        given = {"tracking_uri": self.tracking_uri, **mlflow}
        named = {name: value for name, value in given.items() if value is not None}
        told: set[str] = set()  # several caches may have one complaint

        def once(line: str) -> None:
            if line not in told:
                told.add(line)
                self.note(line)

        return CopilotAnalyzer(self.config, {"mlflow": named}, once)

    def one_run(self, **given: str | None) -> None:
        """See that exactly one of these options names the run."""
        named = {f"--{name.replace('_', '-')}": value for name, value in given.items() if value is not None}
        if len(named) != 1:
            options = [f"--{name.replace('_', '-')}" for name in given]
            raise click.UsageError(f"Name the run by one of {', '.join(options[:-1])} or {options[-1]}.")
        for option, value in named.items():
            if not value.strip():
                raise InputError(f"{option} is empty.", "Is a variable of your script unset?")

    def emit(self, content: str) -> None:
        """Print, or write to ``--output``."""
        text = content if content.endswith("\n") else content + "\n"
        if self.output is not None:
            try:
                Path(self.output).write_text(text, encoding="utf-8")
            except OSError as error:
                raise InputError(
                    f"'{self.output}' cannot be written: {error.strerror}.", "Choose another file."
                ) from error
            self.note(f"Wrote {self.output}")
        else:
            _print(text)

    def write(self, path: str, content: bytes) -> None:
        """Write a file that was asked for, its folder if need be, and say so."""
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(content)
        except OSError as error:
            raise InputError(f"'{path}' cannot be written: {error.strerror}.", "Choose another place.") from error
        self.note(f"Wrote {path}")

    def show(self, renderable: Any) -> None:
        """Print something of Rich's: coloured on a terminal, plain in a file or a pipe."""
        from io import StringIO

        from rich.console import Console
        from rich.text import Text

        if isinstance(renderable, Text) and renderable.no_wrap:  # Markdown: a row that is folded is no row
            self.emit(renderable.plain)
        elif self.output is not None or not sys.stdout.isatty():
            plain = Console(file=StringIO(), width=140, no_color=True, highlight=False, markup=False)
            plain.print(renderable)
            self.emit("\n".join(line.rstrip() for line in plain.file.getvalue().splitlines()))
        else:
            Console(highlight=False, markup=False).print(renderable)

    def note(self, line: str) -> None:
        """A line for the person, on stderr, unless ``--quiet``."""
        if not self.quiet:
            click.echo(line, err=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[float, str], None] | None]:
        """A progress bar on stderr where there is a terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=1.0)
            yield lambda fraction, line: bar.update(task, completed=fraction, description=line or what)


def needs_command(ctx: click.Context) -> None:
    """For a group called without one of its commands: say which there are."""
    if ctx.invoked_subcommand is None:
        known = ", ".join(ctx.command.list_commands(ctx))
        raise click.UsageError(f"`{ctx.command_path}` needs a command: {known}.", ctx)


def _print(text: str) -> None:
    """Print; where the reader of a pipe has left, the work and its exit code still count."""
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def common(*formats: str, many_servers: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options that every command has; it gets them as a `Session`, its first argument.

    With `many_servers`, ``--tracking-uri`` may be repeated: ``tracking_uris`` holds them if there are several.
    """
    several = " May be repeated." if many_servers else ""
    options = [
        click.option("--config", metavar="FILE", help="Settings file (YAML or JSON)."),
        click.option(
            "--tracking-uri",
            metavar="URI",
            multiple=many_servers,
            help=f"MLflow server, sqlite:/// file or folder.{several}",
        ),
        click.option(
            "--format", "format_", type=click.Choice(formats or SHOWN), default=(formats or SHOWN)[0], show_default=True
        ),
        click.option("--output", metavar="FILE", help="Write to FILE instead of the terminal."),
        click.option("--quiet", is_flag=True, help="Print results and errors only."),
        click.option("--debug", is_flag=True, help="Show log lines, and the traceback of an error."),
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(config, tracking_uri, format_, output, quiet, debug, **own):
            from copilot.utils.logging import no_telemetry, set_up_logging

            no_telemetry()
            set_up_logging(debug)
            given = tracking_uri if many_servers else (tracking_uri,)
            one, many = (given[0], ()) if len(given) == 1 else (None, given)
            return function(Session(config, one, format_, output, quiet, debug, many), **own)

        for option in reversed(options):
            call = option(call)
        return call

    return decorate
