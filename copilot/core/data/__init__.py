"""Judging data sets from what was measured on their images: arrays in, outcomes out.

`BUILT_IN` is the one list of the checks of a training and a validation set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from copilot.core.checks import make_checks
from copilot.core.checks.base import BaseCheck
from copilot.core.data.class_balance import ClassBalance
from copilot.core.data.duplicates import Duplicates
from copilot.core.data.embedding_drift import EmbeddingDrift
from copilot.core.data.groups import SplitGroups
from copilot.core.data.image_quality import ImageQuality
from copilot.core.data.label_drift import LabelDrift
from copilot.core.data.label_noise import LabelNoise
from copilot.core.data.property_drift import PropertyDrift
from copilot.core.data.validation_size import ValidationSize

BUILT_IN: tuple[type[BaseCheck], ...] = (
    Duplicates,
    LabelNoise,
    ClassBalance,
    ValidationSize,
    ImageQuality,
    SplitGroups,
    PropertyDrift,
    LabelDrift,
    EmbeddingDrift,
)
_ELSEWHERE = ("OVF401",)  # compares revisions from file lists, and has its thresholds there


def load_data_checks(
    overrides: Mapping[str, Mapping[str, Any]] | None = None, ignore: Iterable[str] = ()
) -> list[BaseCheck]:
    """Make every data check with its thresholds; parameters and errors as in `core.checks.load_checks`."""
    own = {code: given for code, given in (overrides or {}).items() if code not in _ELSEWHERE}
    return make_checks(BUILT_IN, own, None, [code for code in ignore if code not in _ELSEWHERE])
