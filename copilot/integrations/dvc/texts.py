"""YAML, JSON and TOML that somebody else wrote: read into plain values within bounds of size, depth and repetition.

A deep YAML file overflows the stack of PyYAML's C code and ends the process, and a few lines of aliases can stand for
millions of values: both are seen in the stream of events, before anything is built. Plain words are read as YAML 1.2
has them, which DVC writes (``1e-3`` is a number, ``no`` is a word).
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import yaml

MAX_BYTES = 50_000_000
MAX_DEPTH = 60
MAX_VALUES = 5_000_000
_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):
    """Safe, with the plain words of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", None),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan"))


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)


def parse_mapping(name: str, content: bytes, max_bytes: int | None = None) -> dict[Any, Any] | None:
    """The mapping that a file holds, by the ending of its name (.json, .toml, else YAML); else None."""
    if len(content) > (MAX_BYTES if max_bytes is None else max_bytes):
        return None
    try:
        if name.endswith(".json"):
            value = json.loads(content)
        elif name.endswith(".toml"):
            value = tomllib.loads(content.decode())
        else:
            value = yaml.load(content, Loader=_Loader) if _is_modest(content) else None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return None
    return value if isinstance(value, dict) else None


def _is_modest(content: bytes) -> bool:
    """Whether YAML is neither deep nor, with each alias written out, huge."""
    anchored: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []  # anchor of each open collection, and the values before it
    values = 0
    for event in yaml.parse(content, Loader=_BASE):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:  # unknown, or inside itself
                return False
            values += anchored[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                anchored[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                anchored[anchor] = values - before
        if values > MAX_VALUES or len(opened) > MAX_DEPTH:
            return False
    return True
