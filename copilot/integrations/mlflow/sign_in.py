"""Signing in at a tracking server as MLflow's own variables, files and plugins say."""

from __future__ import annotations

import base64
import configparser
import logging
from functools import cached_property
from urllib.parse import unquote, urlsplit

import requests

from copilot.errors import ToolError
from copilot.utils.config import MlflowSettings
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text

no_telemetry()  # before MLflow is imported, which starts it

from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.tracking.request_header.registry import resolve_request_headers  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.databricks_utils import get_databricks_host_creds  # noqa: E402
from mlflow.utils.rest_utils import MlflowHostCreds  # noqa: E402

DATABRICKS = "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile of ~/.databrickscfg."
SERVER = (
    "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; "
    "headers of a gateway: mlflow.headers in the settings."
)
SHORTEST_SECRET = 4  # characters; to mask shorter ones would mask half of each text

logging.getLogger("mlflow.utils.databricks_utils").setLevel(logging.ERROR)  # what it warns of is an error of ours


class SignIn:
    """How one tracking server is addressed and signed in at.

    Attributes
    ----------
    url : str
        The address without name and password: MLflow's errors quote it.
    headers : dict of str to str
        Those of the settings, and what the name and password in the address stand for.
    databricks : bool
    hint : str
        What to do when access is refused.
    """

    def __init__(self, url: str, public: str, settings: MlflowSettings) -> None:
        self._public = public
        self.databricks = url.partition(":")[0] == "databricks"
        self.hint = DATABRICKS if self.databricks else SERVER
        self.url, signed, self._password = (url, {}, "") if self.databricks else _signed(url)
        self.headers = {name: value.get_secret_value() for name, value in settings.headers.items()} | signed

    def extra_headers(self) -> dict[str, str]:
        """The headers that no plugin of MLflow's sends: it fails when two have one name."""
        taken = resolve_request_headers()
        return {name: value for name, value in self.headers.items() if name not in taken}

    def credentials(self) -> MlflowHostCreds:
        """What MLflow's variables and files say now; in our words if they contradict each other."""
        if self.databricks:
            return self._workspace
        try:
            return get_default_host_creds(self.url)
        except (MlflowException, OSError, ValueError, configparser.Error) as error:
            mine = isinstance(error, MlflowException)  # a parser's error quotes the file
            told = error.message if mine else "~/.mlflow/credentials cannot be read"
            hint = "Check the MLFLOW_TRACKING_* variables and ~/.mlflow/credentials."
            raise ToolError(f"MLflow cannot sign in at {self._public}: {clean_text(told, 300)}", hint) from error

    @cached_property
    def _workspace(self) -> MlflowHostCreds:
        """Databricks' host and token; found once, since its SDK may ask the host for how to sign in."""
        try:
            return get_databricks_host_creds(self.url)
        except Exception as error:  # the SDK raises its own kinds
            raise ToolError(f"No way to sign in at {self._public} was found.", DATABRICKS) from error

    def masked(self, text: str, response: requests.Response, credentials: MlflowHostCreds) -> str:
        """A server may send back what it was given."""
        sent = [*self.headers.values(), str(response.request.headers.get("Authorization", ""))]
        secrets = [credentials.password, credentials.token, self._password, *sent]
        secrets += [word for value in sent for word in value.split()[1:]]
        for secret in sorted({s for s in secrets if s and len(s) >= SHORTEST_SECRET}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _signed(url: str) -> tuple[str, dict[str, str], str]:
    """A URL without its name and password, the header they stand for, and the password: MLflow's errors quote URLs."""
    parts = urlsplit(url)
    user, mark, host = parts.netloc.rpartition("@")
    if not mark:
        return url, {}, ""
    name, _, password = (unquote(part) for part in user.partition(":"))
    both = base64.b64encode(f"{name}:{password}".encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {both}"}, password or name
