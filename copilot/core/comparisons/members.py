"""The runs of a group, and the versions of a registered model that they belong to, as stores tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from copilot.core.comparisons.params import fold_number
from copilot.core.history import RunHistory
from copilot.core.set_sizes import set_size
from copilot.utils.validators import clean_text

NAME_LENGTH = 60


@dataclass(frozen=True)
class GroupMember:
    """One run of a group: its history and what the tracking store says of it. Text is as it was logged.

    ``datasets`` are its inputs, each as context, name and digest; ``started`` is in seconds since 1970.
    """

    history: RunHistory
    run_id: str | None = None
    run_name: str | None = None
    parent_run_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    verdict: str | None = None
    datasets: tuple[tuple[str, str, str], ...] = ()
    started: float | None = None

    @property
    def params(self) -> Mapping[str, Any]:
        return self.history.params

    @property
    def label(self) -> str:
        """The run's name, which others of its group may have too: sentences take `RunGroup.labels`."""
        return clean_text(self.run_name or self.run_id or self.history.name, NAME_LENGTH)

    @cached_property
    def fold(self) -> int | None:
        """The number of its fold where a parameter or tag says so."""
        found = fold_number(self.params)
        return fold_number(self.tags) if found is None else found

    @cached_property
    def n_train(self) -> int | None:
        return set_size(self.params, "train")

    @cached_property
    def n_val(self) -> int | None:
        return set_size(self.params, "val")


@dataclass(frozen=True)
class RegisteredVersion:
    """A version as the registry has it; ``reason`` says why its run could not be read."""

    version: str
    run_id: str | None
    stage: str = ""
    aliases: tuple[str, ...] = ()
    reason: str = ""
