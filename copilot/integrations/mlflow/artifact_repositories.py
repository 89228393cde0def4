"""Where a run's artifacts are written: this machine, the tracking server, or a bucket by MLflow's own client."""

from __future__ import annotations

import queue
import re
import tempfile
import threading
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from copilot.errors import InputError, ToolError
from copilot.integrations.mlflow.local_artifacts import USE_SERVER, local_folder, write_artifact
from copilot.utils.logging import no_telemetry
from copilot.utils.validators import clean_text, without_credentials

SERVED = "/api/2.0/mlflow-artifacts/artifacts/"
UPLOAD_S = 15.0


def served_path(uri: str, tracking_url: str) -> str | None:
    """The path below `SERVED` of artifacts that the tracking server itself serves; None for others.

    Raises
    ------
    ToolError
        Another server is named: it would get the credentials of this one.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("mlflow-artifacts", "http", "https"):
        return None
    path = unquote(parts.path)
    path = path.partition(SERVED)[2] if parts.scheme != "mlflow-artifacts" else path.lstrip("/")
    other = parts.netloc and parts.netloc.rpartition("@")[2] != urlsplit(tracking_url).netloc.rpartition("@")[2]
    if other or not path or ".." in PurePosixPath(path).parts:
        raise ToolError(
            f"The artifacts lie at {clean_text(without_credentials(uri), 300)}, which is not the tracking server.",
            "Write back from a machine that uses that server's address.",
        )
    return path


def put_artifact(uri: str, run_id: str, path: str, content: bytes, patience_s: float = UPLOAD_S) -> None:
    """Write one file among a run's artifacts in a folder of this machine, or in a bucket.

    Parameters
    ----------
    uri : str
        The run's artifact URI.
    run_id, path : str
    content : bytes
    patience_s : float
        Longest wait for a bucket, in seconds.

    Raises
    ------
    CopilotError
        It cannot be written.
    """
    scheme = re.match(r"([A-Za-z][\w+.-]+):", uri)
    if scheme is None or scheme[1].lower() == "file":
        write_artifact(local_folder(uri, run_id), path, content)
    else:
        upload(uri, path, content, patience_s)


def upload(uri: str, path: str, content: bytes, patience_s: float = UPLOAD_S) -> None:
    """Write one file below a URI such as ``s3://bucket/0/run/artifacts``, by MLflow's own client.

    Raises
    ------
    InputError
        The URI is known to a tracking server only.
    ToolError
        The client failed, or did not finish in time.
    """
    public = clean_text(without_credentials(uri), 300)
    if re.match(r"(?i)(mlflow-artifacts|https?):", uri):
        raise InputError(f"The artifacts lie at {public}, behind a tracking server.", USE_SERVER)
    answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            _by_mlflow(uri, path, content)
            answers.put(None)
        except BaseException as error:  # told below: clients of buckets have many kinds
            answers.put(error)

    threading.Thread(target=work, name="mlflow-upload", daemon=True).start()
    try:
        error = answers.get(timeout=patience_s)
    except queue.Empty:
        raise ToolError(f"{public} took more than {patience_s:g} s to write to.", "Is it within reach?") from None
    if isinstance(error, ImportError):
        raise ToolError(f"Writing to {public} needs a package that is not here: {clean_text(error)}.", USE_SERVER)
    if error is not None:
        own = urlsplit(uri).netloc.rpartition("@")[0]  # a client names the bucket with them, outside any address
        text = str(error).replace(f"{own}@", "***@") if own else str(error)
        reason = clean_text(without_credentials(text))
        raise ToolError(f"{public} cannot be written to: {reason}.", "Check your rights there.") from error


def _by_mlflow(uri: str, path: str, content: bytes) -> None:
    no_telemetry()  # before MLflow is imported, which starts it
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with tempfile.TemporaryDirectory(prefix="mlops-copilot-") as folder:
        file = Path(folder) / PurePosixPath(path).name
        file.write_bytes(content)
        get_artifact_repository(uri).log_artifact(str(file), str(PurePosixPath(path).parent))
