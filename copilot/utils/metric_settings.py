"""The settings' section `metrics`: a project's own metric names."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from copilot.utils.name_rules import NameRule, NameRules, check_pattern
from copilot.utils.sections import Section, as_list
from copilot.utils.validators import clean_text


class MetricPair(Section):
    """Two logged names that belong together, whatever they are called."""

    quantity: str = Field(min_length=1, max_length=80, description="What they measure, for instance loss.")
    train: str | None = Field(None, min_length=1, max_length=200, description="Exact name of the training series.")
    val: str | None = Field(None, min_length=1, max_length=200, description="Exact name of the validation series.")
    higher_is_better: bool | None = Field(None, description="Needed where the quantity is not a known measure.")

    @model_validator(mode="after")
    def _a_side(self) -> MetricPair:
        if self.train is None and self.val is None:
            raise ValueError("name the series of train, val or both")
        if self.train == self.val:
            raise ValueError("train and val are the same series")
        return self


class MetricsSettings(Section):
    train: str | list[str] | None = Field(
        None, description="Pattern, or patterns, of training metric names; {} stands for the quantity."
    )
    val: str | list[str] | None = Field(
        None, description="Pattern, or patterns, of validation metric names; {} stands for the quantity."
    )
    pairs: list[MetricPair] = Field([], max_length=200, description="Names that belong together, one pair an entry.")
    ignore: str | list[str] = Field([], description="Names to pass over; * stands for any text.")

    @field_validator("train", "val", "ignore", mode="before")
    @classmethod
    def _lone_braces(cls, value: Any) -> Any:
        return "{}" if value == {} else value  # `{}` alone is a mapping in YAML and JSON

    @field_validator("train", "val", "ignore")
    @classmethod
    def _patterns(cls, value: str | list[str] | None) -> str | list[str] | None:
        for pattern in as_list(value) or []:
            check_pattern(pattern)
        return value

    @model_validator(mode="after")
    def _sides_differ(self) -> MetricsSettings:
        both = {*(as_list(self.train) or [])} & {*(as_list(self.val) or [])}
        if both:
            raise ValueError(f"{clean_text(min(both), 60)!r} stands for both train and val")
        for side in ("train", "val"):
            named = [name for pair in self.pairs if (name := getattr(pair, side)) is not None]
            if twice := [name for name in named if named.count(name) > 1]:
                raise ValueError(f"pairs: {clean_text(twice[0], 60)!r} is the {side} series of two pairs")
        return self

    @property
    def rules(self) -> NameRules:
        """What the readers take as `train_pattern` and `val_pattern`: patterns, pairs and ignored names."""
        ignored = [NameRule(p, ignore=True) for p in as_list(self.ignore)]
        sides = {
            side: tuple(
                [*ignored, *(NameRule(p) for p in as_list(getattr(self, side)) or [])]
                + [
                    NameRule(name, pair.quantity, pair.higher_is_better, exact=True)
                    for pair in self.pairs
                    if (name := getattr(pair, side)) is not None
                ]
            )
            for side in ("train", "val")
        }
        return NameRules(sides["train"] or None, sides["val"] or None)
