"""How settings reach a worker: a job carries them without secrets, the worker's own environment holds the secrets."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import SecretStr, ValidationError

from copilot.errors import InputError
from copilot.utils.config import Settings
from copilot.utils.validators import without_credentials

_PREFIX = "MLOPS_COPILOT_"


def has_credentials(value: Any) -> bool:
    """Whether some text in a JSON value holds a password or key inside an address."""
    if isinstance(value, dict):
        return any(has_credentials(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(has_credentials(item) for item in value)
    return isinstance(value, str) and without_credentials(value) != value


def with_secrets_of(own: Settings, public: dict[str, Any]) -> Settings:
    """A job's settings, with what they leave out taken from the worker's own.

    Parameters
    ----------
    own : Settings
        The worker's.
    public : dict
        ``Settings.public()`` of whoever submitted the job.

    Raises
    ------
    InputError
        A secret that the worker does not have, or a setting that it does not know.
    """
    known, raw = own.public(), own.model_dump()
    try:
        return Settings.model_construct(
            **{
                name: field.annotation.model_validate(_merge(public[name], known[name], raw[name], name))
                if name in public
                else getattr(own, name)
                for name, field in Settings.model_fields.items()
            }
        )
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(
            f"The worker does not know the setting {place}.", "Restart it: it runs another version."
        ) from error


def _merge(theirs: Any, ours: Any, raw: Any, place: str) -> Any:
    if isinstance(theirs, dict):
        ours, raw = (value if isinstance(value, dict) else {} for value in (ours, raw))
        return {key: _merge(value, ours.get(key), raw.get(key), f"{place}.{key}") for key, value in theirs.items()}
    if not isinstance(theirs, str) or "***" not in theirs:
        return theirs
    if theirs != ours:
        raise InputError(
            f"The worker does not know the password or key in {place}.",
            "Put it in the worker's settings file or environment, then start the worker again.",
        )
    return raw


def worker_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with exactly these settings, secrets included, for a child that reads no file."""
    sections = tuple(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields)
    inherited = {key: value for key, value in os.environ.items() if not key.upper().startswith(sections)}
    return inherited | {
        f"{_PREFIX}{name.upper()}": json.dumps(getattr(settings, name).model_dump(), default=_revealed)
        for name in Settings.model_fields
    }


def _revealed(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
