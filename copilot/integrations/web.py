"""One GET for the paper sources: total time, size and redirects have limits, and every failure says what to do."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3

from copilot.errors import InputError, ToolError
from copilot.utils.validators import clean_text, without_credentials

MAX_BODY_BYTES = 4_000_000
MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Service:
    """Whom we ask, for messages: the name, its address, and the settings that a person can change.

    Raises
    ------
    InputError
        The address is not one of a web server.
    """

    name: str
    url: str
    setting: str
    key_setting: str = ""

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if parts is None:
            raise InputError(
                f"{self.setting} is not a web address: {without_credentials(clean_text(self.url))}",
                "It starts with http:// or https://.",
            )

    @property
    def address(self) -> str:
        return without_credentials(clean_text(self.url))

    def error(self, what: str, hint: str = "") -> ToolError:
        """A ToolError that names the service and its address."""
        return ToolError(f"{self.name} ({self.address}) {what}.", hint or f"Check the network or set {self.setting}.")

    def not_itself(self, expected: str) -> ToolError:
        """The error for an answer that is something else, such as the sign-in page of a network."""
        return self.error(f"did not answer with {expected}", self.elsewhere)

    @property
    def elsewhere(self) -> str:
        return f"A sign-in page may be in the way, or {self.setting} is wrong."


def fetch(url: str, service: Service, deadline: float, headers: Mapping[str, str] | None = None) -> bytes:
    """GET `url` and return the body of a 200 answer.

    Parameters
    ----------
    url : str
        Full address with its query.
    service : Service
        Whom the address belongs to.
    deadline : float
        When to give up, in seconds of `time.monotonic`. It covers name lookup, connection, headers and body.
    headers : mapping, optional
        Request headers. They go to the first host only: redirects to another host are not followed.

    Raises
    ------
    ToolError
        No whole answer in time, a status other than 200, a redirect elsewhere, or more than `MAX_BODY_BYTES`.
    """
    answers: queue.SimpleQueue[bytes | ToolError] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(_get(url, service, deadline, headers or {}))
        except ToolError as error:
            answers.put(error)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            answers.put(service.error(f"could not be reached: {_reason(error)}"))

    # A daemon thread: name lookup and slow headers have no time limit of their own and must not hold the caller.
    threading.Thread(target=work, name="paper-source", daemon=True).start()
    try:
        answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
    except queue.Empty:
        raise _too_slow(service) from None
    if isinstance(answer, ToolError):
        raise answer
    return answer


def _get(url: str, service: Service, deadline: float, headers: Mapping[str, str]) -> bytes:
    with requests.Session() as session:
        for _ in range(MAX_REDIRECTS + 1):
            left = max(deadline - time.monotonic(), 0.001)
            response = session.get(url, headers=dict(headers), timeout=left, stream=True, allow_redirects=False)
            with response:
                if not response.is_redirect:
                    _check_status(response.status_code, service)
                    return _body(response, service, deadline)
                url = _next_url(url, response.headers["location"], service)
    raise service.error("redirects in a circle")


def _body(response: requests.Response, service: Service, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(65_536, decode_content=True):  # read1 returns what is there, so a drip is noticed
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise service.error(f"answered with more than {MAX_BODY_BYTES // 1_000_000} MB", service.elsewhere)
        if time.monotonic() > deadline:
            raise _too_slow(service)
    return bytes(body)


def _check_status(status: int, service: Service) -> None:
    if status == 200:
        return
    key = f" or set {service.key_setting}" if service.key_setting else ""
    if status in (401, 403):
        hint = f"Check {service.key_setting or service.setting}."
        raise service.error(f"refused the request (HTTP {status})", hint)
    if status == 429:
        raise service.error("asks for fewer requests (HTTP 429)", f"Wait a minute and try again{key}.")
    if status >= 500:
        raise service.error(f"is out of order (HTTP {status})", "Try again later.")
    raise service.error(f"did not accept the request (HTTP {status})", f"Check {service.setting}.")


def _next_url(url: str, location: str, service: Service) -> str:
    target = urljoin(url, location)
    old, new = _split(url), _split(target)
    if new and _origin(new) in (_origin(old), ("https", old.hostname, 443)):
        return target
    where = f"{new.scheme}://{new.hostname}" if new else "an address that is not a web server's"
    raise service.error(f"sends requests on to {clean_text(where)}, which is not followed", service.elsewhere)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return None
    return parts if valid else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _too_slow(service: Service) -> ToolError:
    hint = f"Check the network, set {service.setting} or raise research.timeout_s."
    return service.error("gave no whole answer in time", hint)


def _reason(error: Exception) -> str:
    """Why a request failed, in our words: a library's message can hold headers, and so a key."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer"
    if isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)):
        return "no answer in time"
    if "NameResolution" in repr(error):
        return "its name is not known"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return "the connection broke off"
