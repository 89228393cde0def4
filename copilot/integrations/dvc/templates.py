"""Stages that dvc.yaml writes once and means many times (foreach, matrix), and the ${...} in its texts.

Only what plain values tell is filled in; an expression that leads nowhere stays as it is written.
Source: https://dvc.org/doc/user-guide/project-structure/dvcyaml-files
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_STAGES = 10_000
_EXPRESSION = re.compile(r"\$\{\s*([\w.\-\[\]]{1,200})\s*\}")


def expanded(name: str, stage: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stages that a definition stands for, with its expressions filled in.

    Parameters
    ----------
    name : str
    stage : mapping
        What dvc.yaml holds under that name.
    known : mapping
        Values by name, of ``vars`` and params.yaml.
    """
    if "foreach" in stage:
        items, body = filled(stage["foreach"], known), stage.get("do")
        pairs = items.items() if isinstance(items, dict) else _named(items)
        for key, item in itertools.islice(pairs, MAX_STAGES):
            if isinstance(body, dict):
                own = {"item": item, "key": key} if isinstance(items, dict) else {"item": item}
                yield f"{name}@{key}", filled(body, {**known, **own})
    elif isinstance(stage.get("matrix"), dict):
        axes = {str(axis): filled(values, known) for axis, values in stage["matrix"].items()}
        body = {key: value for key, value in stage.items() if key != "matrix"}
        for key, item in itertools.islice(_combined(axes), MAX_STAGES):
            yield f"{name}@{key}", filled(body, {**known, "item": item, "key": key})
    else:
        yield name, filled(dict(stage), known)


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """`value` with ``${a.b}`` replaced wherever `known` has it; a text that is one expression becomes its value."""
    if isinstance(value, dict):
        return {filled(key, known) if isinstance(key, str) else key: filled(v, known) for key, v in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    if whole := _EXPRESSION.fullmatch(value):
        found = _find(whole[1], known)
        return value if found is None else found
    return _EXPRESSION.sub(lambda match: _as_text(_find(match[1], known), match[0]), value)


def _find(expression: str, known: Mapping[str, Any]) -> Any:
    at: Any = known
    for part in expression.replace("[", ".").replace("]", "").split("."):
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list) and part.isdecimal() and int(part) < len(at):
            at = at[int(part)]
        else:
            return None
    return at


def _as_text(value: Any, written: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else written


def _named(items: Any) -> Iterator[tuple[str, Any]]:
    """Items of a list: a plain one is named by itself, another one by its place, as DVC does."""
    for place, item in enumerate(items if isinstance(items, list) else ()):
        plain = isinstance(item, (str, int, float, bool))
        yield (_as_text(item, "") if plain else str(place)), item


def _combined(axes: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    lists = [values if isinstance(values, list) else [] for values in axes.values()]
    if math.prod(map(len, lists)) > MAX_STAGES:
        return
    for places in itertools.product(*(range(len(values)) for values in lists)):
        item = {axis: values[at] for (axis, values), at in zip(axes.items(), places, strict=True)}
        names = [
            _as_text(value, "") if isinstance(value, (str, int, float, bool)) else f"{axis}{at}"
            for (axis, value), at in zip(item.items(), places, strict=True)
        ]
        yield "-".join(names), item
