"""Image sets as an examination opens them: in the process of the person, and again in each child."""

from __future__ import annotations

from typing import Any

from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.folder import ImageFolder

MAX_TOLD = 50  # images that could not be read: so many are named


def open_set(named: str, sources: dict[str, Any]) -> ImageSet:
    """The image set that was named; `sources` are the sections of the settings that say how (``Settings.public()``)."""
    return ImageFolder(named)


def skipped_in(*sets: ImageSet) -> list[str]:
    """A line for each image that could not be read."""
    lines = [f"{images.origin}/{name}: {why}" for images in sets for name, why in images.skipped.items()]
    return [*lines[:MAX_TOLD], *([f"and {len(lines) - MAX_TOLD} more"] if len(lines) > MAX_TOLD else [])]
