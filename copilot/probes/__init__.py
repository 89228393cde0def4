"""The one list of probes: evidence that needs the model or the images."""

from __future__ import annotations

from copilot.probes.attribution import Attribution
from copilot.probes.augmentation import Augmentation
from copilot.probes.base import BaseProbe
from copilot.probes.calibration import Calibration
from copilot.probes.class_gap import ClassGap
from copilot.probes.invariance import Invariance
from copilot.probes.memorisation import Memorisation
from copilot.probes.robustness import Robustness
from copilot.probes.shortcut import Shortcut
from copilot.probes.weights import WeightSpectra

BUILT_IN: tuple[type[BaseProbe], ...] = (
    ClassGap,
    Calibration,
    Memorisation,
    Attribution,
    Shortcut,
    Robustness,
    Augmentation,
    WeightSpectra,
    Invariance,
)
