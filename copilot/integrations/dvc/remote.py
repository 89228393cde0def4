"""Objects of a DVC remote by their hash, through DVC's own file systems: many at a time, in bounded time, read only.

Every kind that DVC has a plugin for: a folder, S3, SSH, Google, Azure, HTTP. Nothing that a file system says reaches
an error before the values of the remote's secret settings are taken out of it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from copilot.errors import CopilotError, MissingExtraError, NotFoundError, OutOfReachError, ToolError
from copilot.integrations.dvc.files import is_hash
from copilot.integrations.dvc.patience import StalledError, Tick, impatient_map
from copilot.utils.validators import clean_text, without_credentials

try:
    from dvc.fs import RemoteMissingDepsError, get_cloud_fs
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

PATIENCE_S = 30.0
WORKERS = 16
_CHUNK = 1 << 20  # on a slow line with many readers, one of these has to come within the patience
_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"  # no byte of it can be asked for as a range
_RANGED = ("s3", "gs", "azure")  # one request an object; a plain open() asks for its size first
_PROMPTS = ("ask_password", "ask_passphrase")
_SECRET = re.compile(r"(?i)secret|password|passphrase|token|key|connection_string|credential|account_name")
_SECRET_ENV = re.compile(r"(?i)^(aws|azure|google|oss|webdav)\w*(secret|key|token|password|connection_string)")
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403", "401"}
_REFUSED_TYPES = {"NoCredentialsError", "PartialCredentialsError", "AuthError", "PermissionDenied"}


class Wanted(NamedTuple):
    """An object: its hash, whether DVC 1 or 2 stored it, what it is, and what to do where it is lost (for errors)."""

    hash: str
    legacy: bool
    what: str
    if_lost: str = ""

    @property
    def place(self) -> str:
        """Path in a cache or remote."""
        if not is_hash(self.hash):
            raise ValueError(self.hash)
        return f"{'' if self.legacy else 'files/md5/'}{self.hash[:2]}/{self.hash[2:]}"


class DvcRemote:
    """The remote called `name` of DVC's configuration `config`.

    Parameters
    ----------
    config : mapping
        DVC's configuration of today, that of the person and of the machine merged in.
    name : str or None
        None: the project has no default remote.
    patience_s : float
        A remote from which nothing comes for so long is given up, and not asked again.
    """

    def __init__(self, config: Mapping[str, Any], name: str | None, patience_s: float = PATIENCE_S) -> None:
        self._config = config
        self._name = name
        self._patience_s = patience_s
        self._opened: tuple[Any, str] | None = None
        self._failure: CopilotError | None = None  # a remote that is down is asked once
        self._lock = threading.Lock()
        self.n_read = 0

    def read_many(
        self, wanted: Sequence[Wanted], limit: int, workers: int = WORKERS
    ) -> Iterator[tuple[int, bytes | CopilotError]]:
        """Objects as they come, at most ``limit + 1`` bytes of each: position in `wanted`, and content or error."""
        left = set(range(len(wanted)))

        def read(one: Wanted, tick: Tick) -> bytes:
            return self._read(one, limit, tick)

        try:
            for at, data, error in impatient_map(read, wanted, workers=workers, patience_s=self._patience_s):
                left.discard(at)
                self.n_read += error is None
                yield at, data if error is None else error if isinstance(error, CopilotError) else self._down(error)
        except StalledError:
            line = f"The DVC remote {self._shown} gave no answer in {self._patience_s:.0f} s."
            self._failure = OutOfReachError(line, "Check the network and its address: dvc remote list")
            for at in sorted(left):
                yield at, self._failure

    @property
    def _shown(self) -> str:
        return repr(clean_text(self._name, 60))

    def _read(self, one: Wanted, limit: int, tick: Tick) -> bytes:
        if self._failure:
            raise self._failure
        with self._lock:
            self._opened = self._opened or self._open(one.what)
        system, base = self._opened
        tick()
        if one.hash == _EMPTY:
            return b""
        try:
            return _content(system, system.join(base, *one.place.split("/")), limit + 1, tick)
        except FileNotFoundError as error:
            raise self._not_there(error, system, base, one) from None
        except Exception as error:  # each kind of remote has errors of its own
            raise self._down(error) from None

    def _open(self, what: str) -> tuple[Any, str]:
        if self._failure:
            raise self._failure
        remotes = self._config["remote"]
        known = ", ".join(clean_text(name, 40) for name in remotes) or "none"
        if not self._name:
            message = f"{what} is not in the DVC cache, and the project has no default remote."
            raise ToolError(message, f"Set dvc.remote in the settings (remotes here: {known}), or run dvc fetch.")
        if self._name.lower() not in remotes:
            hint = f"Remotes here: {known}. Set dvc.remote in the settings, or add one: dvc remote add"
            raise NotFoundError(f"There is no DVC remote called {self._shown}.", hint)
        try:
            kind, settings, base = get_cloud_fs(self._config, name=self._name)
            if settings.get("worktree") or settings.get("version_aware"):
                message = f"The remote {self._shown} is cloud-versioned; its old files are not read."
                raise ToolError(message, "Bring them into the cache first: dvc fetch --all-commits")
            system = kind(**{key: value for key, value in settings.items() if key not in _PROMPTS})
            system.fs  # noqa: B018 (connects; a package that is missing shows here)
            return system, base
        except (ImportError, RemoteMissingDepsError):
            extra = urlsplit(remotes[self._name.lower()]["url"]).scheme
            message = f"The remote {self._shown} needs packages that are not installed."
            raise ToolError(message, f"Install them: pip install 'dvc[{clean_text(extra, 20)}]'") from None
        except ToolError:
            raise
        except Exception as error:  # each kind of remote has errors of its own
            raise self._down(error) from None

    def _not_there(self, error: FileNotFoundError, system: Any, base: str, one: Wanted) -> CopilotError:
        if _is_failure(error.__cause__):
            return self._down(error.__cause__)
        place = "bucket" if _code(error) in ("NoSuchBucket", "ContainerNotFound") else ""
        place = place or ("folder" if system.protocol == "local" and not os.path.isdir(base) else "")
        if place:
            line = f"The {place} of the DVC remote {self._shown} is not there."
            self._failure = ToolError(line, "Check its address: dvc remote list")
            return self._failure
        message = f"{one.what} is neither in the DVC cache nor in the remote {self._shown}."
        return ToolError(message, one.if_lost or "Send it from where the data was added: dvc push --all-commits")

    def _down(self, error: BaseException) -> CopilotError:
        problem = clean_text(self._without_secrets(str(error)) or type(error).__name__)
        names = {type(e).__name__ for e in (error, error.__cause__) if e is not None}
        refused = isinstance(error, PermissionError) or _code(error) in _REFUSED or names & _REFUSED_TYPES
        if refused:
            message = f"The DVC remote {self._shown} refused us: {problem}"
            self._failure = ToolError(message, "Check its credentials: the environment, or dvc remote modify --local")
        else:
            message = f"The DVC remote {self._shown} could not be read: {problem}"
            self._failure = OutOfReachError(message, "Check it: dvc status --cloud")
        return self._failure

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(_secrets(self._config["remote"].get((self._name or "").lower(), {})), key=len)[::-1]:
            text = text.replace(secret, "***")
        return without_credentials(text)


def _content(system: Any, path: str, limit: int, tick: Tick) -> bytes:
    chunks: list[bytes] = []
    if system.protocol in _RANGED:
        data = system.cat_file(path, start=0, end=min(_CHUNK, limit))
        end = min(system.size(path), limit) if len(data) == _CHUNK else 0  # a range beyond the end is an error
        chunks.append(data)
        for at in range(_CHUNK, end, _CHUNK):
            tick()
            chunks.append(system.cat_file(path, start=at, end=min(at + _CHUNK, end)))
        return b"".join(chunks)
    with system.open(path, "rb") as file:
        while limit > 0 and (chunk := file.read(min(limit, _CHUNK))):
            tick()
            chunks.append(chunk)
            limit -= len(chunk)
    return b"".join(chunks)


def _secrets(settings: Mapping[str, Any]) -> set[str]:
    """Values that must not be shown: secret settings, the address's own, and those of the environment."""
    found = {str(value) for key, value in settings.items() if _SECRET.search(key) and isinstance(value, str)}
    address = urlsplit(str(settings.get("url", "")))
    found |= {value for _, value in parse_qsl(address.query)}
    found |= {unquote(address.password), address.password} if address.password else set()
    found |= {value for name, value in os.environ.items() if _SECRET_ENV.match(name)}
    return {value for value in found if len(value) > 3}


def _code(error: BaseException) -> str:
    """The code of an S3 answer behind an error, or of Azure's."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
        if getattr(one, "error_code", None):
            return str(one.error_code)
    return ""


def _is_failure(cause: BaseException | None) -> bool:
    """Whether a file system reports a connection or a refusal as a file that is not there, as that for HTTP does."""
    if isinstance(cause, OSError):
        return not isinstance(cause, FileNotFoundError)
    return getattr(cause, "status", 404) != 404
