"""Contents that DVC keeps, by hash: from the project's cache, else from copies of ours, else from its remote.

Nothing is written into the project. DVC's own configuration and remote file systems are used, with the settings of
today and not those of an old revision. DVCFileSystem is not: it takes the remote from the old revision, cannot read a
project below the top of its repository, and starts anew for each revision, while an object's place follows from its
hash alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from copilot.errors import ConfigError, CopilotError, InputError, MissingExtraError, ToolError
from copilot.integrations.dvc.files import is_hash
from copilot.integrations.dvc.object_cache import ObjectCache, is_content_of
from copilot.integrations.dvc.remote import PATIENCE_S, WORKERS, DvcRemote, Wanted
from copilot.utils.validators import clean_text, without_credentials

try:
    from dvc.config import Config
    from dvc.exceptions import DvcException
except ImportError as error:
    raise MissingExtraError("Data versions", "dvc") from error

MAX_LISTING_BYTES = 500_000_000


class DvcStore:
    """Objects of the DVC project in `root`.

    Parameters
    ----------
    root : Path
    remote : str, optional
        Name of the remote to read from. Default: the project's own.
    copies : ObjectCache, optional
        Where what was fetched is kept.
    patience_s : float
        See `DvcRemote`.
    """

    def __init__(
        self,
        root: Path,
        remote: str | None = None,
        copies: ObjectCache | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        try:
            self._config = Config(str(root / ".dvc"))
        except DvcException as error:
            problem = clean_text(without_credentials(str(error)))
            raise ConfigError(f"{root / '.dvc/config'} is not valid: {problem}", "Mend it: dvc config -l") from error
        self._cache = Path(self._config["cache"].get("dir") or root / ".dvc" / "cache")
        self._copies = copies
        self.remote_name = remote or self._config["core"].get("remote")
        self._patience_s = patience_s
        self._remote = DvcRemote(self._config, self.remote_name, patience_s)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_remote"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In another process, which opens the remote itself."""
        self.__dict__.update(state)
        self._remote = DvcRemote(self._config, self.remote_name, self._patience_s)

    @property
    def n_fetched(self) -> int:
        """Objects that the remote has given so far."""
        return self._remote.n_read

    @property
    def remote_url(self) -> str | None:
        """The remote's address without credentials, None where there is no such remote."""
        settings = self._config["remote"].get((self.remote_name or "").lower())
        return settings and clean_text(without_credentials(str(settings["url"])).partition("?")[0], 300)

    def cached_size(self, digest: str, legacy: bool = False) -> int | None:
        """Bytes of an object that lies in the project's cache, else None."""
        try:
            return (self._cache / Wanted(digest, legacy, "").place).stat().st_size
        except (OSError, ValueError):
            return None

    def read(self, wanted: Wanted, limit: int) -> bytes:
        """The bytes of an object, checked against its hash.

        Raises
        ------
        InputError
            It is larger than `limit`.
        ToolError
            Neither cache nor remote have it, the remote is out of reach, or the content is damaged.
        """
        for _, outcome in self.read_many([wanted], limit, workers=1):
            if isinstance(outcome, CopilotError):
                raise outcome
            return outcome
        raise AssertionError("one object gives one outcome")

    def read_many(
        self, wanted: Sequence[Wanted], limit: int, workers: int = WORKERS
    ) -> Iterator[tuple[int, bytes | CopilotError]]:
        """Objects as they come: position in `wanted`, and the checked content or why there is none."""
        far = []
        for at, one in enumerate(wanted):
            found = self._near(one, limit)
            if found is None:
                far.append(at)
            else:
                yield at, _checked(found, one, limit)
        for at, found in self._remote.read_many([wanted[at] for at in far], limit, workers):
            one = wanted[far[at]]
            outcome = _checked(found, one, limit)
            if self._copies and isinstance(outcome, bytes):
                self._copies.put(one.hash, outcome)
            yield far[at], outcome

    def listing(self, wanted: Wanted) -> dict[str, str]:
        """Path inside a tracked folder -> content hash, from the folder's own object."""
        named = wanted._replace(what=f"the file list of {wanted.what}")
        data = self.read(named, MAX_LISTING_BYTES)
        try:
            return {str(row["relpath"]): str(row.get("md5", "")) for row in json.loads(data)}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ToolError(f"{clean_text(named.what)} cannot be read.", "Track the folder anew: dvc add") from error

    def _near(self, one: Wanted, limit: int) -> bytes | CopilotError | None:
        """What lies on this machine; None where the remote has to be asked."""
        if not is_hash(one.hash):
            return ToolError(f"DVC holds no valid hash of {one.what}.", "Track it anew: dvc add")
        try:
            with (self._cache / one.place).open("rb") as file:
                return file.read(limit + 1)
        except OSError:
            return self._copies.get(one.hash, limit) if self._copies else None


def _checked(data: bytes | CopilotError, one: Wanted, limit: int) -> bytes | CopilotError:
    if isinstance(data, CopilotError):
        return data
    if len(data) > limit:
        return InputError(f"{one.what} is larger than {limit / 1e6:,.0f} MB.", "Choose a smaller file.")
    dos2unix = one.legacy and not one.hash.endswith(".dir")  # their hash is not that of the bytes
    if not dos2unix and not is_content_of(data, one.hash):
        return ToolError(f"The stored copy of {one.what} is damaged: it does not match its hash.", "Try: dvc fetch")
    return data
