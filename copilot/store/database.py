"""The connection behind the store: addresses, transactions, migrations, and database errors in plain words."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, table, text
from sqlalchemy import column as sql_column
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from copilot.errors import CopilotError, InputError, MissingExtraError, ToolError
from copilot.store.migrations import HEAD
from copilot.store.models import VERSION_TABLE
from copilot.utils.validators import clean_text, home_folder, without_credentials

BUSY_S = 10.0
_MIGRATION_LOCK_KEY = 0x0C0D_1107  # names our advisory lock among those of one PostgreSQL database
_migrating = threading.Lock()  # Alembic keeps its context in module globals

_SQLITE_ERRORS: tuple[tuple[str, type[CopilotError], str, str], ...] = (
    ("SQLITE_NOTADB", InputError, "is not a database", "Name another file in store.url, or move this one away."),
    ("SQLITE_CANTOPEN", InputError, "cannot be opened", "Check that its folder exists and that you may write there."),
    ("SQLITE_READONLY", ToolError, "cannot be written", "Check the permissions of the file and its folder."),
    ("SQLITE_BUSY", ToolError, "is held by another program", "Try again in a moment."),
    ("SQLITE_LOCKED", ToolError, "is held by another program", "Try again in a moment."),
    ("SQLITE_FULL", ToolError, "cannot grow: the disk is full", "Make room, then try again."),
    ("SQLITE_CORRUPT", ToolError, "is damaged", "Put a copy of it back, or move it away to start a new one."),
)


class Database:
    """An open store without its tables' methods."""

    def __init__(self, url: str | None = None) -> None:
        self.url = _checked_url(url) if url else URL.create("sqlite", database=str(home_folder() / "store.db"))
        self._engine = _make_engine(self.url)
        self._immediate = self._engine.execution_options(immediate=True)
        try:
            with self._plain_errors():
                self._migrate()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The store as people may see it: the file, or server and database, without user and password."""
        if self.url.get_backend_name() == "sqlite":
            return str(self.url.database)
        return f"{self.url.host or 'localhost'}:{self.url.port or 5432}/{self.url.database or ''}"

    def close(self) -> None:
        """Close every connection. The object must not be used afterwards."""
        self._engine.dispose()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._plain_errors(), sessionmaker(self._engine, expire_on_commit=False)() as session:
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._plain_errors(), sessionmaker(self._immediate, expire_on_commit=False).begin() as session:
            yield session

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _in_plain_words(error, self.name, self.url) from error

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            revision = _revision(connection)
        if revision == HEAD:
            return
        if revision is None and self.url.get_backend_name() == "sqlite":
            _use_wal(self._engine)
        with _migrating, self._immediate.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK_KEY})
            if _revision(connection) != HEAD:
                _upgrade(connection)


def storable(value: Any) -> Any:
    """`value` as JSON that every database takes: NaN and infinities become null.

    Raises
    ------
    TypeError
        Something in `value` has no JSON form.
    """
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def storable_text(value: object, limit: int) -> str:
    """Text that every database takes, lines kept: no NUL, no lone surrogates, at most `limit` characters."""
    whole = str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def storable_name(value: object, limit: int = 500) -> str:
    """One line of outside text that every database takes; the same for saving and for looking up."""
    return storable_text(clean_text(value, limit), limit)


def server_name(tracking_uri: str | None) -> str | None:
    """A tracking address without credentials, the same for everybody who uses that server."""
    if not tracking_uri:
        return None
    return storable_name(without_credentials(tracking_uri).replace("://***@", "://").rstrip("/"), 1000)


def _checked_url(text_: str) -> URL:
    try:
        url = make_url(text_.strip())
        backend = url.get_backend_name()
    except (ArgumentError, ValueError) as error:  # the text is not repeated: it may hold a password
        raise InputError(
            "store.url is not a database address.", "Write sqlite:///file.db or postgresql://host/name."
        ) from error
    if backend == "sqlite":
        return _checked_file(url)
    if backend not in ("postgresql", "postgres"):
        scheme = clean_text(url.drivername, 30)
        raise InputError(
            f"The store cannot use {scheme!r}.", "It works on sqlite:///file.db and postgresql://host/name."
        )
    driver = url.drivername.partition("+")[2] or "psycopg"
    if driver not in ("psycopg", "psycopg2", "pg8000"):
        raise InputError(
            f"The store cannot use the driver {clean_text(driver, 30)!r}.", "Write postgresql://host/name."
        )
    if find_spec(driver) is None:
        raise MissingExtraError("A store in PostgreSQL", "postgres")
    return url.set(drivername=f"postgresql+{driver}")


def _checked_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise InputError(
            "The store needs a file: other processes read it too.", "Write sqlite:///file.db in store.url."
        )
    return url.set(drivername="sqlite")


def _make_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        limits = {"connect_timeout": 8} if "psycopg" in url.drivername else {}
        return create_engine(url, pool_pre_ping=True, connect_args=limits)
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # so that BEGIN is ours, below, and covers CREATE TABLE
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # SQLite refuses a read transaction that turns to writing after somebody else wrote, whatever the timeout
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _use_wal(engine: Engine) -> None:
    deadline = time.monotonic() + BUSY_S
    with contextlib.closing(engine.raw_connection()) as connection:
        while True:  # this switch ignores SQLite's own busy timeout
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except Exception as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise DBAPIError("PRAGMA journal_mode", None, error) from error
                time.sleep(0.02)


def _revision(connection: Connection) -> str | None:
    """The schema's revision; None for an empty database. Anything that is not ours is refused untouched."""
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        return connection.execute(select(sql_column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    if names:
        some = ", ".join(clean_text(name, 30) for name in sorted(names)[:3])
        raise InputError(
            f"The store's database belongs to another program (it holds {some}).",
            "Give store.url a database of its own.",
        )
    return None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ToolError(
            "The store was written by a newer version of MLOps Copilot.", "Upgrade: pip install -U mlops-copilot"
        ) from error


def _in_plain_words(error: SQLAlchemyError, name: str, url: URL) -> CopilotError:
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", "") or ""
    for prefix, kind, what, hint in _SQLITE_ERRORS:
        if code.startswith(prefix):
            return kind(f"The store {name} {what}.", hint)
    reason = clean_text(without_credentials(str(cause)), 160)
    if url.password:
        reason = reason.replace(str(url.password), "***")
    if isinstance(error, DBAPIError) and url.get_backend_name() == "postgresql":
        return ToolError(
            f"The store {name} did not answer as it should: {reason}", "Check store.url, and that the server runs."
        )
    return ToolError(f"The store {name} failed: {reason}", "Try again; `mlops-copilot doctor` checks the set-up.")
