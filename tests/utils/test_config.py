"""Settings: the user's own example, precedence, and wrong files told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot.analyzer import CopilotAnalyzer
from copilot.errors import ConfigError
from copilot.utils.config import MlflowSettings, Settings, load_settings
from tests.core.curves import with_accuracy

SECRET = "s3cr3t"
EXAMPLE = """
# mlops_copilot_config.yaml
mlflow:
  tracking_uri: "http://localhost:5000"
  experiment_name: "cv_model_analysis"
  
dvc:
  remote: "origin"
  data_path: "data/"
  
deepchecks:
  suite: "computer_vision"
  custom_checks:
    - "overfitting_analysis"
    - "data_drift_detection"
    
research:
  sources: ["arxiv", "semantic_scholar"]
  max_papers: 10
  keywords: ["overfitting", "computer vision", "regularization"]

detection:
  thresholds:
    train_val_gap: 0.1
    learning_curve_slope: 0.05
  metrics: ["accuracy", "loss", "f1_score"]

output:
  format: ["html", "pdf"]
  template: "default"
  include_visualizations: true
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str | bytes, name: str = "settings.yaml") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def problem(text: str | bytes) -> str:
    """The one line that such a settings file is refused with."""
    with pytest.raises(ConfigError) as refused:
        CopilotAnalyzer(write(text))
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)
    assert refused.value.hint
    return str(refused.value)


def test_the_users_example_loads_as_it_is_written():
    settings = load_settings(write(EXAMPLE))
    assert settings.mlflow.tracking_uri == "http://localhost:5000"
    assert settings.mlflow.experiment_name == "cv_model_analysis"
    assert (settings.dvc.remote, settings.dvc.data_path) == ("origin", "data/")
    assert settings.deepchecks.suite == "computer_vision"
    assert settings.deepchecks.custom_checks == ["overfitting_analysis", "data_drift_detection"]
    assert settings.research.sources == ["arxiv", "semantic_scholar"]
    assert settings.research.max_papers == 10
    assert settings.research.keywords == ["overfitting", "computer vision", "regularization"]
    assert settings.detection.thresholds == {"train_val_gap": 0.1, "learning_curve_slope": 0.05}
    assert settings.detection.metrics == ["accuracy", "loss", "f1_score"]
    assert settings.output.format == ["html", "pdf"]
    assert (settings.output.template, settings.output.include_visualizations) == ("default", True)
    checks = {c.code: c.thresholds for c in CopilotAnalyzer(settings).checks}
    assert checks["OVF101"].train_val_gap == 0.1
    assert checks["OVF105"].learning_curve_slope == 0.05


def test_the_same_example_as_json():
    import yaml

    assert load_settings(write(json.dumps(yaml.safe_load(EXAMPLE)), "s.json")) == load_settings(write(EXAMPLE))


def test_the_users_threshold_decides_the_verdict():
    history = with_accuracy(1.0, 0.85)
    strict = CopilotAnalyzer(write(EXAMPLE)).analyze_history(history)
    lenient = CopilotAnalyzer(write(EXAMPLE.replace("gap: 0.1", "gap: 0.3"))).analyze_history(history)
    assert (strict.diagnosis.verdict, strict.analysis.finding("OVF101").state) == ("overfitting", "issue")
    assert (lenient.diagnosis.verdict, lenient.analysis.finding("OVF101").state) == ("healthy", "passed")
    assert strict.analysis.provenance.settings["thresholds"]["train_val_gap"] == 0.1


def test_the_users_order_of_metrics_decides_the_best_epoch():
    history = with_accuracy(0.95, 0.9)
    for text, quantity in (
        (EXAMPLE, "accuracy"),
        (EXAMPLE.replace('["accuracy", "loss"', '["loss", "accuracy"'), "loss"),
    ):
        evidence = CopilotAnalyzer(write(text)).analyze_history(history).evidence
        assert [e.quantity for e in evidence if e.name == "best_checkpoint"] == [quantity]


def test_precedence_flag_environment_file_mlflows_variable_default(monkeypatch):
    file = write("mlflow: {tracking_uri: from-file}")
    assert load_settings().mlflow.tracking_uri is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "from-mlflow")
    assert load_settings().mlflow.tracking_uri == "from-mlflow"
    assert load_settings(file).mlflow.tracking_uri == "from-file"
    monkeypatch.setenv("MLOPS_COPILOT_MLFLOW__TRACKING_URI", "from-environment")
    assert load_settings(file).mlflow.tracking_uri == "from-environment"
    assert load_settings(file, {"mlflow": {"tracking_uri": "from-flag"}}).mlflow.tracking_uri == "from-flag"


