"""Runs behind a tracking server, by its REST API: each request has limits of its own, not those of the process."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests

from copilot.core.pairs import LoggedSeries
from copilot.errors import InputError, NotFoundError, ToolError
from copilot.integrations.mlflow.artifact_repositories import SERVED, put_artifact, served_path
from copilot.integrations.mlflow.local_artifacts import MAX_LISTED, safe_path
from copilot.integrations.mlflow.records import (
    PROMPT_TAG,
    ArtifactInfo,
    DatasetInfo,
    ExperimentInfo,
    RegisteredModel,
    RunInfo,
    is_run_id,
    make_artifacts,
    make_dataset,
    make_run,
    make_series,
    make_version,
    make_versions,
    no_run,
    seconds,
)
from copilot.utils.config import MlflowSettings
from copilot.utils.logging import no_telemetry
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text

no_telemetry()  # before MLflow is imported, which starts it

from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402

API = "/api/2.0/mlflow/"
CONNECT_S = 5.0
PAGE = 1000
MAX_PAGES = 10_000
RETRIED = frozenset({429, 502, 503, 504})
START = "Start it, or correct the tracking URI."

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of every retry


class ServerStore:
    """A `Store` over a tracking server's REST API."""

    workers = 4

    def __init__(self, url: str, public: str, settings: MlflowSettings) -> None:
        self._url, self._public = url, public
        self._timeout = (min(CONNECT_S, settings.timeout_s), settings.timeout_s)
        self._retries = settings.max_retries
        self._patience = settings.timeout_s * (settings.max_retries + 1) + 1
        self._check(self._patience)

    def experiments(self) -> list[ExperimentInfo]:
        pages = self._pages("POST", "experiments/search", {"max_results": PAGE, "view_type": "ACTIVE_ONLY"})
        return self._parsed(lambda: [_experiment(e) for page in pages for e in page.get("experiments", [])])

    def runs(self, experiment_id: str, limit: int | None, newest_first: bool) -> list[RunInfo]:
        body = {
            "experiment_ids": [experiment_id],
            "max_results": PAGE if limit is None else max(min(limit, PAGE), 1),
            "run_view_type": "ACTIVE_ONLY",
            "order_by": [f"attributes.start_time {'DESC' if newest_first else 'ASC'}"],
        }
        found: list[RunInfo] = []
        for page in self._pages("POST", "runs/search", body):
            found += self._parsed(lambda page=page: [_info(run) for run in page.get("runs", [])])
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    def run(self, run_id: str) -> RunInfo:
        return self._parsed(_info, self._run(run_id))

    def run_with_series(
        self, run_id: str, wanted: Callable[[str], bool], workers: int
    ) -> tuple[RunInfo, list[LoggedSeries]]:
        run = self._run(run_id)
        keys = self._parsed(lambda: [str(m["key"]) for m in run["data"].get("metrics", [])])
        read = [key for key in keys if wanted(key)]
        points = dict(
            zip(read, parallel_map(lambda key: self._points(run_id, key), read, workers=workers), strict=True)
        )
        return self._parsed(_info, run), [make_series(key, points.get(key, [])) for key in keys]

    def artifacts(self, run_id: str, path: str) -> list[ArtifactInfo]:
        query = {"run_id": self.run(run_id).run_id, "run_uuid": run_id} | ({"path": safe_path(path)} if path else {})
        pages = self._pages("GET", "artifacts/list", query)
        files = itertools.islice((f for page in pages for f in page.get("files", [])), MAX_LISTED)
        return self._parsed(
            lambda: make_artifacts((f["path"], f.get("is_dir", False), f.get("file_size")) for f in files)
        )

    def set_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        given = [{"key": name, "value": value} for name, value in tags.items() if value is not None]
        self._call("POST", "runs/log-batch", {"run_id": run_id, "tags": given})
        for name in (name for name, value in tags.items() if value is None):
            self._call("POST", "runs/delete-tag", {"run_id": run_id, "key": name})

    def put_artifact(self, run_id: str, path: str, content: bytes) -> None:
        info = self._parsed(lambda run: dict(run["info"]), self._run(run_id))
        if info.get("lifecycle_stage") == "deleted":
            raise InputError(f"The run {run_id} is deleted; it is not written to.", "Restore it first.")
        uri = str(info.get("artifact_uri") or "")
        served = self._parsed(served_path, uri, self._url)
        if served is None:
            put_artifact(uri, run_id, path, content, self._patience)
        else:
            response = self._request("PUT", f"{SERVED}{quote(served)}/{path}", data=content)
            if response.status_code >= 300:  # what it answers when all is well is empty since 3.x
                self._answer(response)

    def registered_models(self) -> list[RegisteredModel]:
        pages = self._pages("GET", "registered-models/search", {"max_results": 100})
        models = self._parsed(
            lambda: [m for page in pages for m in page.get("registered_models", []) if not _is_prompt(m)]
        )
        return [self._with_versions(model) for model in models]

    def registered_model(self, name: str) -> RegisteredModel | None:
        try:
            answer = self._call("GET", "registered-models/get", {"name": name})
        except NotFoundError:
            return None
        return self._with_versions(self._parsed(lambda: answer["registered_model"]))

    def run_of_logged_model(self, model_id: str) -> str | None:
        answer = self._call("GET", f"logged-models/{quote(model_id, safe='')}", {})
        return self._parsed(lambda: answer["model"]["info"].get("source_run_id") or None)

    def _with_versions(self, model: dict[str, Any]) -> RegisteredModel:
        name = self._parsed(lambda: str(model["name"]))
        mark = '"' if "'" in name else "'"
        pages = self._pages("GET", "model-versions/search", {"filter": f"name={mark}{name}{mark}"})
        return self._parsed(lambda: _model(model, [v for page in pages for v in page.get("model_versions", [])]))

    def _run(self, run_id: str) -> dict[str, Any]:
        if not is_run_id(run_id):
            raise no_run(run_id, self._public)
        try:
            answer = self._call("GET", "runs/get", {"run_id": run_id, "run_uuid": run_id})
        except NotFoundError:
            raise no_run(run_id, self._public) from None
        return self._parsed(lambda: answer["run"])

    def _points(self, run_id: str, key: str) -> list[tuple[Any, Any, Any]]:
        query = {"run_id": run_id, "run_uuid": run_id, "metric_key": key}
        pages = self._pages("GET", "metrics/get-history", query)
        return self._parsed(
            lambda: [
                (float(m["value"]), float(m.get("step", 0)), float(m["timestamp"]))
                for page in pages
                for m in page.get("metrics", [])
            ]
        )

    def _parsed(self, read: Callable[..., Any], *args: Any) -> Any:
        """What `read` makes of an answer; an answer of another shape is no MLflow server's."""
        try:
            return read(*args)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self._not_mlflow() from error

    def _pages(self, method: str, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        token = ""
        while len(seen) < MAX_PAGES:
            answer = self._call(method, path, {**query, "page_token": token} if token else query)
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
                self._call("POST", "experiments/search", {"max_results": 1})
                answers.put(None)
            except Exception as error:  # raised again below
                answers.put(error)

        threading.Thread(target=ask, name="mlflow-check", daemon=True).start()
        try:
            error = answers.get(timeout=patience_s)
        except queue.Empty:
            raise ToolError(f"The tracking server at {self._public} did not answer in time.", START) from None
        if error is not None:
            raise error

    def _call(self, method: str, path: str, query: dict[str, Any]) -> dict[str, Any]:
        sent = {"params": query} if method == "GET" else {"json": query}
        return self._answer(self._request(method, API + path, **sent))

    def _request(self, method: str, path: str, **sent: Any) -> requests.Response:
        try:
            return http_request(
                get_default_host_creds(self._url),
                path,
                method,
                max_retries=self._retries,
                backoff_factor=0,
                backoff_jitter=0,
                retry_codes=RETRIED,
                timeout=self._timeout,
                raise_on_status=False,
                respect_retry_after_header=False,
                **sent,
            )
        except (MlflowException, requests.RequestException, OSError, ValueError) as error:
            raise self._unreachable(error) from error

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

    def _unreachable(self, error: BaseException) -> ToolError:
        """Why no answer came, in our words: the error's own text may hold credentials."""
        chain: list[BaseException] = []
        while error is not None and len(chain) < 10:
            chain.append(error)
            error = error.__cause__ or error.__context__
        told = " ".join(repr(link) for link in chain)
        where = f"The tracking server at {self._public}"
        if any(isinstance(link, requests.exceptions.SSLError) for link in chain):
            hint = "Set MLFLOW_TRACKING_SERVER_CERT_PATH to its certificate."
            return ToolError(f"{where} has a certificate that is not trusted.", hint)
        if any(isinstance(link, requests.exceptions.Timeout) for link in chain) or "timed out" in told:
            return ToolError(f"{where} did not answer within {self._timeout[1]:g} s.", START)
        if "NameResolution" in told or "getaddrinfo" in told:
            return ToolError(f"The host name in {self._public} is not known.", "Correct the tracking URI.")
        if "refused" in told:
            return ToolError(f"Nothing listens at {self._public}.", START)
        return ToolError(f"{where} broke off the connection.", START)


def _experiment(experiment: dict[str, Any]) -> ExperimentInfo:
    updated = seconds(int(experiment.get("last_update_time") or 0))
    return ExperimentInfo(str(experiment["experiment_id"]), clean_text(experiment["name"]), updated)


def _info(run: dict[str, Any]) -> RunInfo:
    info, data = run["info"], run["data"]
    return make_run(
        run_id=str(info.get("run_id") or info["run_uuid"]),
        experiment_id=info["experiment_id"],
        name=info.get("run_name"),
        status=info.get("status"),
        start_ms=int(info.get("start_time") or 0),
        end_ms=int(info.get("end_time") or 0),
        params=[(p["key"], p.get("value", "")) for p in data.get("params", [])],
        tags=[(t["key"], t.get("value", "")) for t in data.get("tags", [])],
        metrics=[(m["key"], float(m["value"])) for m in data.get("metrics", [])],
        datasets=[_dataset(entry) for entry in run.get("inputs", {}).get("dataset_inputs", [])],
        model_ids=[str(m["model_id"]) for m in run.get("outputs", {}).get("model_outputs", [])],
        artifact_uri=info.get("artifact_uri"),
        deleted=info.get("lifecycle_stage") == "deleted",
    )


def _dataset(entry: dict[str, Any]) -> DatasetInfo:
    data = entry["dataset"]
    context = next((t["value"] for t in entry.get("tags", []) if t["key"] == "mlflow.data.context"), "")
    return make_dataset(data.get("name"), data.get("digest"), context, data.get("source"))


def _model(model: dict[str, Any], versions: list[dict[str, Any]]) -> RegisteredModel:
    aliases: dict[str, list[str]] = defaultdict(list)
    for entry in model.get("aliases", []):
        aliases[str(entry["version"])].append(clean_text(entry["alias"]))
    return RegisteredModel(
        clean_text(model["name"]),
        make_versions(
            make_version(
                v["version"],
                v.get("run_id"),
                v.get("current_stage"),
                aliases[str(v["version"])],
                v.get("description"),
                [(tag["key"], tag.get("value", "")) for tag in v.get("tags", [])],
            )
            for v in versions
        ),
    )


def _is_prompt(model: dict[str, Any]) -> bool:
    return any(tag.get("key") == PROMPT_TAG for tag in model.get("tags", []))
