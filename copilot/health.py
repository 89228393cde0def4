"""Whether the installation and what it talks to work: one line a thing, with what to do."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Any, Literal

from copilot.core.findings import Document
from copilot.errors import CopilotError
from copilot.utils.sandbox import isolation_available
from copilot.utils.validators import clean_text, home_folder

_EXTRAS = {
    "dashboard": ("streamlit", "the dashboard"),
    "pdf": ("weasyprint", "PDF reports"),
    "models": ("torch", "loading models"),
    "deepchecks": ("deepchecks", "Deepchecks suites"),
    "dvc": ("dvc", "data versions"),
    "research": ("chromadb", "paper search"),
    "tensorboard": ("tensorboard", "TensorBoard event files"),
    "demo": ("sklearn", "the demo"),
}


class HealthItem(Document):
    """One thing looked at. ``failed`` needs mending; ``off`` is not set up and not needed for the rest."""

    name: str
    state: Literal["ok", "off", "failed"]
    detail: str
    hint: str = ""


def look(analyzer: Any) -> list[HealthItem]:
    """Look at everything; nothing here raises. `analyzer` is a `CopilotAnalyzer`, which stands above this file."""
    return [
        HealthItem(name="Python", state="ok", detail=sys.version.split()[0]),
        _name_clash(),
        _try("Home folder", lambda: str(home_folder()), "Set MLOPS_COPILOT_HOME to a folder you may write to."),
        _try("Store", lambda: f"{analyzer.store.name}, works"),
        *_extras(),
        _pdf_libraries(),
        _isolation(),
        _tracking(analyzer),
        _data(analyzer),
    ]


def _try(name: str, probe: Callable[[], str], hint: str = "") -> HealthItem:
    try:
        return HealthItem(name=name, state="ok", detail=probe())
    except CopilotError as error:
        return HealthItem(name=name, state="failed", detail=error.message, hint=error.hint)
    except Exception as error:  # a look at what is broken must not break
        detail = clean_text(f"{type(error).__name__}: {error}")
        return HealthItem(name=name, state="failed", detail=detail, hint=hint)


def _name_clash() -> HealthItem:
    """Another distribution installs a top-level package of the same name."""
    try:
        distribution("github-copilot-sdk")
    except PackageNotFoundError:
        return HealthItem(name="Package name", state="ok", detail="import copilot is ours")
    detail = "github-copilot-sdk also installs a package named `copilot`"
    return HealthItem(
        name="Package name", state="failed", detail=detail, hint="Use an environment of its own for one of the two."
    )


def _extras() -> list[HealthItem]:
    items = []
    for extra, (module, purpose) in _EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            hint = f"pip install 'mlops-copilot[{extra}]'"
            items.append(HealthItem(name=module, state="off", detail=f"not installed: no {purpose}", hint=hint))
        else:
            package = "scikit-learn" if module == "sklearn" else module
            items.append(_try(module, lambda package=package, purpose=purpose: f"{version(package)}, for {purpose}"))
    return items


def _pdf_libraries() -> HealthItem:
    if importlib.util.find_spec("weasyprint") is None:
        return HealthItem(name="Pango", state="off", detail="PDF reports are not installed")

    def probe() -> str:
        from copilot.reporting.pdf import check_libraries

        check_libraries()
        return "found, PDF reports work"

    return _try("Pango", probe)


def _isolation() -> HealthItem:
    """Pickled models are loaded only where their code can be isolated."""
    reason = isolation_available()
    detail = f"cannot be isolated, so they are refused: {reason}" if reason else "can be isolated, off by default"
    hint = "Log models as .pt2 or ONNX." if reason else ""
    return HealthItem(name="Pickled models", state="off" if reason else "ok", detail=detail, hint=hint)


def _tracking(analyzer: Any) -> HealthItem:
    if not analyzer.settings.mlflow.tracking_uri:
        hint = "Set mlflow.tracking_uri or MLFLOW_TRACKING_URI, or run `mlops-copilot demo`."
        return HealthItem(name="MLflow", state="off", detail="no tracking URI is set", hint=hint)
    return _try(
        "MLflow", lambda: f"{analyzer.source.public_uri}: {_count(len(analyzer.source.experiments()), 'experiment')}"
    )


def _data(analyzer: Any) -> HealthItem:
    if not analyzer.settings.dvc.data_path:
        return HealthItem(
            name="DVC data", state="off", detail="no data path is set", hint="Set dvc.repo and dvc.data_path."
        )
    place = clean_text(analyzer.settings.dvc.data_path)
    return _try("DVC data", lambda: f"{_count(len(analyzer.data_versions()), 'version')} of {place}")


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"