def test_layers_are_merged_key_by_key(monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_MLFLOW__TIMEOUT_S", "3")
    file = write("mlflow: {tracking_uri: here, max_retries: 5}\ndetection: {thresholds: {train_val_gap: 0.2}}")
    settings = load_settings(file, {"mlflow": {"experiment_name": "e"}})
    assert settings.mlflow == MlflowSettings(tracking_uri="here", experiment_name="e", timeout_s=3.0, max_retries=5)


def test_which_file_is_read(monkeypatch):
    assert load_settings().mlflow.experiment_name is None
    write("mlflow: {experiment_name: here}", "mlops_copilot_config.yaml")
    assert load_settings().mlflow.experiment_name == "here"
    monkeypatch.setenv("MLOPS_COPILOT_CONFIG", write("mlflow: {experiment_name: named}", "b.yaml"))
    assert load_settings().mlflow.experiment_name == "named"
    assert load_settings(write("mlflow: {experiment_name: given}", "c.yaml")).mlflow.experiment_name == "given"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "mlflow:\n  # tracking_uri: x\ndetection:\n"])
def test_a_file_of_comments_leaves_the_defaults(text):
    assert load_settings(write(text)) == Settings()


def test_short_forms():
    settings = load_settings(
        write("output: {format: html}\nexecutor: local\ndetection: {ignore: [ovf105], metrics: f1}")
    )
    assert settings.output.format == ["html"]
    assert settings.executor.kind == "local"
    assert settings.detection.ignore == {"OVF105": "muted in the settings"}
    assert settings.detection.metrics == ["f1"]
    on_dask = load_settings(write("executor: dask")).executor
    assert (on_dask.kind, on_dask.address) == ("dask", None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mlflow: [", "line 1"),
        ("mlflow:\n\ttracking_uri: x", "line 2"),
        ("- a", "no settings"),
        ("just words", "no settings"),
        ("1: 2", "no settings"),
        ("a: &a [*a]", "'a'"),
        ("x: !!python/object/apply:os.system ['id']", "python/object"),
        (b"\xff\xfe\x00bad", "UTF-8"),
        (b"\x00\x01\x02", "not valid YAML"),
        ("mlfow: {}", "'mlfow'; did you mean 'mlflow'"),
        ("mlflow: {trackinguri: x}", "'mlflow.trackinguri'; did you mean 'mlflow.tracking_uri'"),
        ("mlflow: 5", "mlflow is a section"),
        ("mlflow: {timeout_s: soon}", "mlflow.timeout_s"),
        ("mlflow: {timeout_s: .nan}", "mlflow.timeout_s"),
        ("research: {sources: [google]}", "'semantic_scholar'"),
        ("research: {max_papers: 9999}", "research.max_papers"),
        ("output: {format: docx}", "'docx'"),
        ("executor: ray", "executor.kind"),
        ("executor: {address: 'tcp://host:8786'}", "an address needs kind: dask"),
        ("executor: {kind: dask, address: 'http://host'}", "looks like tcp://host:8786"),
        ("detection: {thresholds: {train_val_gab: 0.1}}", "did you mean 'detection.thresholds.train_val_gap'"),
        ("detection: {thresholds: {train_val_gap: 5}}", "detection.thresholds.train_val_gap"),
        ("detection: {thresholds: {train_val_gap: .nan}}", "detection.thresholds.train_val_gap"),
        ("detection: {checks: {OVF102: {risse: 1}}}", "did you mean 'detection.checks.OVF102.rise'"),
        ("detection: {checks: {OVF101: {train_val_gap: 5}}}", "detection.checks.OVF101.train_val_gap"),
        ("detection: {checks: {OVF102: 5}}", "detection.checks.OVF102"),
        ("detection: {ignore: {OVF19: known}}", "'detection.ignore.OVF19'; did you mean"),
    ],
)
def test_wrong_settings_name_the_key_and_the_nearest_known_one(text, named):
    assert named in problem(text)


@pytest.mark.parametrize(
    "text",
    [
        f"research: {{semantic_scholar_key: [{SECRET}]}}",
        f"mlflow: 'http://me:{SECRET}@host'",
        f"store: 'postgresql://me:{SECRET}@host/x'",
        f"mlflow: {{tracking_uri: ['http://me:{SECRET}@host']}}",
        f"store: {{password: {SECRET}}}",
    ],
)
def test_secrets_are_not_repeated(text):
    assert SECRET not in problem(text)


@pytest.mark.parametrize("path", ["nope.yaml", ".", "", "a" * 300, "/dev/null/x", "nul\x00byte"])
def test_a_settings_file_that_is_not_there(path):
    with pytest.raises(ConfigError, match="not found"):
        load_settings(path)


