"""The ``mlops-copilot`` command: its group, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import difflib
import sys
import traceback
from importlib import import_module
from io import TextIOWrapper

import click

from copilot import __version__
from copilot.errors import CopilotError

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
# Command -> module that holds it; a module is imported when one of its commands is listed or run.
_COMMANDS = {
    "analyze": "analysis",
    "scan": "analysis",
    "compare": "comparing",
    "crossval": "comparing",
    "history": "comparing",
    "report": "analysis",
    "ask": "analysis",
    "watch": "watching",
    "validate": "models",
    "batch": "models",
    "data": "data",
    "research": "research",
    "dashboard": "serving",
    "demo": "serving",
    "worker": "serving",
    "doctor": "housekeeping",
    "config": "housekeeping",
    "checks": "housekeeping",
}


class Commands(click.Group):
    """A group that imports its commands when they are needed and names the nearest one for a typing error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return getattr(import_module(f"copilot.cli.{_COMMANDS[name]}"), name)

    def resolve_command(self, ctx: click.Context, args: list[str]):
        name = args[0] if args else ""
        if self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else "See `mlops-copilot --help`."
            raise click.UsageError(f"Unknown command '{name[:60]}'. {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings=_HELP, no_args_is_help=False, invoke_without_command=True)
@click.version_option(__version__, prog_name="mlops-copilot")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Is this training run overfitting, since when, why, and what to do about it."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("No command was given. Start with `mlops-copilot demo` or see `mlops-copilot --help`.")


def main(argv: list[str] | None = None) -> None:
    """Run the command.

    Exit codes: 0 done, 1 a finding at or above ``--fail-on``, 2 wrong input, 3 an outside tool failed.
    """
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without a sign prints a question mark instead of failing
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="mlops-copilot", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        _fail("Stopped.", 130)
    except click.ClickException as error:
        message = " ".join(error.format_message().split())
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "mlops-copilot"
        hint = "" if "--help`" in message or "Did you mean" in message else f" See `{where} --help`."
        _fail(message + hint, 2)
    except CopilotError as error:
        if debug:
            traceback.print_exc()
        _fail(str(error), error.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        reason = " ".join(str(error).split())[:200]
        _fail(f"Unexpected {type(error).__name__}: {reason} Run again with --debug to see where.", 3)


def _fail(line: str, code: int) -> None:
    from copilot.utils.validators import clean_text

    click.echo(f"Error: {clean_text(line, 1500)}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
