"""HTTP connections on which an exchange has one end in time: a server that drips bytes cannot hold the reader."""

from __future__ import annotations

import http.client
import io
import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MAX_LINE = 65_536
CONNECTIONS = 16


class _Exchange(threading.local):
    """What holds for the exchange under way in this thread."""

    until = math.inf
    headers: Mapping[str, str] = {}


_exchange = _Exchange()


@contextmanager
def exchange(seconds: float, headers: Mapping[str, str]) -> Iterator[None]:
    """Within it, this thread's replies end in time, and its requests carry `headers`.

    Parameters
    ----------
    seconds : float
        Time for the whole reply, counted from now; then what reads it raises `TimeoutError`.
    headers : mapping
        They replace headers of the same name.
    """
    _exchange.until, _exchange.headers = time.monotonic() + seconds, headers
    try:
        yield
    finally:
        _exchange.until, _exchange.headers = math.inf, {}


def bound(session: requests.Session) -> None:
    """Make a session's connections ours, once.

    It keeps no cookies, which a server could pile up, and takes no look at redirects, for which it would read their
    whole body, even those that it does not follow.
    """
    if not isinstance(session.adapters["https://"], _Adapter):
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        session.get_redirect_target = lambda response: None
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(pool_maxsize=CONNECTIONS))


class _InTime(io.RawIOBase):
    """The bytes of a socket, as long as there is time."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock

    def readinto(self, buffer: Any) -> int | None:
        left = _exchange.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if left < math.inf:
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ShortLines(io.BufferedReader):
    """No line is endless: the sizes of chunks and the trailers after them have no limit of their own."""

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(size if size is not None and 0 <= size <= MAX_LINE else MAX_LINE)


class _Reply(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = _ShortLines(_InTime(self.fp.detach(), sock))


class _Http(HTTPConnection):
    response_class = _Reply


class _Https(HTTPSConnection):
    response_class = _Reply


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """Where `requests` gets its connections from."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        request.headers.update(_exchange.headers)
