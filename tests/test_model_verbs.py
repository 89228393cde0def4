"""validate and batch on real models: what is computed, what is kept, what a kill costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from copilot import CopilotAnalyzer, Settings
from copilot.cli.main import main
from copilot.errors import InputError, JobCancelled
from copilot.probes import BUILT_IN
from tests.conftest import REPOSITORY
from tests.small_models import CLASSES, fitted, write_project, write_pt2

MODELS = 5  # benchmarks/batch_resume.py does it with twenty
QUICK = {"suite": "none", "probes": ["class_gap"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def model(project):
    return write_pt2(fitted(project), project.train.parent / "model.pt2")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A home folder that the tests of this file share, so that a model is probed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_COPILOT_HOME", str(tmp_path_factory.mktemp("kept")))
        yield


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """Nothing is known yet."""
    monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def probed(project, model, kept):
    return CopilotAnalyzer(Settings()).validate(str(model), project.train, project.val, suite="none")


def test_every_probe_appears_once_with_its_state(probed):
    codes = [f.code for f in probed.findings if f.code.startswith("OVF3")]
    assert codes == ["OVF300", *(p.code for p in BUILT_IN)]
    states = {f.code: (f.state, f.summary) for f in probed.findings}
    assert {code: told for code, told in states.items() if told[0] == "error"} == {}
    assert probed.computed == ("model",)


def test_what_was_looked_at_is_said(probed):
    first = probed.analysis.finding("OVF300")
    assert "90 of 90 training images and 60 of 60 validation images" in first.summary
    numbers = {e.name: e.value for e in probed.evidence if e.id in first.evidence}
    assert numbers == {"training_images": 90, "validation_images": 60, "unreadable_images": 0}


def test_accuracies_are_those_of_the_model(probed, project):
    import torch

    with torch.no_grad():
        rows = torch.from_numpy(project.images.transpose(0, 3, 1, 2)).float() / 255
        right = (fitted(project)(rows).argmax(1).numpy() == project.labels).mean()
    told = next(e for e in probed.evidence if e.name == "train_accuracy")
    assert told.value == pytest.approx(right, abs=1e-6)
    assert told.low < told.value < told.high


def test_a_model_without_curves_is_inconclusive_and_has_pictures(probed):
    assert probed.subject.kind == "model"
    assert probed.diagnosis.verdict == "inconclusive"
    assert probed.analysis.pictures
    assert {p.finding_code for p in probed.analysis.pictures} <= {p.code for p in BUILT_IN}
    page = probed._repr_html_()
    assert page.count("data:image/") == len(probed.analysis.pictures)


def test_nothing_is_computed_twice(probed, project, model, kept):
    again = CopilotAnalyzer(Settings()).validate(str(model), project.train, project.val, suite="none")
    assert again.computed == ()
    assert again.analysis.findings == probed.analysis.findings
    assert again.analysis.evidence == probed.analysis.evidence


def test_another_threshold_or_image_is_another_result(project, model, tmp_path):
    analyzer = CopilotAnalyzer(Settings())
    assert analyzer.validate(str(model), project.train, project.val, **QUICK).computed == ("model",)
    assert analyzer.validate(str(model), project.train, project.val, **QUICK).computed == ()
    assert analyzer.validate(str(model), project.train, project.val, **QUICK, refresh=True).computed == ("model",)
    strict = CopilotAnalyzer(Settings(detection={"ignore": {"OVF301": "known"}}))
    muted = strict.validate(str(model), project.train, project.val, **QUICK)
    assert muted.computed == ("model",)
    assert muted.analysis.finding("OVF301").state == "ignored"
    image = next(iter(sorted((project.val / "dark").iterdir())))
    os.utime(image, (1, 1))
    assert analyzer.validate(str(model), project.train, project.val, **QUICK).computed == ("model",)


def test_predictions_stand_for_a_model(project, tmp_path, monkeypatch):
    files = []
    for folder in (project.train, project.val):
        names = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*.png"))
        rng = np.random.default_rng(0)
        rows = [(n, *(0.8 if CLASSES[c] == n.split("/")[0] else 0.1 for c in range(3))) for n in names]
        rows[0] = (rows[0][0], *rng.dirichlet([1, 1, 1]))
        files.append(tmp_path / f"{folder.name}.csv")
        files[-1].write_text("\n".join(",".join(map(str, row)) for row in [("image", *CLASSES), *rows]))
    result = CopilotAnalyzer(Settings()).validate(
        None, project.train, project.val, predictions=tuple(files), suite="none"
    )
    states = {f.code: f.state for f in result.findings}
    assert states["OVF301"] == "passed"
    monkeypatch.chdir(tmp_path)  # relative names count from the working folder, whatever a child's is
    again = CopilotAnalyzer(Settings()).validate(
        None, project.train, project.val, predictions=tuple(file.name for file in files), suite="none"
    )
    assert again.analysis.findings == result.analysis.findings
    needing = {p.code for p in BUILT_IN if p.needs != "predictions"}
    assert {states[code] for code in needing} == {"not_applicable"}
    assert "the given predictions" in result.analysis.finding("OVF300").summary


def test_a_limit_is_an_error_finding_and_not_the_end(project, model, empty_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(probes={"timeout_s": 0.5})
    result = CopilotAnalyzer(settings).validate(str(model), project.train, project.val, **QUICK)
    found = result.analysis.finding("OVF300")
    assert found.state == "error"
    assert "0.5 s" in found.summary
    assert "probes.timeout_s" in found.summary
    assert "0.5 s" in result.not_looked_at
    Path("slow.yaml").write_text("probes: {timeout_s: 0.5}")
    asked = ["--model-uri", str(model), "--train", str(project.train), "--test", str(project.val), "--suite", "none"]
    with pytest.raises(SystemExit) as ended:
        main(["validate", *asked, "--config", "slow.yaml", "--quiet", "--format", "json"])
    assert ended.value.code == 3  # nothing was looked at, so the gate stays shut
    again = CopilotAnalyzer(Settings()).validate(str(model), project.train, project.val, **QUICK)
    assert again.analysis.finding("OVF300").state == "passed"


def test_images_that_cannot_be_listed_in_time_are_an_error_finding_too(project, model, empty_home):
    settings = Settings(probes={"timeout_s": 0.01})
    result = CopilotAnalyzer(settings).validate(str(model), project.train, project.val, **QUICK)
    assert [f.code for f in result.findings if f.code >= "OVF3"] == ["OVF300"]
    assert "0.01 s" in result.not_looked_at


def test_cancel_ends_it(project, model):
    def progress(fraction, line):
        raise JobCancelled("Stopped.")

    with pytest.raises(JobCancelled):
        CopilotAnalyzer(Settings()).validate(
            str(model), project.train, project.val, **QUICK, refresh=True, progress=progress
        )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"probes": ["memorization"]}, "Did you mean memorisation?"),
        ({"suite": "computer_vison", "probes": ["none"]}, "computer_vision"),
        ({"train": None}, "Image sets are missing"),
        ({"model_uri": None}, "No model was named"),
        ({"predictions": ("a", "b")}, "Pass one of them"),
        ({"model_uri": "models:/none/1"}, "tracking"),
        ({"test": "/nowhere"}, "/nowhere"),
    ],
)
def test_wrong_input_is_a_line(project, model, given, told):
    asked = {"model_uri": str(model), "train": project.train, "test": project.val, **QUICK, **given}
    with pytest.raises(InputError) as error:
        CopilotAnalyzer(Settings()).validate(asked.pop("model_uri"), asked.pop("train"), asked.pop("test"), **asked)
    assert told in str(error.value)


def test_thresholds_of_probes_are_settings(project, model):
    with pytest.raises(InputError, match=r"detection\.checks\.OVF301"):
        CopilotAnalyzer(Settings(detection={"checks": {"OVF301": {"gapp": 0.1}}}))


@pytest.fixture(scope="module")
def plan(project, tmp_path_factory):
    """Models that differ, and their plan."""
    folder = tmp_path_factory.mktemp("batch")
    models = [write_pt2(fitted(project, ridge=10.0 * (n + 1)), folder / f"{n}.pt2") for n in range(MODELS)]
    lines = [f"train: {project.train}", f"test: {project.val}", "suite: none", "probes: class_gap", "models:"]
    file = folder / "plan.yaml"
    file.write_text("\n".join([*lines, *(f"  - {{model: {path}, name: net {n}}}" for n, path in enumerate(models))]))
    return file


def entries() -> list[Path]:
    folder = Path(os.environ["MLOPS_COPILOT_HOME"], "examinations", "asked")
    return sorted(e for e in folder.glob("[!.]*") if (e / "result.json").is_file()) if folder.is_dir() else []


@pytest.mark.slow
def test_a_batch_that_was_killed_goes_on_where_it_stopped(plan, empty_home, tmp_path, monkeypatch):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "copilot.cli.main", "batch", str(plan), "--format", "json", "--quiet"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as batch:
        deadline = time.monotonic() + 120
        while len(entries()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        batch.send_signal(signal.SIGKILL)
    done = {entry.name: (entry / "result.json").stat().st_mtime_ns for entry in entries()}
    assert 2 <= len(done) < MODELS
    result = CopilotAnalyzer(Settings()).batch(plan)
    assert [row.name for row in result.rows] == [f"net {n}" for n in range(MODELS)]
    assert {row.state for row in result.rows} == {"done"}
    assert sum(row.known for row in result.rows) == len(done)  # nothing computed twice
    assert {e.name: (e / "result.json").stat().st_mtime_ns for e in entries() if e.name in done} == done
    assert len(entries()) == MODELS
    monkeypatch.setenv("MLOPS_COPILOT_HOME", str(tmp_path / "fresh"))
    whole = CopilotAnalyzer(Settings()).batch(plan)
    assert sum(row.known for row in whole.rows) == 0
    forgetting = {"known"}
    assert [r.model_dump(exclude=forgetting) for r in whole.rows] == [
        r.model_dump(exclude=forgetting) for r in result.rows
    ]


def test_the_commands_print_what_the_verbs_find(project, model, capsys, tmp_path):
    sets = ("--train", str(project.train), "--test", str(project.val))
    quick = ("--suite", "none", "--probes", "class_gap")
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--model-uri", str(model), *sets, *quick, "--format", "json"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert [f["code"] for f in document["findings"] if f["code"] >= "OVF3"] == ["OVF300", "OVF301"]
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        f"models: [{model}, gone.pt2]\ntrain: {project.train}\ntest: {project.val}\nsuite: none\nprobes: class_gap"
    )
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(plan)])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert "There is no model at gone.pt2." in out
    assert "1 of 2 were known already" in err
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(plan), "--format", "markdown", "--quiet"])
    assert capsys.readouterr().out.startswith("| Model | Images | Verdict |")
