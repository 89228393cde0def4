from pathlib import Path

import pytest

from copilot.errors import CopilotError, InputError
from copilot.utils.validators import clean_text, home_folder, safe_file_name, without_credentials


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("  two\n lines\t", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("abc\u202egnp.exe", "abc gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("half \ud800 a pair", "half a pair"),
        ("tag\U000e0041", "tag"),
        ("Grün 猫 ☃ 🙂", "Grün 猫 ☃ 🙂"),
        (None, "None"),
        (12, "12"),
        ("", ""),
    ],
)
def test_outside_text_becomes_one_plain_line(text, cleaned):
    assert clean_text(text) == cleaned
    clean_text(text).encode()


def test_long_text_is_cut_with_an_ellipsis():
    assert clean_text("x" * 500) == "x" * 199 + "…"
    assert clean_text("abcdef", 4) == "abc…"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("http://me:pw@host:5000/x", "http://***@host:5000/x"),
        ("http://me:p@w@host", "http://***@host"),
        ("see postgresql+psycopg://me:pw@host/db now", "see postgresql+psycopg://***@host/db now"),
        ("https://host/x?api_key=pw&b=1", "https://host/x?api_key=***&b=1"),
        ("https://host/x?b=1&X-Amz-Signature=pw", "https://host/x?b=1&X-Amz-Signature=***"),
        ("two: http://a:pw@h and ftp://b:pw@h", "two: http://***@h and ftp://***@h"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
        ("models:/name@champion", "models:/name@champion"),
        ("http://host:5000/#/experiments/1", "http://host:5000/#/experiments/1"),
    ],
)
def test_credentials_are_taken_out_of_addresses(text, public):
    assert without_credentials(text) == public


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("run 1", "run-1"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("...", "run"),
        ("☃", "run"),
        ("", "run"),
        ("x" * 300, "x" * 80),
        ("CON\x00\n", "CON"),
    ],
)
def test_file_names_from_outside_text(text, name):
    assert safe_file_name(text) == name


def test_home_folder_is_made_and_follows_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path / "a" / "b"))
    assert home_folder() == tmp_path / "a" / "b"
    assert home_folder().is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLOPS_COPILOT_HOME", "~/mine")
    assert home_folder() == tmp_path / "mine"


def test_home_folder_by_default_is_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLOPS_COPILOT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder().name == "mlops-copilot"
    assert tmp_path in home_folder().parents


def test_a_home_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    Path(tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("MLOPS_COPILOT_HOME", str(place))
        with pytest.raises(InputError, match="MLOPS_COPILOT_HOME"):
            home_folder()


def test_an_error_is_one_line_that_ends_before_its_hint():
    assert str(CopilotError("Not\n there", "Look\telsewhere.")) == "Not there. Look elsewhere."
    assert str(CopilotError("Why?", "Because.")) == "Why? Because."
    assert str(CopilotError("alone")) == "alone"
