"""Which class of the images each output of a model stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from copilot.errors import InputError
from copilot.utils.validators import clean_text


def shared_classes(known: Sequence[str], outputs: int, train: Sequence[str], test: Sequence[str]) -> tuple[str, ...]:
    """Names of the model's outputs, in order, then the classes that only the images have.

    Parameters
    ----------
    known : sequence of str
        Class names that the model says of itself (``InputSpec.class_names``); may be empty.
    outputs : int
        Number of classes that the model scores.
    train, test : sequence of str
        Class names of the training and the test images.

    Returns
    -------
    tuple of str
        The first `outputs` of them are the model's own.

    Raises
    ------
    InputError
        Nothing says which output stands for which class of the images.
    """
    if len(set(known)) == len(known) == outputs:
        names = list(known)
    elif len(train) == outputs:
        names = list(train)
    elif by_number := _numbered(outputs, train):
        names = [by_number.get(number, str(number)) for number in range(outputs)]
    else:
        raise InputError(
            f"The model has {outputs} classes, but the training folder has {len(train)}.",
            "Log class_names as the model's metadata, or pass the folder that it was trained on.",
        )
    if not set(names) & set(train):
        first, own = clean_text(names[0], 80), clean_text(train[0], 80)
        raise InputError(
            f"The model knows classes such as {first!r}, the training folder has classes such as {own!r}.",
            "Pass the folder that the model was trained on.",
        )
    return tuple(dict.fromkeys([*names, *train, *test]))


def _numbered(outputs: int, names: Sequence[str]) -> dict[int, str]:
    """Names by the output that they number, where each of them is such a number; else nothing."""
    if not all(re.fullmatch(r"[0-9]{1,6}", name) and int(name) < outputs for name in names):
        return {}
    found = {int(name): name for name in names}
    return found if len(found) == len(names) else {}
