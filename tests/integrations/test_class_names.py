"""Which class of the images each output of a model stands for."""

from __future__ import annotations

import pytest

from copilot.errors import InputError
from copilot.integrations.class_names import shared_classes


def test_outputs_are_matched_to_folders():
    ten = tuple(str(i) for i in range(10))
    assert shared_classes((), 10, ten, (*ten, "new")) == (*ten, "new")
    assert shared_classes(("b", "a"), 2, ("a", "b"), ("a",)) == ("b", "a")
    assert shared_classes(("a", "a"), 2, ("a", "b"), ()) == ("a", "b")
    assert shared_classes((), 10, ("1", "7"), ("1",)) == ten
    assert shared_classes((), 10, ("01", "7"), ())[:2] == ("0", "01")


def test_what_cannot_be_matched_is_told():
    with pytest.raises(InputError, match="10 classes, but the training folder has 2"):
        shared_classes((), 10, ("cat", "dog"), ())
    with pytest.raises(InputError, match="10 classes, but the training folder has 2"):
        shared_classes((), 10, ("1", "01"), ())
    with pytest.raises(InputError, match="'cat', the training folder has classes such as '0'"):
        shared_classes(("cat", "dog"), 2, ("0", "1"), ())
