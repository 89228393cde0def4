"""Command that follows running runs: watch."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

import click

from copilot.cli.session import Session, common
from copilot.errors import CopilotError, InputError

if TYPE_CHECKING:
    from copilot.watching import RunAlert

Send = Callable[["RunAlert"], None]


@click.command()
@click.option("--experiment", metavar="NAME", help="Default: mlflow.experiment_name of the settings.")
@click.option("--interval", type=click.FloatRange(0.1), metavar="S", help="Seconds between two looks.")
@click.option("--webhook", metavar="URL", help="POST each alert there as JSON.")
@click.option(
    "--command", metavar="CMD", help="Run this for each alert: JSON on stdin, MLOPS_COPILOT_RUN_ID, _REASON, ... set."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option("--until-finished", is_flag=True, help="End when no run is running any more.")
@common("table", "json")
def watch(
    session: Session,
    experiment: str | None,
    interval: float | None,
    webhook: str | None,
    command: str | None,
    once: bool,
    until_finished: bool,
) -> int:
    """Follow the running runs of an experiment and tell when one should stop."""
    analyzer = session.analyzer()
    sends = _senders(analyzer.settings.monitor.timeout_s, webhook, command)
    found = analyzer.watch(experiment, interval_s=interval, once=once, until_finished=until_finished, note=session.note)
    if not once:
        session.note("Watching. Ctrl+C stops it.")
    with _until_stopped(), _output(session) as output:
        for alert in found:
            _show(session, alert, output)
            for send in sends:
                _try(session, send, alert)
    return 0


@contextlib.contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl+C, and the signal that `docker stop` and systemd send, are the ordinary end."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _senders(timeout_s: float, webhook: str | None, command: str | None) -> list[Send]:
    """What each alert goes to; a wrong address or program is told before anything is watched."""
    from copilot.integrations import notices

    sends: list[Send] = []
    if webhook is not None:
        url = notices.check_webhook(webhook)
        sends.append(lambda alert: notices.post(url, alert.model_dump_json(), timeout_s))
    if command is not None:
        words = notices.check_command(command)
        sends.append(lambda alert: notices.run_command(words, alert.model_dump_json(), alert.model_dump(), timeout_s))
    return sends


def _try(session: Session, send: Send, alert: RunAlert) -> None:
    try:
        send(alert)
    except CopilotError as error:
        click.echo(str(error), err=True)


@contextlib.contextmanager
def _output(session: Session) -> Iterator[TextIO]:
    """Where the lines go, each as soon as it is there."""
    if session.output is None:
        yield sys.stdout
        return
    try:
        file = open(session.output, "a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"'{session.output}' cannot be written: {error.strerror}.", "Choose another file.") from error
    with file:
        yield file


def _show(session: Session, alert: RunAlert, output: TextIO) -> None:
    if session.format == "json":
        line = alert.model_dump_json()
    else:
        line = f"{alert.at}  {alert.run_name} ({alert.run_id[:8]})  {alert.kind}: {alert.reason}"
    click.echo(line, file=output)
    output.flush()
