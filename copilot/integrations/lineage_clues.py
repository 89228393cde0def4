"""What an MLflow run says of its code and data, in the many words that people use for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from copilot.integrations.mlflow.records import RunInfo

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?", re.IGNORECASE)
_COMMIT_KEYS = ("mlflowsourcegitcommit", "mlflowgitcommit", "gitcommit", "gitsha", "gitrev", "commit", "commitsha")
_REPO_KEYS = ("mlflowsourcegitrepourl", "mlflowgitrepourl", "gitrepo", "gitrepourl")
_REVISION_KEYS = ("dvcrev", "dvcversion", "datarev", "datarevision", "dataversion", "datasetversion", "datatag")
_PATH_KEYS = ("dvcpath", "datapath", "datasetpath", "datadir", "dataroot", "dataset", "data")
_HASH_KEYS = ("dvcmd5", "dvchash", "datahash", "datamd5", "datasethash", "datasetmd5", "md5", "datadigest")
_DIRTY_KEYS = ("mlflowgitdirty", "mlflowsourcegitdirty", "gitdirty", "dirty")


class Clues(NamedTuple):
    """What a run carries: its commit, the clone's address, whether files were uncommitted; its data's revision, paths
    and hashes (32 hexadecimal digits, with ``.dir`` for a folder if it was written so)."""

    commit: str | None = None
    repository: str | None = None
    dirty: bool = False
    revision: str | None = None
    paths: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()


def read_clues(run: RunInfo) -> Clues:
    """The clues in a run's tags, its parameters and its dataset inputs; tags count first."""
    words: dict[str, list[str]] = {}
    for held in (run.tags, run.params):
        for key, value in held.items():
            words.setdefault(re.sub(r"[^a-z0-9]", "", key.lower()), []).append(value.strip())
    commits = [value.lower() for value in _values(words, _COMMIT_KEYS) if _COMMIT.fullmatch(value)]
    hashes = [*_values(words, _HASH_KEYS), *(data.digest for data in run.datasets)]
    places = [*_values(words, _PATH_KEYS), *(data.source for data in run.datasets)]
    repositories = [clean_text(value) for value in _values(words, _REPO_KEYS)]
    revisions = [value for value in _values(words, _REVISION_KEYS) if not _MD5.fullmatch(value)]
    hashes += [value for value in _values(words, _REVISION_KEYS) if _MD5.fullmatch(value)]
    return Clues(
        commit=next(iter(commits), None),
        repository=next(iter(repositories), None),
        dirty=any(value.lower() in ("true", "1", "yes") for value in _values(words, _DIRTY_KEYS)),
        revision=next(iter(revisions), None),
        paths=tuple(dict.fromkeys(filter(None, map(_path, places)))),
        hashes=tuple(dict.fromkeys(value.lower() for value in hashes if _MD5.fullmatch(value))),
    )


def _values(words: dict[str, list[str]], keys: Iterable[str]) -> list[str]:
    return [value for key in keys for value in words.get(key, ()) if value]


def _path(place: str) -> str | None:
    """A path on a machine from a path or ``file:`` address; None for other addresses and for what is no path."""
    if place.startswith("file:"):
        return unquote(urlsplit(place).path) or None
    if "://" in place or "\n" in place or place.startswith("{") or len(place) > 1000:
        return None
    return place or None
