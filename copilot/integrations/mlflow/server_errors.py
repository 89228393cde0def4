"""Why a tracking server gave no answer, in our words: the errors' own texts may hold addresses with passwords."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from copilot.errors import OutOfReachError, ToolError
from copilot.integrations.mlflow.sign_in import SignIn
from copilot.utils.validators import clean_text

START = "Start it, or correct the tracking URI."
CORRECT = "Correct the tracking URI."
CERTIFICATES = "Check MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH."


def not_mlflow(public: str, status: int = 200) -> ToolError:
    """Something else answers there."""
    told = "" if status == 200 else f" (HTTP {status})"
    return ToolError(f"What answers at {public} is no MLflow tracking server{told}.", CORRECT)


def moved(public: str, response: requests.Response) -> ToolError:
    """A redirect is told, not followed: a search would lose its body, another host would get the credentials."""
    try:
        asked, there = urlsplit(response.url), urlsplit(urljoin(response.url, response.headers.get("Location", "")))
        same = there.hostname == asked.hostname and there.scheme == "https"
        place = clean_text(f"{there.scheme}://{there.netloc.rpartition('@')[2]}", 100)
    except ValueError:
        same, place = False, "an address that is malformed"
    hint = f"Write {place} in the tracking URI." if same else "No credentials are sent on. Check the tracking URI."
    return ToolError(f"The tracking server at {public} redirects to {place} (HTTP {response.status_code}).", hint)


def endless(public: str) -> ToolError:
    """The error for a listing without end."""
    return ToolError(f"The server at {public} gives page after page without end.", "Check the server.")


def unreachable(public: str, error: BaseException, timeout_s: float, sign_in: SignIn) -> ToolError:
    """No answer came, and nothing else tells why than `error` and what it came from."""
    chain = _chain(error)
    told = " ".join(repr(link) for link in chain)
    where = f"The tracking server at {public}"
    if any(isinstance(link, (requests.exceptions.InvalidURL, UnicodeError)) for link in chain):
        return ToolError(f"The tracking URI '{public}' is malformed.", CORRECT)
    if not any(isinstance(link, (requests.RequestException, OSError)) for link in chain):
        kind = type(chain[-1]).__name__
        return ToolError(f"MLflow cannot sign in at {public}: {kind}.", sign_in.hint)
    if "WRONG_VERSION_NUMBER" in told:
        return OutOfReachError(f"{where} does not speak HTTPS.", "Write http:// in the tracking URI.")
    if "CERTIFICATE_VERIFY_FAILED" in told:
        return OutOfReachError(f"{where} has a certificate that is not trusted.", CERTIFICATES)
    if any(isinstance(link, requests.exceptions.ProxyError) for link in chain):
        return OutOfReachError(
            f"{where} cannot be reached through this machine's proxy.", "Check HTTPS_PROXY, NO_PROXY."
        )
    if any(isinstance(link, requests.exceptions.Timeout) for link in chain) or "timed out" in told:
        return OutOfReachError(f"{where} did not answer within {timeout_s:g} s.", START)
    if "NameResolution" in told or "getaddrinfo" in told:
        return OutOfReachError(f"The host name in {public} is not known.", CORRECT)
    if "refused" in told:
        return OutOfReachError(f"Nothing listens at {public}.", START)
    if "invalid path" in told:
        return OutOfReachError("A certificate file that MLflow's variables name is not there.", CERTIFICATES)
    asks = "It may ask for a certificate of yours: set MLFLOW_TRACKING_CLIENT_CERT_PATH."
    return OutOfReachError(f"{where} broke off the connection.", asks if sign_in.url.startswith("https") else START)


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and len(chain) < 10:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
