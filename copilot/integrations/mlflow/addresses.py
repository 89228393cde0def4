"""Tracking URIs: which kind of store one names, and whether something is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from copilot.errors import InputError, NotFoundError
from copilot.utils.validators import clean_text, without_credentials

FORMS = "Use http://HOST:PORT, sqlite:///FILE or the folder that holds the runs."
NONE_SET = (
    "Pass --tracking-uri, set mlflow.tracking_uri in the settings or MLFLOW_TRACKING_URI, or make a demo store: "
    "mlops-copilot demo"
)
SQLITE_MAGIC = b"SQLite format 3\x00"
_NO_SCHEME = re.compile(r"(?://)?(?P<rest>([^/@\s]+@)?([\w.-]+|\[[\da-fA-F:.]+\]):\d+(/.*)?|localhost(/.*)?)")
_NAKED_CREDENTIALS = re.compile(r"(?i)(?<=^)[^/@\s]*:[^/@\s]+@|(?<=//)[^/@\s]+@|(?<=:/)[^/@\s]+@")
_HALF_SCHEME = re.compile(r"(?i)https?(:/?|//)(?P<rest>[^/].*)")
_API_PATH = re.compile(r"/(ajax-)?api/\d\.\d(/mlflow(/.*)?)?/?$")
_DATABASES = ("postgresql", "postgres", "mysql", "mssql", "oracle")


@dataclass(frozen=True)
class Address:
    """Where a store is: a URL, or a path; `public` has no credentials."""

    kind: Literal["sqlite", "folder", "server"]
    place: str
    public: str


def parse_address(uri: str | None) -> Address:
    """Read a tracking URI.

    Raises
    ------
    InputError
        None is given, it is malformed, or what it names is no MLflow store.
    NotFoundError
        The file or folder does not exist.
    """
    uri = (uri or "").strip()
    if not uri:
        raise InputError("No MLflow tracking URI is set.", NONE_SET)
    public = clean_text(_NAKED_CREDENTIALS.sub("***@", without_credentials(uri)))
    scheme, mark, rest = uri.partition("://")
    scheme = scheme.lower() if mark else ""
    if match := _NO_SCHEME.fullmatch(uri) or _HALF_SCHEME.fullmatch(uri):
        told = "has no scheme" if match.re is _NO_SCHEME else "is malformed"
        meant = clean_text(without_credentials(f"http://{match['rest']}"))
        raise InputError(f"The tracking URI '{public}' {told}.", f"Did you mean {meant}?")
    if scheme in ("http", "https"):
        return Address("server", _server(uri, public), public)
    if scheme.partition("+")[0] == "sqlite":
        return Address("sqlite", str(_sqlite(rest, public)), public)
    if scheme == "file" or uri.startswith("file:"):
        return _on_disk(_file_path(uri, public), public)
    if scheme == "databricks" or uri == "databricks":
        return Address("server", uri, public)
    if scheme in ("databricks-uc", "uc") or uri in ("databricks-uc", "uc") or uri.startswith("uc:"):
        hint = "Use databricks or databricks://PROFILE."
        raise InputError(f"'{public}' is the address of a model registry, which holds no runs.", hint)
    if scheme.partition("+")[0] in _DATABASES:
        raise InputError(
            f"'{public}' is a database server, which is not read directly.", "Use its tracking server's URL."
        )
    if scheme:
        raise InputError(f"The tracking URI '{public}' is of a kind that is not known.", FORMS)
    return _on_disk(Path(uri).expanduser(), public)


def _file_path(uri: str, public: str) -> Path:
    try:
        return Path(url2pathname(urlsplit(uri).path))
    except ValueError:
        raise InputError(f"The tracking URI '{public}' is malformed.", FORMS) from None


def _server(uri: str, public: str) -> str:
    try:
        parts = urlsplit(uri)
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0) and not re.search(r"\s", uri)
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"The tracking URI '{public}' is malformed.", FORMS)
    # A URL from the browser ends in #/experiments, one from the documentation of the REST API in /api/2.0/mlflow.
    return f"{parts.scheme}://{parts.netloc}{_API_PATH.sub('', parts.path)}".rstrip("/")


def _sqlite(rest: str, public: str) -> Path:
    name = unquote(rest[1:].partition("?")[0])
    if not rest.startswith("/") or name in ("", ":memory:"):
        raise InputError(f"The tracking URI '{public}' names no file.", "Write sqlite:///FILE, with three slashes.")
    path = Path(name).expanduser()
    if not _exists(path):
        raise NotFoundError(f"There is no database {public}.", "Check the path; it counts from the working folder.")
    return _checked_sqlite(path, public)


def _on_disk(path: Path, public: str) -> Address:
    if not _exists(path):
        raise NotFoundError(f"The tracking URI '{public}' names no file or folder.", FORMS)
    if path.is_dir():
        return Address("folder", str(path.resolve()), public)
    return Address("sqlite", str(_checked_sqlite(path, public)), public)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _checked_sqlite(path: Path, public: str) -> Path:
    try:
        with path.open("rb") as file:
            start = file.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise InputError(f"{public} cannot be read: {error.strerror}.", FORMS) from error
    if start != SQLITE_MAGIC:
        raise InputError(f"{public} is not an SQLite database.", FORMS)
    return path.resolve()
