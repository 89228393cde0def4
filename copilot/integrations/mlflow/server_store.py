"""Runs behind a tracking server, by its REST API: each request has limits of its own, not those of the process."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from copilot.core.pairs import LoggedSeries
from copilot.errors import CopilotError, InputError, NotFoundError
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
    make_version,
    make_versions,
    no_run,
    seconds,
)
from copilot.integrations.mlflow.server_histories import WORKERS, ServerHistories
from copilot.integrations.mlflow.transport import Listing, Transport
from copilot.utils.config import MlflowSettings
from copilot.utils.parallel import parallel_map
from copilot.utils.validators import clean_text

PAGE = 500
SETTLED_S = 60.0


class ServerStore:
    """A `Store` over a tracking server's REST API."""

    caches = True
    together = 400

    def __init__(self, url: str, public: str, settings: MlflowSettings) -> None:
        self._url, self._public = url, public
        self._server = Transport(url, public, settings)
        self._histories = ServerHistories(self._server)
        self._patience = settings.timeout_s * (settings.max_retries + 1) + 1

    def experiments(self) -> list[ExperimentInfo]:
        pages = self._server.pages("POST", "experiments/search", {"max_results": PAGE, "view_type": "ACTIVE_ONLY"})
        return self._server.parsed(lambda: [_experiment(e) for page in pages for e in page.get("experiments", [])])

    def runs(self, experiment_id: str, limit: int | None, newest_first: bool) -> list[RunInfo]:
        body = {
            "experiment_ids": [experiment_id],
            "max_results": PAGE if limit is None else max(min(limit, PAGE), 1),
            "run_view_type": "ACTIVE_ONLY",
            "order_by": [f"attributes.start_time {'DESC' if newest_first else 'ASC'}"],
        }
        found: dict[str, RunInfo] = {}  # a run that starts meanwhile moves others to the next page
        for page in self._pages_of_runs(body):
            for info in self._server.parsed(lambda page=page: [_info(run) for run in page.get("runs", [])]):
                found[info.run_id] = info
            if limit is not None and len(found) >= limit:
                break
        return list(found.values())[:limit]

    def _pages_of_runs(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Pages in order; where tokens are plain offsets (MLflow's own servers), several are asked for at a time."""
        listing = Listing(self._server)

        def ask(token: str) -> dict[str, Any]:
            return listing.ask("POST", "runs/search", {**body, "page_token": token} if token else body)

        first, size = ask(""), body["max_results"]
        yield first
        if str(first.get("next_page_token") or "") != _offset_token(size):
            if token := str(first.get("next_page_token") or ""):
                yield from self._server.pages("POST", "runs/search", {**body, "page_token": token})
            return
        for start in itertools.count(size, size * WORKERS):
            offsets = range(start, start + size * WORKERS, size)
            pages = parallel_map(ask, map(_offset_token, offsets), workers=WORKERS)
            yield from pages
            if not pages[-1].get("next_page_token"):
                return

    def run(self, run_id: str) -> RunInfo:
        return self._server.parsed(_info, self._run(run_id))

    def series(
        self, runs: Sequence[RunInfo], wanted: Callable[[str], bool]
    ) -> Iterator[tuple[RunInfo, list[LoggedSeries] | CopilotError]]:
        return self._histories.read(runs, {run.run_id: [key for key in run.latest if wanted(key)] for run in runs})

    def artifacts(self, run_id: str, path: str) -> list[ArtifactInfo]:
        query = {"run_id": self.run(run_id).run_id, "run_uuid": run_id} | ({"path": safe_path(path)} if path else {})
        pages = self._server.pages("GET", "artifacts/list", query)
        files = itertools.islice((f for page in pages for f in page.get("files", [])), MAX_LISTED)
        return self._server.parsed(
            lambda: make_artifacts((f["path"], f.get("is_dir", False), f.get("file_size")) for f in files)
        )

    def set_tags(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        given = [{"key": name, "value": value} for name, value in tags.items() if value is not None]
        self._server.call("POST", "runs/log-batch", {"run_id": run_id, "tags": given})
        for name in (name for name, value in tags.items() if value is None):
            self._server.call("POST", "runs/delete-tag", {"run_id": run_id, "key": name})

    def put_artifact(self, run_id: str, path: str, content: bytes) -> None:
        info = self._server.parsed(lambda run: dict(run["info"]), self._run(run_id))
        if info.get("lifecycle_stage") == "deleted":
            raise InputError(f"The run {run_id} is deleted; it is not written to.", "Restore it first.")
        uri = str(info.get("artifact_uri") or "")
        served = self._server.parsed(served_path, uri, self._url)
        if served is None:
            put_artifact(uri, run_id, path, content, self._patience)
        else:
            self._server.put(f"{SERVED}{quote(served)}/{path}", content)

    def registered_models(self) -> list[RegisteredModel]:
        pages = self._server.pages("GET", "registered-models/search", {"max_results": 100})
        models = self._server.parsed(
            lambda: [m for page in pages for m in page.get("registered_models", []) if not _is_prompt(m)]
        )
        return [self._with_versions(model) for model in models]

    def registered_model(self, name: str) -> RegisteredModel | None:
        try:
            answer = self._server.call("GET", "registered-models/get", {"name": name})
        except NotFoundError:
            return None
        return self._with_versions(self._server.parsed(lambda: answer["registered_model"]))

    def run_of_logged_model(self, model_id: str) -> str | None:
        answer = self._server.call("GET", f"logged-models/{quote(model_id, safe='')}", {})
        return self._server.parsed(lambda: answer["model"]["info"].get("source_run_id") or None)

    def _with_versions(self, model: dict[str, Any]) -> RegisteredModel:
        name = self._server.parsed(lambda: str(model["name"]))
        mark = '"' if "'" in name else "'"
        pages = self._server.pages("GET", "model-versions/search", {"filter": f"name={mark}{name}{mark}"})
        return self._server.parsed(lambda: _model(model, [v for page in pages for v in page.get("model_versions", [])]))

    def _run(self, run_id: str) -> dict[str, Any]:
        if not is_run_id(run_id):
            raise no_run(run_id, self._public)
        try:
            answer = self._server.call("GET", "runs/get", {"run_id": run_id, "run_uuid": run_id})
        except NotFoundError:
            raise no_run(run_id, self._public) from None
        return self._server.parsed(lambda: answer["run"])


def _offset_token(offset: int) -> str:
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


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
        metrics=[
            (m["key"], float(m["value"]), float(m.get("step", 0)), float(m["timestamp"]))
            for m in data.get("metrics", [])
        ],
        datasets=[_dataset(entry) for entry in run.get("inputs", {}).get("dataset_inputs", [])],
        model_ids=[str(m["model_id"]) for m in run.get("outputs", {}).get("model_outputs", [])],
        artifact_uri=info.get("artifact_uri"),
        state="" if _settled(info) else None,
        deleted=info.get("lifecycle_stage") == "deleted",
    )


def _settled(info: dict[str, Any]) -> bool:
    """Whether the run ended long enough ago that what it logged in the background has arrived.

    Points below the latest step do not show in a list of runs, so that a run is read again until then.
    """
    ended = int(info.get("end_time") or 0) / 1000
    return info.get("status") not in ("RUNNING", "SCHEDULED") and 0 < ended < time.time() - SETTLED_S


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
