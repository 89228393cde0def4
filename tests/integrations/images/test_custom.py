"""Functions of one's own: off by default, and held to what they return."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.custom import open_function
from copilot.utils.config import ImagesSettings

ALLOWED = ImagesSettings(allow_functions=True)


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(body):
        name = f"own_images_{abs(hash(body))}"
        (tmp_path / f"{name}.py").write_text("import numpy as np\n" + textwrap.dedent(body))
        return f"{name}:load"

    return write


def test_it_is_refused_unless_the_settings_allow_it(module, tmp_path):
    named = module(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef load(): pass")
    with pytest.raises(InputError, match="is off") as caught:
        open_function(named, ImagesSettings())
    assert "images.allow_functions: true" in caught.value.hint
    assert "your rights" in caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_arrays_with_and_without_names(module):
    plain = open_function(module("def load(): return np.arange(24.).reshape(2, 3, 4) / 23, [1, 0]"), ALLOWED)
    assert plain.class_names == ("0", "1")
    assert plain.read([1]).max() == 255
    named = open_function(
        module("def load(): return np.zeros((2, 3, 4, 4), 'uint8'), np.array(['b', 'a']), ['a', 'b', 'c']"), ALLOWED
    )
    assert named.labels.tolist() == [1, 0]
    assert named.class_names == ("a", "b", "c")
    assert named.fingerprint() != plain.fingerprint()


def test_a_list_of_paths(module, tmp_path):
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(tmp_path / "a.png")
    images = open_function(module("def load(): return [('a.png', 'cat'), ('gone.png', 'dog')]"), ALLOWED)
    assert images.class_counts() == {"cat": 1, "dog": 1}
    assert images.sample().tolist() == [0]
    assert images.image(0)[0, 0, 0] == 7


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("def load(): raise ValueError('no\\x1b disk')", "ValueError: no disk"),
        ("import sys\ndef load(): sys.exit(3)", "SystemExit: 3"),
        ("def other(): pass", "AttributeError"),
        ("def load(x): pass", "TypeError"),
        ("def load(): return 5", "returned a int"),
        ("def load(): return np.zeros((2, 3, 4)), [0], ['a'], 1", "returned a tuple of 4"),
        ("def load(): return []", "returned no images"),
        ("def load(): return np.zeros((2, 3, 4)), [0]", "there are 2 images"),
        ("def load(): return np.zeros((2, 3)), [0, 1]", "not one of images"),
        ("def load(): return [[1, 2], [1]], [0, 1]", "no arrays"),
        ("def load(): return [('a.png', [1, 2]), ('b.png', 3)]", "labels of different kinds"),
    ],
)
def test_what_goes_wrong_is_one_line(module, body, line):
    with pytest.raises(InputError, match=line):
        open_function(module(body), ALLOWED)


def test_the_working_folder_is_searched_only_meanwhile(module):
    before = list(sys.path)
    with pytest.raises(InputError, match="ModuleNotFoundError"):
        open_function("no_such_module_here:load", ALLOWED)
    open_function(module("def load(): return np.zeros((1, 3, 4)), [0]"), ALLOWED)
    assert sys.path == before
