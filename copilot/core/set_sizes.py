"""How many images a run says it trained and validated on, read from its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAMES = {
    "train": re.compile(
        r"(?i)^(?:n|num|size)?_?(?:train|training)_?(?:n|num|size|set_?size|samples|images|examples|count|rows)?$"
    ),
    "val": re.compile(
        r"(?i)^(?:n|num|size)?_?(?:val|valid|validation)_?(?:n|num|size|set_?size|samples|images|examples|count|rows)?$"
    ),
}


def set_size(params: Mapping[str, Any], split: str) -> int | None:
    """Images in the training or validation set, if the run logged a parameter such as ``n_train``."""
    for name, value in params.items():
        if _NAMES[split].match(name):
            try:
                size = float(value)
            except (TypeError, ValueError):
                continue
            if size > 1 and size.is_integer():  # 1 is a switch
                return int(size)
    return None
