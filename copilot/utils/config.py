"""Settings: one object from a YAML or JSON file, the environment and flags, validated when it is loaded."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, InitSettingsSource, SettingsConfigDict

from copilot.errors import ConfigError
from copilot.utils.metric_settings import MetricsSettings
from copilot.utils.mlflow_settings import MlflowSettings
from copilot.utils.model_settings import DeepchecksSettings, ImagesSettings, ModelsSettings, ProbesSettings
from copilot.utils.sections import Section, Words, as_list
from copilot.utils.validators import clean_text, without_credentials

ENV_PREFIX = "MLOPS_COPILOT_"
DEFAULT_FILE = "mlops_copilot_config.yaml"
MAX_FILE_BYTES = 1_000_000


class DvcSettings(Section):
    repo: str | None = Field(None, description="Git repository with DVC; default: the one around the working folder.")
    remote: str | None = Field(None, description="DVC remote that data is read from; default: the repository's own.")
    data_path: str | None = Field(None, description="Tracked folder that holds the images.")
    patience_s: float = Field(
        30.0, gt=0, le=3600, description="Time without progress after which a remote is given up."
    )
    keep_copies: bool = Field(True, description="Keep a copy of what a remote gave in the home folder, 2 GB at most.")


class ResearchSettings(Section):
    sources: list[Literal["arxiv", "semantic_scholar"]] = Field(["arxiv", "semantic_scholar"])
    max_papers: int = Field(10, ge=1, le=100, description="Papers that a search keeps.")
    keywords: Words = Field(["overfitting", "computer vision", "regularization"], description="Added to each search.")
    arxiv_url: str = Field("https://export.arxiv.org/api/query", description="Address of arXiv's query API.")
    semantic_scholar_url: str = Field("https://api.semanticscholar.org", description="Semantic Scholar's API.")
    semantic_scholar_key: SecretStr | None = Field(None, description="API key, if you have one.")
    timeout_s: float = Field(15.0, gt=0, le=300, description="Longest wait for one source.")


class DetectionSettings(Section):
    thresholds: dict[str, float] = Field({}, description="train_val_gap and learning_curve_slope.")
    metrics: Words = Field([], description="Quantities in order of preference: the first that a run has is primary.")
    checks: dict[str, dict[str, Any]] = Field({}, description="Thresholds by check code.")
    ignore: dict[str, str] = Field({}, description="Muted checks: code and the reason.")

    @field_validator("ignore", mode="before")
    @classmethod
    def _list_of_codes(cls, value: Any) -> Any:
        return dict.fromkeys(value, "muted in the settings") if isinstance(value, list) else value

    @field_validator("checks", "ignore")
    @classmethod
    def _codes_in_capitals(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Names of environment variables arrive in small letters."""
        return {code.upper() if re.fullmatch(r"(?i)ovf\d+", code) else code: own for code, own in value.items()}


class MonitorSettings(Section):
    metric: str | None = Field(None, description="Quantity that decides when to stop; default: the loss.")
    interval_s: float = Field(30.0, ge=0.1, description="Seconds between two looks of `watch`.")
    timeout_s: float = Field(10.0, gt=0, le=300, description="Longest wait for a webhook or a command of `watch`.")
    thresholds: dict[str, float] = Field({}, description="Numbers of the stop rule, by name.")


class OutputSettings(Section):
    format: list[Literal["html", "pdf", "json", "markdown"]] = Field(["html", "pdf"])
    template: str = Field("default", description="Report template.")
    include_visualizations: bool = True
    directory: str = Field(".", description="Folder that reports are written to.")

    _one = field_validator("format", mode="before")(as_list)


class ExecutorSettings(Section):
    kind: Literal["local", "dask"] = Field("local", description="Where long work runs: here, or on a Dask cluster.")
    workers: int = Field(0, ge=0, description="Parallel workers; 0 means one per core, or all that a cluster has.")
    address: str | None = Field(
        None, description="Dask scheduler, such as tcp://host:8786; default: a cluster here, on loopback only."
    )

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> ExecutorSettings:
        if self.address is not None and self.kind != "dask":
            raise ValueError("an address needs kind: dask")
        if self.address is not None and not re.fullmatch(r"((tcp|tls|ws|wss)://)?[^\s/:@]+:\d{1,5}", self.address):
            raise ValueError("the address of a Dask scheduler looks like tcp://host:8786")
        return self


class StoreSettings(Section):
    url: str | None = Field(None, description="SQLAlchemy address of the store; default: SQLite in the home folder.")


class ChatSettings(Section):
    suggestions: int = Field(4, ge=0, le=8, description="Suggested questions shown on the chat page.")


class ServerSettings(Section):
    host: str = Field("127.0.0.1", description="Address that the dashboard listens on.")
    port: int = Field(8501, ge=0, le=65535, description="Port of the dashboard; 0 takes a free one.")


