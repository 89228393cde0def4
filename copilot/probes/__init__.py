"""The one list of probes: evidence that needs the model or the images."""

from __future__ import annotations

from copilot.probes.base import BaseProbe

BUILT_IN: tuple[type[BaseProbe], ...] = ()