def test_a_file_that_is_far_too_large():
    with pytest.raises(ConfigError, match="too large"):
        load_settings(write("# " + "x" * 1_000_001))


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("DETECTION", "{bad", "MLOPS_COPILOT_DETECTION is not valid JSON"),
        ("RESEARCH__SOURCES", "arxiv", "MLOPS_COPILOT_RESEARCH__SOURCES is not valid JSON"),
        ("MLFLOW", f"http://me:{SECRET}@h", "MLOPS_COPILOT_MLFLOW is not valid JSON"),
        ("MLFLOW__TIMEOUT_S", "abc", "MLOPS_COPILOT_MLFLOW__TIMEOUT_S: mlflow.timeout_s"),
        ("MLFLOW__TIMEOUTS", "1", "MLOPS_COPILOT_MLFLOW__TIMEOUTS: unknown key 'mlflow.timeouts'"),
        ("MLFLW__TRACKING_URI", "x", "Did you mean MLOPS_COPILOT_MLFLOW__"),
        ("CONFIG", "nope.yaml", "'nope.yaml'"),
        ("DETECTION__CHECKS__OVF102__RISSE", "1", "'detection.checks.OVF102.risse'"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch, name, value, named):
    write("mlflow: {max_retries: 2}", "mlops_copilot_config.yaml")
    monkeypatch.setenv(f"MLOPS_COPILOT_{name}", value)
    with pytest.raises(ConfigError) as refused:
        CopilotAnalyzer()
    assert named in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "mlops_copilot_config.yaml" not in str(refused.value)


def test_thresholds_from_variables(monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_DETECTION__CHECKS__OVF102__RISE", "0.2")
    monkeypatch.setenv("MLOPS_COPILOT_DETECTION__THRESHOLDS__TRAIN_VAL_GAP", "0.3")
    checks = {c.code: c.thresholds for c in CopilotAnalyzer().checks}
    assert (checks["OVF102"].rise, checks["OVF101"].train_val_gap) == (0.2, 0.3)


def test_public_masks_every_secret():
    settings = load_settings(
        None,
        {
            "research": {"semantic_scholar_key": SECRET},
            "mlflow": {"tracking_uri": f"https://me:{SECRET}@host?api_key={SECRET}", "headers": {"X-Key": SECRET}},
            "store": {"url": f"postgresql://me:{SECRET}@host/db"},
        },
    )
    shown = json.dumps(settings.public())
    assert SECRET not in shown
    assert "https://***@host" in shown
    assert settings.research.semantic_scholar_key.get_secret_value() == SECRET


def test_the_shipped_template_is_valid_and_is_the_default():
    from importlib.resources import files

    text = files("copilot").joinpath("templates/configs/default.yaml").read_text()
    settings = CopilotAnalyzer(write(text)).settings
    assert settings.detection.checks == {}
    assert settings.mlflow.experiment_name == "cv_model_analysis"


def test_a_projects_own_metric_names():
    text = """
metrics:
  train: ["{}_tr", "fit/{}"]
  val: "{}_held"
  pairs:
    - {quantity: loss, train: curve 1, val: curve 2}
  ignore: old/*
"""
    rules = load_settings(write(text)).metrics.rules
    assert [r.pattern for r in rules.train] == ["old/*", "{}_tr", "fit/{}", "curve 1"]
    assert [(r.pattern, r.quantity) for r in rules.val] == [("old/*", None), ("{}_held", None), ("curve 2", "loss")]
    assert load_settings(write("mlflow: {}", "c.yaml")).metrics.rules == (None, None)


def test_a_pattern_from_the_environment(monkeypatch):
    monkeypatch.setenv("MLOPS_COPILOT_METRICS__TRAIN", "{}_tr")
    assert [r.pattern for r in load_settings().metrics.rules.train] == ["{}_tr"]
    monkeypatch.setenv("MLOPS_COPILOT_METRICS__TRAIN", '["{}_tr", "fit/{}"]')
    assert [r.pattern for r in load_settings().metrics.rules.train] == ["{}_tr", "fit/{}"]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"train": "x{}", "val": ["x{}"]}, "'x{}' stands for both train and val"),
        ({"train": ""}, "1 to 200 characters"),
        ({"train": "a{b}"}, "write {} where the quantity stands"),
        ({"val": "{}*{}{}"}, "more than two {}"),
        ({"train": 5}, "metrics.train: "),
        ({"pairs": [{"quantity": "loss"}]}, "name the series of train, val or both"),
        ({"pairs": [{"quantity": "loss", "train": "a", "val": "a"}]}, "the same series"),
        ({"pairs": [{"quantity": "loss", "train": "a", "vla": "b"}]}, "did you mean 'metrics.pairs.0.val'"),
        ({"pairs": [{"quantity": "loss", "train": "a"}, {"quantity": "acc", "train": "a"}]}, "series of two pairs"),
        ({"trian": "{}"}, "did you mean 'metrics.train'"),
    ],
)
def test_metric_names_that_cannot_be_used(metrics, said):
    with pytest.raises(ConfigError) as refused:
        load_settings(None, {"metrics": metrics})
    assert said in str(refused.value)
    assert "Value error" not in str(refused.value)
