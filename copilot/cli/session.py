"""What every command shares: its common options, the analyzer made from them, output and progress."""

from __future__ import annotations

import functools
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

    def analyzer(self) -> CopilotAnalyzer:
        from copilot.analyzer import CopilotAnalyzer

        overrides = {"mlflow": {"tracking_uri": self.tracking_uri}} if self.tracking_uri else None
        return CopilotAnalyzer(self.config, overrides)

    def emit(self, content: str) -> None:
        """Print, or write to ``--output``."""
        text = content if content.endswith("\n") else content + "\n"
        if self.output:
            try:
                Path(self.output).write_text(text, encoding="utf-8")
            except OSError as error:
                raise InputError(
                    f"{self.output} cannot be written: {error.strerror}.", "Choose another file."
                ) from error
            self.note(f"Wrote {self.output}")
        else:
            click.echo(text, nl=False)

    def show(self, renderable: Any) -> None:
        """Print something of Rich's: coloured on a terminal, plain in a file or a pipe."""
        from io import StringIO

        from rich.console import Console

        if self.output or not sys.stdout.isatty():
            plain = Console(file=StringIO(), width=140, no_color=True, highlight=False)
            plain.print(renderable)
            self.emit("\n".join(line.rstrip() for line in plain.file.getvalue().splitlines()))
        else:
            Console(highlight=False).print(renderable)

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


def common(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options that every command has; it gets them as a `Session`, its first argument."""
    options = [
        click.option("--config", metavar="FILE", help="Settings file (YAML or JSON)."),
        click.option("--tracking-uri", metavar="URI", help="MLflow server, sqlite:/// file or folder."),
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
            return function(Session(config, tracking_uri, format_, output, quiet, debug), **own)

        for option in reversed(options):
            call = option(call)
        return call

    return decorate