class Settings(BaseSettings):
    """Everything that can be set. Flags win over ``MLOPS_COPILOT_*``, then the file, then ``MLFLOW_TRACKING_URI``.

    Nested names are joined by two underscores: ``MLOPS_COPILOT_MLFLOW__TRACKING_URI``.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid")

    mlflow: MlflowSettings = MlflowSettings()
    dvc: DvcSettings = DvcSettings()
    deepchecks: DeepchecksSettings = DeepchecksSettings()
    research: ResearchSettings = ResearchSettings()
    detection: DetectionSettings = DetectionSettings()
    output: OutputSettings = OutputSettings()
    metrics: MetricsSettings = MetricsSettings()
    monitor: MonitorSettings = MonitorSettings()
    executor: ExecutorSettings = ExecutorSettings()
    models: ModelsSettings = ModelsSettings()
    images: ImagesSettings = ImagesSettings()
    probes: ProbesSettings = ProbesSettings()
    store: StoreSettings = StoreSettings()
    chat: ChatSettings = ChatSettings()
    server: ServerSettings = ServerSettings()

    @field_validator("executor", mode="before")
    @classmethod
    def _executor_by_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    def public(self) -> dict[str, Any]:
        """The settings as JSON values; secrets are masked and passwords inside addresses removed."""

        def clean(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: clean(v) for k, v in value.items()}
            if isinstance(value, list):
                return [clean(v) for v in value]
            return without_credentials(value) if isinstance(value, str) else value

        return clean(self.model_dump(mode="json"))


def load_settings(path: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    path : str or Path, optional
        YAML or JSON file. Default: ``MLOPS_COPILOT_CONFIG``, else ``mlops_copilot_config.yaml`` here, if there is one.
    overrides : mapping, optional
        Nested values that win over everything (command-line flags).

    Raises
    ------
    ConfigError
        The file is missing, not valid YAML or JSON, or has a key or value that is not known.
    """
    _known_variables()
    found = find_settings_file(path)
    from_file = _read_file(found) if found else {}
    fallback = {"mlflow": {"tracking_uri": uri}} if (uri := os.environ.get("MLFLOW_TRACKING_URI")) else {}

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **_):
            layers = [init_settings, env_settings]
            return *layers, InitSettingsSource(settings_cls, from_file), InitSettingsSource(settings_cls, fallback)

    where = str(found) if found else "the settings"
    try:
        layered = Layered(**(overrides or {}))
    except ValidationError as error:
        raise ConfigError(_first_problem(error, where), "See `mlops-copilot config show` for every key.") from error
    except ValueError as error:  # an environment variable that is not JSON where JSON is needed
        raise ConfigError(f"{_not_json()} is not valid JSON.", "Lists and mappings are written as JSON.") from error
    return Settings.model_construct(**{name: getattr(layered, name) for name in Settings.model_fields})


def find_settings_file(path: str | Path | None = None) -> Path | None:
    """The settings file that `load_settings` reads, or None."""
    named = path if path is not None else os.environ.get(f"{ENV_PREFIX}CONFIG") or None
    if named is not None:
        if not _is_file(named):
            raise ConfigError(f"Settings file not found: '{named}'.", "Make one: mlops-copilot config init")
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long for the file system
        return False


def _read_file(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is too large for a settings file.", "Pass the YAML settings file.")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as text: {_reason(error)}.", "Pass a YAML or JSON file.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        reason = clean_text(getattr(error, "problem", None) or error, 120)
        raise ConfigError(f"{path} is not valid YAML{place}: {reason}.", "Mend the file.") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path} holds no settings.", "It needs sections such as `mlflow:` and `detection:`.")
    return {key: value for key, value in data.items() if value is not None}  # a section whose lines are all comments


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8"


def _known_variables() -> None:
    """A variable whose section is misspelt would be passed over in silence."""
    for name in os.environ:
        section, mark, _ = name.upper().removeprefix(ENV_PREFIX).partition("__")
        if name.upper().startswith(ENV_PREFIX) and mark and section.lower() not in Settings.model_fields:
            near = difflib.get_close_matches(section.lower(), Settings.model_fields, n=1, cutoff=0.0)[0].upper()
            raise ConfigError(
                f"The environment variable {clean_text(name, 80)} names no section of the settings.",
                f"Did you mean {ENV_PREFIX}{near}__...?",
            )


def _not_json() -> str:
    """The variables of lists and mappings that hold something else."""
    broken = []
    for name, value in sorted(os.environ.items()):
        place = name.upper().removeprefix(ENV_PREFIX).lower().split("__")
        if name.upper().startswith(ENV_PREFIX) and place[0] in Settings.model_fields and _holds_many(place):
            try:
                json.loads(value)
            except ValueError:
                broken.append(clean_text(name, 80))
    return " or ".join(broken) or "An environment variable"


def _holds_many(place: list[str]) -> bool:
    """Whether the key is a section, a list or a mapping."""
    annotation: Any = Settings
    for part in place:
        fields = getattr(annotation, "model_fields", {})
        if part not in fields:
            return False
        annotation = fields[part].annotation
    return hasattr(annotation, "model_fields") or getattr(annotation, "__origin__", None) in (list, dict)


def _first_problem(error: ValidationError, where: str) -> str:
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    key = ".".join(place)
    variable = f"{ENV_PREFIX}{'__'.join(place)}".upper()
    where = variable if variable in map(str.upper, os.environ) else where
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _keys_at(place[:-1]), n=1, cutoff=0.0)
        return f"{where}: unknown key '{clean_text(key)}'; did you mean '{'.'.join([*place[:-1], *near])}'?"
    if problem["type"].startswith("model_"):
        return f"{where}: {key} is a section: it holds keys such as {key}.{_keys_at(place)[0]}"
    key = key.removesuffix(".str")  # where one text or a list of them may stand
    return f"{where}: {key}: {problem['msg'].removeprefix('Value error, ')}{_got(place, problem.get('input'))}"


def _got(place: list[str], value: Any) -> str:
    """What was given, unless it may be a secret."""
    secret = re.search(r"(?i)key$|token|secret|password|headers", ".".join(place))
    return "" if secret else f" (got {clean_text(without_credentials(str(value)), 60)!r})"


def _keys_at(place: list[str]) -> list[str]:
    model: Any = Settings
    for part in place:
        model = get_args(model)[0] if part.isdecimal() else model.model_fields[part].annotation
    return list(model.model_fields)
