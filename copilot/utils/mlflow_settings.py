"""Settings of the MLflow store that runs are read from."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from copilot.utils.sections import Section, Words
from copilot.utils.validators import clean_text


class MlflowSettings(Section):
    tracking_uri: str | None = Field(None, description="Server, sqlite:/// file or folder that holds the runs.")
    tracking_uris: Words = Field([], description="Several of them, which `scan` goes through at once.")
    experiment_name: str | None = Field(None, description="Experiment that is opened first.")
    timeout_s: float = Field(6.0, gt=0, le=600, description="Longest wait for one answer of a tracking server.")
    max_retries: int = Field(1, ge=0, le=10, description="Times that a failed request is tried again.")
    cache: bool = Field(True, description="Keep a copy of curves in the home folder, so that only new ones are read.")
    write_back: bool = Field(
        False, description="Write the verdict into the runs: tags copilot.*, the analysis as a file."
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers sent to the tracking server, such as a gateway's key."
    )

    @field_validator("headers")
    @classmethod
    def _one_line_each(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
                raise ValueError(f"'{clean_text(name, 40)}' is no name of a header")
            if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?", secret.get_secret_value()):
                raise ValueError(f"the value of {name} must be one line of plain characters")
        return value
