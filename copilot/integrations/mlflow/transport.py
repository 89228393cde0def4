"""Requests to a tracking server's REST API: signed in as MLflow is, each bounded in time and memory."""

from __future__ import annotations

import contextvars
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from copilot.errors import CopilotError, MissingPackageError, NotFoundError, OutOfReachError, ToolError
from copilot.integrations.mlflow.bounded_http import bound, exchange
from copilot.integrations.mlflow.server_errors import START, endless, moved, not_mlflow, unreachable
from copilot.integrations.mlflow.sign_in import SignIn
from copilot.utils.config import MlflowSettings
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text

no_telemetry()  # before MLflow is imported, which starts it

from mlflow.utils.request_utils import _get_request_session  # noqa: E402
from mlflow.utils.rest_utils import MlflowHostCreds, http_request  # noqa: E402

API = "/api/2.0/mlflow/"
CONNECT_S = 5.0
PATIENCE = 4  # lists of runs and curves of many take a busy server longer than other answers
PAUSE_S = 0.2  # before a request is tried again
DOWN_AFTER = 4  # failures in a row; then those who ask fail at once for DOWN_S seconds: a scan has thousands of runs
DOWN_S = 1.0
MAX_PAGES = 2000
MAX_LISTING_S = 600.0
MAX_LISTING_BYTES = 1_000_000_000
MAX_BYTES = 64_000_000
MAX_CONTAINERS = 3_000_000  # lists and objects in one answer: each takes 30 times its two brackets
MAX_VALUES = 6_000_000  # short ones take ten times their text
MAX_TOKEN = 10_000
CHUNK = 65_536
RETRIED = frozenset({429, 502, 503, 504})
_UNRETRIED: dict[str, Any] = {  # http_request and its session's key; trying again is done here
    "max_retries": 0,
    "backoff_factor": 0,
    "backoff_jitter": 0,
    "retry_codes": frozenset(),
    "raise_on_status": False,
    "respect_retry_after_header": False,
}

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of broken headers


class MissingEndpointError(ToolError):
    """The server is there, but has no such endpoint: its version is another."""


