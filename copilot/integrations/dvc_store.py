"""Contents that DVC keeps, by hash: from the project's cache, else from its remote. Nothing is written anywhere.

DVC's own configuration and remote file systems are used, with the settings of today and not those of an old revision.
DVCFileSystem is not: it takes the remote from the old revision, cannot read a project below the top of its repository,
and starts anew for each revision, while an object's place follows from its hash alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from copilot.errors import ConfigError, InputError, MissingExtraError, NotFoundError, ToolError
from copilot.integrations.dvc_files import is_hash
from copilot.utils.validators import clean_text, without_credentials

try:
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.fs import RemoteMissingDepsError, get_cloud_fs
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

MAX_LISTING_BYTES = 500_000_000
_PROMPTS = ("ask_password", "ask_passphrase")


class DvcStore:
    """Objects of the DVC project in `root`, read through the remote called `remote`, or the project's default one."""

    def __init__(self, root: Path, remote: str | None = None) -> None:
        try:
            self._config = Config(str(root / ".dvc"))
        except DvcException as error:
            problem = clean_text(without_credentials(str(error)))
            raise ConfigError(f"{root / '.dvc/config'} is not valid: {problem}", "Mend it: dvc config -l") from error
        self._cache = Path(self._config["cache"].get("dir") or root / ".dvc" / "cache")
        self._name = remote or self._config["core"].get("remote")
        self._remote: tuple[Any, str] | None = None
        self._failure: ToolError | None = None  # a remote that is down is asked once

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which opens the remote itself."""
        return self.__dict__ | {"_remote": None}

    def cached_size(self, digest: str, legacy: bool = False) -> int | None:
        """Bytes of an object that lies in the cache, else None."""
        try:
            return (self._cache / _place(digest, legacy)).stat().st_size
        except (OSError, ValueError):
            return None

    def read(self, digest: str, legacy: bool, limit: int, what: str) -> bytes:
        """The bytes of an object, checked against its hash.

        Parameters
        ----------
        digest : str
            MD5 as DVC writes it.
        legacy : bool
            Whether DVC 1 or 2 stored it.
        limit : int
            Most bytes to read.
        what : str
            What it is, for error lines.

        Raises
        ------
        InputError
            It is larger than `limit`.
        ToolError
            Neither cache nor remote have it, the remote is out of reach, or the content is damaged.
        """
        if not is_hash(digest):
            raise ToolError(f"DVC holds no valid hash of {what}.", "Track it anew: dvc add")
        cached = self._cache / _place(digest, legacy)
        try:
            with cached.open("rb") as file:
                data = file.read(limit + 1)
        except OSError:
            data = self._from_remote(digest, legacy, limit, what)
        if len(data) > limit:
            raise InputError(f"{what} is larger than {limit / 1e6:,.0f} MB.", "Choose a smaller file.")
        dos2unix = legacy and not digest.endswith(".dir")  # their hash is not that of the bytes
        if not dos2unix and hashlib.md5(data, usedforsecurity=False).hexdigest() != digest[:32]:
            raise ToolError(f"The stored copy of {what} is damaged: it does not match its hash.", "Try: dvc fetch")
        return data

    def listing(self, digest: str, legacy: bool, what: str) -> dict[str, str]:
        """Path inside a tracked folder -> content hash, from the folder's own object."""
        data = self.read(digest, legacy, MAX_LISTING_BYTES, f"the file list of {what}")
        try:
            return {str(row["relpath"]): str(row.get("md5", "")) for row in json.loads(data)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ToolError(f"The file list of {what} cannot be read.", "Track the folder anew: dvc add") from error

    def _from_remote(self, digest: str, legacy: bool, limit: int, what: str) -> bytes:
        if self._failure:
            raise self._failure
        system, base = self._open_remote(what)
        try:
            with system.open(system.join(base, *_place(digest, legacy).split("/")), "rb") as file:
                return _read(file, limit + 1)
        except FileNotFoundError as error:
            if _is_failure(error.__cause__):
                raise self._unreachable(error.__cause__) from error
            message = f"{what} is neither in the DVC cache nor in the remote {self._name!r}."
            raise ToolError(message, "Send it from where the data was added: dvc push --all-commits") from error
        except Exception as error:  # each kind of remote has errors of its own
            raise self._unreachable(error) from error

    def _open_remote(self, what: str) -> tuple[Any, str]:
        if self._remote:
            return self._remote
        known = ", ".join(clean_text(name, 40) for name in self._config["remote"]) or "none"
        if not self._name:
            message = f"{what} is not in the DVC cache, and the project has no default remote."
            raise ToolError(message, f"Set dvc.remote in the settings (remotes here: {known}), or run dvc fetch.")
        if self._name.lower() not in self._config["remote"]:
            hint = f"Remotes here: {known}. Set dvc.remote in the settings, or add one: dvc remote add"
            raise NotFoundError(f"There is no DVC remote called {clean_text(self._name, 60)!r}.", hint)
        try:
            kind, settings, base = get_cloud_fs(self._config, name=self._name)
            if settings.get("worktree") or settings.get("version_aware"):
                message = f"The remote {self._name!r} is cloud-versioned; its old files are not read."
                raise ToolError(message, "Bring them into the cache first: dvc fetch --all-commits")
            self._remote = kind(**{key: value for key, value in settings.items() if key not in _PROMPTS}), base
        except (ImportError, RemoteMissingDepsError) as error:
            kind = urlsplit(self._config["remote"][self._name.lower()]["url"]).scheme
            message = f"The remote {self._name!r} needs packages that are not installed."
            raise ToolError(message, f"Install them: pip install 'dvc[{kind}]'") from error
        except ToolError:
            raise
        except Exception as error:  # each kind of remote has errors of its own
            raise self._unreachable(error) from error
        return self._remote

    def _unreachable(self, error: BaseException) -> ToolError:
        problem = clean_text(without_credentials(str(error)) or type(error).__name__)
        message = f"The DVC remote {self._name!r} could not be read: {problem}"
        self._failure = ToolError(message, "Check it: dvc status --cloud")
        return self._failure


def _is_failure(cause: BaseException | None) -> bool:
    """Whether a file system reports a connection or a refusal as a file that is not there, as that for HTTP does."""
    if isinstance(cause, OSError):
        return not isinstance(cause, FileNotFoundError)
    return getattr(cause, "status", 404) != 404


def _place(digest: str, legacy: bool) -> str:
    if not is_hash(digest):
        raise ValueError(digest)
    return f"{'' if legacy else 'files/md5/'}{digest[:2]}/{digest[2:]}"


def _read(file: BinaryIO, limit: int) -> bytes:
    chunks = []
    while limit > 0 and (chunk := file.read(min(limit, 1 << 22))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)
