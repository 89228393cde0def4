from __future__ import annotations

import json
import subprocess
import sys

import pytest

from copilot.core.findings import Analysis
from copilot.errors import InputError
from copilot.reporting import FORMATS, render
from tests.reporting import documents


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "pdf"])
@pytest.mark.parametrize("name", documents.ALL)
def test_every_format_of_every_document_is_text_in_utf8(format: str, name: str):
    text = render(documents.ALL[name](), format)
    assert isinstance(text, str)
    assert text.encode("utf-8")


def test_json_is_the_document_itself():
    analysis = documents.overfitting()
    text = render(analysis, "json")
    assert Analysis.model_validate_json(text) == analysis
    assert json.loads(text)["schema_version"] == "1"


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(InputError, match="Unknown report format: docx") as caught:
        render(documents.overfitting(), "docx")
    assert "sarif" in caught.value.hint


def test_importing_reports_loads_nothing_heavy():
    code = "import sys, copilot.reporting; print([m for m in ('weasyprint', 'jinja2', 'plotly') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
