"""Requests to a tracking server's REST API: each has limits of its own, not those of the process."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests

from copilot.errors import NotFoundError, OutOfReachError, ToolError
from copilot.utils.config import MlflowSettings
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text

no_telemetry()  # before MLflow is imported, which starts it

from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402

API = "/api/2.0/mlflow/"
CONNECT_S = 5.0
MAX_PAGES = 10_000
RETRIED = frozenset({429, 502, 503, 504})
START = "Start it, or correct the tracking URI."

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of every retry


class Transport:
    """A tracking server that answers; safe to use from several threads.

    Parameters
    ----------
    url : str
    public : str
        The URL without credentials, for messages.
    settings : MlflowSettings

    Raises
    ------
    ToolError
        Nothing answers there, or it is no tracking server.
    """

    def __init__(self, url: str, public: str, settings: MlflowSettings) -> None:
        self._url, self._public = url, public
        self._timeout = (min(CONNECT_S, settings.timeout_s), settings.timeout_s)
        self._retries = settings.max_retries
        self._check(settings.timeout_s * (settings.max_retries + 1) + 1)

    def parsed(self, read: Callable[..., Any], *args: Any) -> Any:
        """What `read` makes of an answer; an answer of another shape is no MLflow server's."""
        try:
            return read(*args)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self._not_mlflow() from error

    def pages(self, method: str, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        token = ""
        while len(seen) < MAX_PAGES:
            answer = self.call(method, path, {**query, "page_token": token} if token else query)
            yield answer
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                break
            seen.add(token)
        raise ToolError(f"The server at {self._public} gives page after page without end.", "Check the server.")

    def _check(self, patience_s: float) -> None:
        """Ask for one experiment, and give up in time: looking up a name has no time limit of its own."""
        answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def ask() -> None:
            try:
                self.call("POST", "experiments/search", {"max_results": 1})
                answers.put(None)
            except Exception as error:  # raised again below
                answers.put(error)

        threading.Thread(target=ask, name="mlflow-check", daemon=True).start()
        try:
            error = answers.get(timeout=patience_s)
        except queue.Empty:
            raise OutOfReachError(f"The tracking server at {self._public} did not answer in time.", START) from None
        if error is not None:
            raise error

    def call(self, method: str, path: str, query: dict[str, Any], *, api: str = API) -> dict[str, Any]:
        try:
            response = http_request(
                get_default_host_creds(self._url),
                api + path,
                method,
                max_retries=self._retries,
                backoff_factor=0,
                backoff_jitter=0,
                retry_codes=RETRIED,
                timeout=self._timeout,
                raise_on_status=False,
                respect_retry_after_header=False,
                **({"params": query} if method == "GET" else {"json": query}),
            )
        except (MlflowException, requests.RequestException, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        return self._answer(response)

    def _answer(self, response: requests.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        status = response.status_code
        if status in (401, 403):
            raise ToolError(
                f"The tracking server at {self._public} refused access (HTTP {status}).",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
            )
        if status >= 500:
            raise ToolError(f"The tracking server at {self._public} is out of order (HTTP {status}).", "See its log.")
        if not isinstance(answer, dict):
            raise self._not_mlflow(status)
        if status == 200:
            return answer
        told = clean_text(answer.get("message", f"HTTP {status}"))
        if answer.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            raise NotFoundError(f"{self._public}: {told}", "Check the id or name.")
        if "error_code" not in answer:
            raise self._not_mlflow(status)
        raise ToolError(f"The tracking server at {self._public} refused the request: {told}", "See its log.")

    def _not_mlflow(self, status: int = 200) -> ToolError:
        told = "" if status == 200 else f" (HTTP {status})"
        return ToolError(
            f"What answers at {self._public} is no MLflow tracking server{told}.", "Correct the tracking URI."
        )

    def _unreachable(self, error: BaseException) -> OutOfReachError:
        """Why no answer came, in our words: the error's own text may hold credentials."""
        chain: list[BaseException] = []
        while error is not None and len(chain) < 10:
            chain.append(error)
            error = error.__cause__ or error.__context__
        told = " ".join(repr(link) for link in chain)
        where = f"The tracking server at {self._public}"
        if any(isinstance(link, requests.exceptions.SSLError) for link in chain):
            hint = "Set MLFLOW_TRACKING_SERVER_CERT_PATH to its certificate."
            return OutOfReachError(f"{where} has a certificate that is not trusted.", hint)
        if any(isinstance(link, requests.exceptions.Timeout) for link in chain) or "timed out" in told:
            return OutOfReachError(f"{where} did not answer within {self._timeout[1]:g} s.", START)
        if "NameResolution" in told or "getaddrinfo" in told:
            return OutOfReachError(f"The host name in {self._public} is not known.", "Correct the tracking URI.")
        if "refused" in told:
            return OutOfReachError(f"Nothing listens at {self._public}.", START)
        return OutOfReachError(f"{where} broke off the connection.", START)
