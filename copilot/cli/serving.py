"""Commands that keep running: dashboard, demo, worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click

from copilot.cli.session import Session, common
from copilot.errors import InputError, MissingExtraError, ToolError

START_TIMEOUT_S = 90.0
PORT = click.option(
    "--port", type=click.IntRange(0, 65535), help="Default: server.port of the settings, or the next free one. 0: any."
)
HOST = click.option("--host", metavar="ADDRESS", help="Address to listen on. Default: server.host of the settings.")
BROWSER = click.option("--no-browser", is_flag=True, help="Do not open a browser.")


@click.command()
@PORT
@HOST
@BROWSER
@common("table")
def dashboard(session: Session, port: int | None, host: str | None, no_browser: bool) -> int:
    """Open the dashboard on your own runs."""
    return _serve(session, port, host, no_browser)


@click.command()
@click.option("--reset", is_flag=True, help="Build the demo anew.")
@click.option("--no-dashboard", is_flag=True, help="Build the demo and stop.")
@PORT
@HOST
@BROWSER
@common("table")
def demo(
    session: Session, reset: bool, no_dashboard: bool, port: int | None, host: str | None, no_browser: bool
) -> int:
    """Train the demo's models (about a minute, the first time) and open the dashboard on them."""
    try:
        from copilot.demo.build import build_demo
    except ImportError:
        raise MissingExtraError("The demo", "demo") from None
    from copilot.utils.validators import home_folder

    server = session.analyzer().settings.server
    if not no_dashboard:
        _choose_port(host or server.host, port, server.port)  # a port that is taken is told before the training
    with session.progress("Demo") as progress:
        paths = build_demo(home_folder() / "demo", progress=progress, reset=reset)
    session.note(f"Demo runs: {paths.tracking_uri}")
    session.note(f"Settings:  {paths.config_file}")
    if no_dashboard:
        return 0
    session.config = str(paths.config_file)
    return _serve(session, port, host, no_browser)


@click.command()
@common("table")
def worker(session: Session) -> int:
    """Run background jobs until stopped; the dashboard starts one by itself."""
    from copilot.jobs import run_worker

    settings = session.analyzer().settings
    session.note("Worker running. Ctrl+C stops it.")
    run_worker(settings)
    return 0


def _serve(session: Session, port: int | None, host: str | None, no_browser: bool) -> int:
    from importlib.util import find_spec

    from copilot.utils.resources import app_folder
    from copilot.utils.validators import home_folder

    if find_spec("streamlit") is None:
        raise MissingExtraError("The dashboard", "dashboard")
    settings = session.analyzer().settings
    host = host or settings.server.host
    port = _choose_port(host, port, settings.server.port)
    command = [sys.executable, "-m", "copilot.ui.server", "run", str(app_folder() / "app.py")]
    command += ["--server.address", host, "--server.port", str(port), "--server.headless", "true"]
    log = home_folder() / "dashboard.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=_environment(session), stdout=output, stderr=subprocess.STDOUT) as server,
    ):
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        address = f"http://{_reachable(host)}:{port}"
        _wait_until_up(server, address, log)
        click.echo(f"Dashboard: {address}  (Ctrl+C stops it)")
        if not no_browser and (sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY")):
            click.launch(address)
        try:
            server.wait()
        except KeyboardInterrupt:
            server.terminate()
    return 0


def _reachable(host: str) -> str:
    """The address to open in a browser on this machine."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _environment(session: Session) -> dict[str, str]:
    """The dashboard finds its settings by the environment, since Streamlit has a command line of its own."""
    own = dict(os.environ)
    if session.config:
        own["MLOPS_COPILOT_CONFIG"] = str(Path(session.config).resolve())
    if session.tracking_uri is not None:
        own["MLOPS_COPILOT_MLFLOW__TRACKING_URI"] = session.tracking_uri
    return own


def _choose_port(host: str, asked: int | None, default: int) -> int:
    if asked:
        if not _is_free(host, asked):
            raise InputError(f"Port {asked} is in use.", "Choose another, or --port 0 for any free one.")
        return asked
    candidates = [0] if asked == 0 else [*range(default, default + 20), 0]
    return next(found for c in candidates if (found := _is_free(host, c)))


def _is_free(host: str, port: int) -> int:
    """The port that could be bound (a free one for 0), or 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == 99:
                raise InputError(
                    f"'{host}' is no address of this machine.", "Use 127.0.0.1, or 0.0.0.0 for every address."
                ) from None
            return 0
        return probe.getsockname()[1]


def _wait_until_up(server: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            lines = log.read_text("utf-8", "replace").strip().splitlines()
            raise ToolError(
                f"The dashboard did not start: {lines[-1][:200] if lines else 'no reason was given'}", f"See {log}."
            )
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    server.terminate()
    raise ToolError(f"The dashboard did not answer within {START_TIMEOUT_S:g} s.", "See `mlops-copilot doctor`.")
