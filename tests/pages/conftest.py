"""The dashboard on the demo's runs, driven without a browser."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from copilot import jobs

APP = Path(__file__).resolve().parents[2] / "app.py"
OpenPage = Callable[..., AppTest]


def words(page: AppTest) -> str:
    """Every word that the page shows, Markdown marks and escapes included."""
    elements = [e for kind in ("title", "subheader", "markdown", "caption", "error") for e in page.get(kind)]
    return "\n".join([*(e.value for e in elements), *(e.label for e in page.expander)])


def labels(page: AppTest, kind: str) -> list[str]:
    """The labels of elements that the test driver has no class for, such as page links."""
    return [element.proto.label for element in page.get(kind)]


@pytest.fixture
def settings_file(demo, home, monkeypatch) -> Callable[..., Path]:
    """Make a settings file the dashboard's: the demo's, with sections replaced; None removes one."""

    def write(**sections: dict | None) -> Path:
        values = yaml.safe_load(demo.config_file.read_text()) | sections
        path = home / "settings.yaml"
        path.write_text(yaml.safe_dump({name: value for name, value in values.items() if value is not None}))
        monkeypatch.setenv("MLOPS_COPILOT_CONFIG", str(path))
        return path

    return write


@pytest.fixture
def open_page(settings_file) -> OpenPage:
    """Open a page by its name, with a query; as a new visitor each time."""
    settings_file()

    def visit(name: str, **query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        page.switch_page(f"pages/{name}.py").run()
        assert not page.exception
        return page

    return visit


@pytest.fixture
def overfitted_run(demo) -> str:
    """Id of a demo run that overfits."""
    key = json.loads(demo.answer_key.read_text())
    return next(run for run, answer in key.items() if answer["condition"] == "over-long training")


@pytest.fixture
def demo_runs(demo) -> list[str]:
    """Ids of demo runs with curves on training and validation."""
    key = json.loads(demo.answer_key.read_text())
    return [run for run, answer in key.items() if answer["condition"] in ("over-long training", "healthy")][:4]


def stop_worker() -> None:
    """Stop the worker that a page started for this home folder."""
    with contextlib.suppress(psutil.Error):
        if pid := jobs.worker_pid():
            process = psutil.Process(pid)
            process.terminate()
            process.wait(10)
