"""What every section of the settings is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


def as_list(value: Any) -> Any:
    """A lone text as a list of one."""
    return [value] if isinstance(value, str) else value


Words = Annotated[list[str], BeforeValidator(as_list)]
