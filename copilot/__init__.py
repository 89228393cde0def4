"""MLOps Copilot: is this training run overfitting, since when, why, and what to do about it.

Names are resolved on first use, so that importing the package (and ``mlops-copilot --help``) loads no NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from copilot.analyzer import CopilotAnalyzer
    from copilot.core.decisions import MonitorDecision
    from copilot.core.history import RunHistory
    from copilot.errors import CopilotError, QualityGateError
    from copilot.hooks import after_training
    from copilot.monitor import OverfitMonitor
    from copilot.results import AnalysisList, AnalysisResult
    from copilot.utils.config import Settings

__version__ = "0.1.0"

_HOMES = {
    "CopilotAnalyzer": "copilot.analyzer",
    "RunHistory": "copilot.core.history",
    "CopilotError": "copilot.errors",
    "QualityGateError": "copilot.errors",
    "after_training": "copilot.hooks",
    "MonitorDecision": "copilot.core.decisions",
    "OverfitMonitor": "copilot.monitor",
    "AnalysisList": "copilot.results",
    "AnalysisResult": "copilot.results",
    "Settings": "copilot.utils.config",
}
__all__ = [
    "AnalysisList",
    "AnalysisResult",
    "CopilotAnalyzer",
    "CopilotError",
    "MonitorDecision",
    "OverfitMonitor",
    "QualityGateError",
    "RunHistory",
    "Settings",
    "__version__",
    "after_training",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'copilot' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
