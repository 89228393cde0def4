"""Rules of the repository that a person could break without noticing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = sorted((REPOSITORY / "requirements").glob("*.txt"))


def _pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", path.read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_by_hash_and_name_no_host(path: Path):
    text = path.read_text()
    starts = re.findall(r"^[A-Za-z0-9].*", text, flags=re.MULTILINE)
    assert starts
    assert [line for line in starts if "==" not in line or not line.endswith("\\")] == []
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_requirement_files_agree():
    dev = _pins(REPOSITORY / "requirements" / "dev.txt")
    for path in REQUIREMENTS:
        if path.stem.startswith("mlflow-"):  # environments of other versions, for tests
            continue
        assert _pins(path).items() <= dev.items(), path.name


def test_requirements_cover_what_the_project_asks_for():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(line for name, lines in extras.items() if name != "dev" for line in lines)]
    names = {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in asked} - {"mlops-copilot"}
    assert names <= set(_pins(REPOSITORY / "requirements" / "all.txt"))
    grouped = set(re.search(r"\[(.*)\]", extras["all"][0]).group(1).split(","))
    assert grouped == set(extras) - {"all", "dev"}