class Transport:
    """A tracking server that answers; safe to use from several threads, whose connections are kept.

    Parameters
    ----------
    url : str
        ``http(s)://...``, which may hold a name and password, or ``databricks``, ``databricks://PROFILE``.
    public : str
        The URL without credentials, for messages.
    settings : MlflowSettings

    Raises
    ------
    OutOfReachError
        Nothing answers there.
    ToolError
        It is no tracking server, or refuses access.
    """

    def __init__(self, url: str, public: str, settings: MlflowSettings) -> None:
        self.public = public
        self._sign_in = SignIn(url, public, settings)
        self._failures, self._failed_at, self._checked = 0, 0.0, False
        self._timeout_s, self._retries = settings.timeout_s, settings.max_retries
        self._check((settings.timeout_s + PAUSE_S) * (settings.max_retries + 1) + 1)

    def call(
        self, method: str, path: str, query: dict[str, Any], *, api: str = API, patience: float = 1
    ) -> dict[str, Any]:
        """Send one request, again if the server was busy or broke off, and read its answer.

        Parameters
        ----------
        method : {"GET", "POST"}
        path : str
            Below `api`, such as ``runs/get``.
        query : dict
            Sent as the query of a GET, else as JSON.
        api : str, default "/api/2.0/mlflow/"
        patience : float, default 1
            So many times ``timeout_s`` may the answer take.

        Raises
        ------
        NotFoundError
            What was asked for does not exist.
        MissingEndpointError
            The server knows no such path.
        OutOfReachError
            No answer came in time.
        ToolError
            One came that is not MLflow's, or refuses the request.
        """
        return self.answer_and_size(method, path, query, api, patience)[0]

    def pages(self, method: str, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The answers to a request whose results come in pages; errors as in `Listing.ask`."""
        listing, token, seen = Listing(self), "", set()
        while token not in seen:
            seen.add(token)
            answer = listing.ask(method, path, {**query, "page_token": token} if token else query)
            yield answer
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
        raise endless(self.public)

    def put(self, path: str, content: bytes) -> None:
        """Send a file to a path of the server; errors as in `call`."""
        credentials, time_s = self._sign_in.credentials(), self._timeout_s * PATIENCE
        try:
            response, body = self._exchanged(credentials, "PUT", path, content, time_s)
        except CopilotError:
            raise
        except Exception as error:  # as in `answer_and_size`
            raise unreachable(self.public, error, time_s, self._sign_in) from error
        if response.status_code >= 300:  # what it answers when all is well is empty since 3.x
            self._answer(response, body, path, credentials)

    def parsed(self, read: Callable[..., Any], *args: Any) -> Any:
        """What `read` makes of an answer; an answer of another shape is no MLflow server's."""
        try:
            return read(*args)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise not_mlflow(self.public) from error

    def _check(self, patience_s: float) -> None:
        """Ask for one experiment, and give up in time: looking up a name has no time limit of its own."""
        answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def ask() -> None:
            try:
                self.call("POST", "experiments/search", {"max_results": 1})
                answers.put(None)
            except Exception as error:  # raised again below
                answers.put(error)

        here = contextvars.copy_context()  # MLflow keeps the workspace in it
        threading.Thread(target=here.run, args=(ask,), name="mlflow-check", daemon=True).start()
        try:
            error = answers.get(timeout=patience_s)
        except queue.Empty:
            raise OutOfReachError(f"The tracking server at {self.public} did not answer in time.", START) from None
        if error is not None:
            raise error
        self._checked = True

    def answer_and_size(
        self, method: str, path: str, query: dict[str, Any], api: str, patience: float
    ) -> tuple[dict[str, Any], int]:
        """As `call`; beside the answer, its size in bytes."""
        credentials, time_s = self._sign_in.credentials(), self._timeout_s * patience
        if self._failures >= DOWN_AFTER and time.monotonic() - self._failed_at < DOWN_S:
            raise OutOfReachError(f"The tracking server at {self.public} does not answer any more.", START)
        for left in range(self._retries, -1, -1):
            try:
                response, body = self._exchanged(credentials, method, api + path, query, time_s)
            except CopilotError:
                raise
            except ImportError as error:
                raise MissingPackageError("The sign-in that MLflow's variables ask for", error.name or "it") from error
            except (
                Exception
            ) as error:  # MLflow's own, those of the connection, and whatever a plugin of MLflow's raises
                if not left:
                    self._failures, self._failed_at = self._failures + 1, time.monotonic()
                    raise unreachable(self.public, error, time_s, self._sign_in) from error
            else:
                self._failures = 0
                if not left or response.status_code not in RETRIED:
                    return self._answer(response, body, path, credentials), len(body)
            time.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _exchanged(
        self, credentials: MlflowHostCreds, method: str, path: str, query: dict[str, Any] | bytes, time_s: float
    ) -> tuple[requests.Response, bytes]:
        if self._sign_in.databricks:  # its SDK has connections of its own
            limits = {"timeout": time_s, "retry_timeout_seconds": max(1, round(time_s))}
            extra = {"extra_headers": self._sign_in.extra_headers()}
        else:
            bound(_get_request_session(**_UNRETRIED))
            limits = {"timeout": (min(CONNECT_S, time_s), time_s)}
            extra = {"allow_redirects": False}  # another host must not get what signs in here
        asked = {{"GET": "params", "POST": "json", "PUT": "data"}[method]: query}
        end = time.monotonic() + time_s
        with exchange(time_s, self._sign_in.headers):
            response = http_request(credentials, path, method, stream=True, **_UNRETRIED, **limits, **extra, **asked)
            with response:
                return response, self._body(response, end)

    def _body(self, response: requests.Response, end: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_content(CHUNK):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise ToolError(
                    f"The tracking server at {self.public} sent more than {MAX_BYTES / 1e6:g} MB at once.",
                    "Check the server.",
                )
            if time.monotonic() > end:
                raise TimeoutError("timed out")
        return b"".join(parts)

    def _answer(
        self, response: requests.Response, body: bytes, path: str, credentials: MlflowHostCreds
    ) -> dict[str, Any]:
        status = response.status_code
        where = f"The tracking server at {self.public}"
        if status in (401, 403):
            raise ToolError(f"{where} refused access (HTTP {status}).", self._sign_in.hint)
        if 300 <= status < 400:
            raise moved(self.public, response)
        if status == 429:
            raise ToolError(f"{where} is too busy (HTTP 429).", "Try again later, or raise mlflow.max_retries.")
        if status >= 500:
            raise ToolError(f"{where} is out of order (HTTP {status}).", "See its log.")
        answer = _json_object(body)
        if status == 200 and answer is not None:
            return answer
        code = (answer or {}).get("error_code")
        if status in (404, 405) and code in (None, "ENDPOINT_NOT_FOUND"):
            if self._checked:
                raise MissingEndpointError(
                    f"{where} does not know {path} (HTTP {status}).", "Its MLflow may be too old."
                )
            raise not_mlflow(self.public, status)
        if answer is None or code is None:
            raise not_mlflow(self.public, status)
        told = clean_text(self._sign_in.masked(str(answer.get("message", f"HTTP {status}")), response, credentials))
        if code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFoundError(f"{self.public}: {told}", "Check the id or name.")
        raise ToolError(f"{where} refused the request: {told}", "See its log.")


class Listing:
    """Requests whose answers belong together, and together have an end; safe to use from several threads."""

    def __init__(self, server: Transport) -> None:
        self._server = server
        self._pages, self._bytes, self._seconds = 0, 0, 0.0

    def ask(self, method: str, path: str, query: dict[str, Any]) -> dict[str, Any]:
        """As `Transport.call`.

        Raises
        ------
        ToolError
            As there, or the listing has taken more pages, bytes or seconds than any has.
        """
        full = self._pages >= MAX_PAGES or self._bytes >= MAX_LISTING_BYTES or self._seconds >= MAX_LISTING_S
        if full or len(query.get("page_token", "")) > MAX_TOKEN:
            raise endless(self._server.public)
        started = time.monotonic()
        answer, size = self._server.answer_and_size(method, path, query, API, PATIENCE)
        self._pages, self._bytes = self._pages + 1, self._bytes + size
        self._seconds += time.monotonic() - started
        return answer


def _json_object(body: bytes) -> dict[str, Any] | None:
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS or body.count(b",") > MAX_VALUES:
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
