"""Answer texts: every file is used, and uses no slot that nobody fills."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from copilot.chat import answerer
from copilot.chat.prompts import load_prompt
from copilot.errors import ToolError
from copilot.utils.resources import app_folder

TEXTS = sorted(p.stem for p in (app_folder() / "prompts" / "answers").glob("*.md"))


def test_every_text_is_used_and_there_is_no_other():
    source = Path(answerer.__file__).read_text()
    used = set(re.findall(r'say\(\s*"(\w+)"', source)) | set(re.findall(r'"(\w+)" if i else "\w+"', source))
    used |= set(re.findall(r'"\w+" if i else "(\w+)"', source))
    assert set(TEXTS) == used


@pytest.mark.parametrize("name", TEXTS)
def test_texts_hold_no_number_and_are_sentences(name):
    raw = (app_folder() / "prompts" / "answers" / f"{name}.md").read_text().strip()
    assert not re.search(r"\d", raw)
    assert "\n" not in raw
    assert raw.endswith((".", "}"))


def test_a_slot_that_nobody_fills_is_told():
    with pytest.raises(ToolError, match="best_epoch"):
        load_prompt("answers/best", ("quantity", "val_best"))


@pytest.mark.parametrize("name", ["answers/none", "../pyproject", "answers/"])
def test_a_text_that_is_not_there_is_told(name):
    with pytest.raises(ToolError, match="cannot be read"):
        load_prompt(name)


@pytest.mark.parametrize("text", ["a {broken", "an {odd.__class__} slot", "a {0} slot", "an {} slot"])
def test_a_text_with_a_broken_slot_is_told(tmp_path, monkeypatch, text):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "x.md").write_text(text)
    monkeypatch.setattr("copilot.chat.prompts.app_folder", lambda: tmp_path)
    load_prompt.cache_clear()
    with pytest.raises(ToolError):
        load_prompt("x", ("odd",))
    load_prompt.cache_clear()
