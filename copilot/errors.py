"""Errors a person can act on: each says what was wrong and, as a hint, what to do."""

from __future__ import annotations


class CopilotError(Exception):
    """Base of every error that the package raises on purpose.

    Parameters
    ----------
    message : str
        What was wrong, in one line, naming the thing.
    hint : str, optional
        What to do about it, in one line.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = " ".join(str(message).split())
        self.hint = " ".join(str(hint).split())
        super().__init__(self.message)

    def __reduce__(self) -> tuple:
        return _rebuilt, (type(self), self.message, self.hint)

    def __str__(self) -> str:
        ended = not self.hint or self.message.endswith((".", "?", "!", "…"))
        return f"{self.message}{'' if ended else '.'} {self.hint}".strip()


class InputError(CopilotError):
    """Wrong usage, or input that cannot be read (exit code 2)."""


class ConfigError(InputError):
    """A settings file or setting that is not valid (exit code 2)."""


class NotFoundError(InputError):
    """A run, model, file or revision that is not there (exit code 2)."""


class ToolError(CopilotError):
    """An outside tool failed or was out of reach (exit code 3)."""

    exit_code = 3


class OutOfReachError(ToolError):
    """A server that does not answer (exit code 3): asking it for more is in vain."""


class MissingExtraError(ToolError):
    """A feature whose optional packages are not installed (exit code 3)."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.", f"Install them: pip install 'mlops-copilot[{extra}]'"
        )


class MissingPackageError(ToolError):
    """A feature that builds on a package of the person's own choice, which is not there (exit code 3)."""

    def __init__(self, feature: str, package: str) -> None:
        super().__init__(f"{feature} needs {package}, which cannot be imported.", f"Install it: pip install {package}")


class QualityGateError(CopilotError):
    """A finding is as severe as the caller does not accept (exit code 1); ``result`` is the analysis."""

    exit_code = 1
    result: object = None


class JobCancelled(CopilotError):
    """The person stopped this work."""


def _rebuilt(kind: type[CopilotError], message: str, hint: str) -> CopilotError:
    """An error as it was in another process, whatever its class asks for when it is made."""
    error = kind.__new__(kind)
    CopilotError.__init__(error, message, hint)
    return error
