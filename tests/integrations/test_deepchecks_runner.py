"""Deepchecks suites: one real run on digits, how results become outcomes, and what goes wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from PIL import Image
from sklearn.datasets import load_digits

from copilot.core.findings import number_evidence
from copilot.errors import InputError, JobCancelled, NotFoundError
from copilot.integrations.deepchecks.catalogue import CHECKS, CUSTOM_CHECKS, SUITES, codes_of
from copilot.integrations.deepchecks.child import outcomes_of, shared_classes
from copilot.integrations.deepchecks.evidence import MAX_EVIDENCE, evidence_of
from copilot.integrations.deepchecks.records import CheckRun
from copilot.integrations.deepchecks_runner import SuiteResult, run_suite
from copilot.integrations.models.spec import InputSpec
from copilot.utils.config import DeepchecksSettings
from copilot.utils.supervise import run_supervised

N_TRAIN, N_TEST = 250, 200


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Digits as PNG folders, the test set darker, and a network that was fitted to the training images for a moment."""
    folder = tmp_path_factory.mktemp("project")
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))[: N_TRAIN + N_TEST]
    pixels, labels = (digits.images[order] / 16 * 255).astype(np.uint8), digits.target[order]
    for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        target = folder / ("train" if i < N_TRAIN else "test") / str(label)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if i < N_TRAIN else image // 2).save(target / f"{i}.png")
    (folder / "test" / "3" / "broken.png").write_bytes(b"not an image")
    (folder / "test" / "<img src=x onerror=alert(1)>").mkdir()
    Image.fromarray(pixels[0]).save(folder / "test" / "<img src=x onerror=alert(1)>" / "new.png")
    torch.export.save(_fitted(pixels[:N_TRAIN], labels[:N_TRAIN]), folder / "model.pt2")
    return folder


def _fitted(pixels, labels):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    images, classes = torch.from_numpy(pixels).float()[:, None] / 255, torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), classes).backward()
        optimizer.step()
    return torch.export.export(net.eval(), (images[:2],), dynamic_shapes=({0: torch.export.Dim.AUTO},))


def suite_of(project, suite="computer_vision", **options):
    settings = DeepchecksSettings(custom_checks=["overfitting_analysis", "data_drift_detection", "no_such_check"])
    arguments = {"suite": suite, "settings": settings, "tracking_uri": None} | options
    return run_suite(str(project / "model.pt2"), project / "train", project / "test", **arguments)


def once(tmp_path_factory, name, run):
    """What `run()` gives, as JSON; run by one of the processes that share the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    file = shared / f"{name}.json"
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            file.write_text(json.dumps(run()))
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def told(project, tmp_path_factory):
    def run():
        steps = []
        found = suite_of(project, html_path=project / "report.html", progress=lambda *step: steps.append(step))
        return {"result": found.model_dump(mode="json"), "steps": steps, "imported": "deepchecks" in sys.modules}

    return once(tmp_path_factory, "computer_vision", run)


@pytest.fixture(scope="module")
def result(told):
    return SuiteResult.model_validate(told["result"])


@pytest.fixture(scope="module")
def by_code(result):
    return {outcome.code: outcome for outcome in result.outcomes}


def test_every_check_of_the_suite_appears_once(result, told):
    codes = [outcome.code for outcome in result.outcomes]
    expected = [CHECKS[name][0] for name in SUITES["computer_vision"]]
    assert sorted(codes[: len(expected)]) == sorted(expected)
    assert len(set(codes)) == len(codes)
    assert not [outcome for outcome in result.outcomes if outcome.state == "error"]
    assert (result.n_train, result.n_test) == (N_TRAIN, N_TEST + 1)
    assert result.skipped == ("test/3/broken.png: not an image of a known format",)
    assert result.duration_s > 0
    assert told["imported"] is False  # its licence and its 15 s stay in the child


def test_the_numbers_are_those_of_the_images(project, by_code):
    scores = by_code["OVF502"]
    assert scores.value("train accuracy") > 0.9
    assert 0 < scores.value("test accuracy") < scores.value("train accuracy")
    confusion = by_code["OVF505"]
    assert confusion.value("test images") == N_TEST + 1
    assert confusion.value("test accuracy") == pytest.approx(scores.value("test accuracy"), abs=1e-5)
    assert by_code["OVF515"].value("mean difference of the average images") > 10


def test_darker_test_images_are_an_issue(by_code):
    drift = by_code["OVF513"]
    assert (drift.state, drift.severity) == ("issue", "medium")
    assert drift.value("drift of brightness (Kolmogorov-Smirnov)") > 0.5
    assert "Brightness" in drift.summary
    apart = by_code["OVF514"]
    assert apart.state == "issue"
    assert apart.value("AUC of a classifier that tells train from test") > 0.9
    assert not [item for item in drift.evidence if "intensity" in item.name]  # grey images have no colour


def test_a_class_that_only_the_test_set_has_is_counted(by_code):
    new = by_code["OVF511"]
    assert new.value("test images of a new class") == 1
    assert new.value("test images") == N_TEST + 1


def test_conditions_that_hold_pass_with_their_numbers(by_code):
    gain = by_code["OVF503"]
    assert by_code["OVF512"].state == "passed"
    assert "Cramer's V" in by_code["OVF512"].evidence[0].name
    assert gain.value("F1, mean of classes, given model") > gain.value("F1, mean of classes, simple model")


def test_custom_checks_are_skipped_with_the_reason(by_code):
    assert by_code["OVF541"].state == by_code["OVF542"].state == "skipped"
    assert by_code["OVF541"].summary == "This check is not available yet."
    unknown = next(outcome for outcome in by_code.values() if "no_such_check" in outcome.title)
    assert unknown.code.startswith("OVF5")
    assert "overfitting_analysis" in unknown.summary


def test_outcomes_fit_the_analysis_document(result):
    findings, evidence = number_evidence(list(result.outcomes))
    assert len(findings) == len(result.outcomes)
    assert all(len(finding.evidence) <= MAX_EVIDENCE for finding in findings)
    assert all(item.source.startswith("deepchecks:") for item in evidence)
    assert not any(isinstance(item.value, float) and item.value != item.value for item in evidence)
    assert type(result).model_validate_json(result.model_dump_json()) == result


def test_the_report_is_one_page_that_runs_no_hostile_name(result):
    page = Path(result.html_report).read_text(encoding="utf-8")
    assert 1e6 < len(page) < 9e6  # plotly.js once
    assert "Class Performance" in page
    assert "<img src=x" not in page


def test_progress_is_told_in_order(told):
    fractions = [fraction for fraction, _ in told["steps"]]
    assert fractions == sorted(fractions)
    assert len({text for _, text in told["steps"]}) >= 5
    assert fractions[-1] == 1.0


@pytest.fixture(scope="module")
def other_suites(project, tmp_path_factory):
    """The suites that Deepchecks ships, in one child; the images are in colour and of different sizes."""
    folder = tmp_path_factory.mktemp("steps")
    for split in ("train", "test"):
        for i, file in enumerate(sorted((project / split).glob("?/[0-9]*.png"))):
            target = folder / split / file.parent.name
            target.mkdir(parents=True, exist_ok=True)
            grey = np.asarray(Image.open(file))
            red = Image.fromarray(np.stack([grey, grey // 2, grey // 3 + i % 7], axis=-1))
            red.resize((8 + i % 3, 8)).save(target / file.name)
    (folder / "steps_for_suites.py").write_text(
        "from copilot.integrations.deepchecks import child\n"
        "def run(payload, progress):\n"
        "    return {suite: child.run({**payload, 'suite': suite}, progress) for suite in payload['suites']}\n"
    )
    (folder / "sitecustomize.py").write_text(f"import copilot\ncopilot.__path__.append({str(folder)!r})\n")
    payload = {
        "suites": ["data_integrity", "train_test_validation", "model_evaluation"],
        "model": {"uri": "x", "path": str(project / "model.pt2")},
        "train": str(folder / "train"),
        "test": str(folder / "test"),
        "max_samples": 150,
        "seed": 1,
        "allow_pickle": False,
        "html": str(folder / "report.html"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        target = "copilot.steps_for_suites:run"
        return once(
            tmp_path_factory, "others", lambda: run_supervised(target, payload, timeout_s=200, memory_limit_gb=6)
        )


def states(answer):
    return {outcome["code"]: outcome["state"] for outcome in answer["outcomes"]}


def test_the_suites_that_deepchecks_ships_run(other_suites):
    assert states(other_suites["data_integrity"]) == {
        "OVF521": "passed",
        "OVF522": "not_applicable",
        "OVF523": "passed",
    }
    validation = states(other_suites["train_test_validation"])
    assert set(validation) == {"OVF511", "OVF512", "OVF513", "OVF514", "OVF515", "OVF516"}
    assert validation["OVF513"] == "issue"
    evaluation = states(other_suites["model_evaluation"])
    assert evaluation["OVF507"] == evaluation["OVF508"] == "not_applicable"
    assert "error" not in {*validation.values(), *evaluation.values()}
    assert {answer["n_train"] for answer in other_suites.values()} == {150}


def test_outliers_are_counted_on_each_split(other_suites):
    outliers = other_suites["data_integrity"]["outcomes"][0]["evidence"]
    assert {item["name"].split()[0] for item in outliers} == {"train", "test"}
    assert any("intensity" in item["name"] for item in outliers)
    assert all(0 <= item["value"] <= 150 for item in outliers)


def test_an_unknown_suite_names_the_known_ones(project):
    with pytest.raises(InputError) as caught:
        suite_of(project, suite="computer-vision")
    assert "Did you mean computer_vision?" in caught.value.hint
    assert "model_evaluation" in caught.value.hint


def test_missing_folders_and_models_are_one_line(project, tmp_path):
    options = {"suite": "computer_vision", "settings": DeepchecksSettings(), "tracking_uri": None}
    with pytest.raises(NotFoundError, match="Image folder not found"):
        run_suite(str(project / "model.pt2"), project / "train", tmp_path / "nowhere", **options)
    with pytest.raises(InputError, match="No MLflow tracking URI"):
        run_suite("models:/digits/1", project / "train", project / "test", **options)
    with pytest.raises(NotFoundError, match="There is no folder"):
        suite_of(project, html_path=tmp_path / "no" / "report.html")
    (tmp_path / "model.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(InputError, match="would run any code"):  # raised in the child, before Deepchecks is loaded
        run_suite(str(tmp_path / "model.pth"), project / "train", project / "test", **options)


def test_cancel_goes_through(project):
    def progress(fraction, text):
        if fraction > 0:
            raise JobCancelled("Stopped.")

    with pytest.raises(JobCancelled):
        suite_of(project, progress=progress)


def test_codes_never_change_and_never_clash():
    assert len({code for code, _ in [*CHECKS.values(), *CUSTOM_CHECKS.values()]}) == len(CHECKS) + len(CUSTOM_CHECKS)
    assert CHECKS["ClassPerformance"][0] == "OVF501"
    assert CHECKS["NewLabels"][0] == "OVF511"
    names = [f"Check{i}" for i in range(50)]
    first, again = codes_of(names), codes_of(reversed(names))
    assert first == again
    assert {code for code, _ in first.values()} == {f"OVF{n}" for n in range(550, 600)}


def test_conditions_become_states():
    def outcome(*runs):
        (found,) = outcomes_of(runs)
        return found

    value = {"Samples Per Class": {"Drift score": 0.5, "Method": "PSI"}}

    def ran(split, *categories):
        return CheckRun("LabelDrift", split, value, tuple((c, "limit.", f"<b>{c}</b> on {split}") for c in categories))

    assert outcome(ran("train", "PASS")).state == "passed"
    warned = outcome(ran("train", "PASS"), ran("test", "WARN"))
    assert (warned.state, warned.severity) == ("issue", "low")
    assert warned.summary == "test: WARN on test (condition: limit)."
    failed = outcome(ran("train", "WARN"), ran("test", "FAIL"))
    assert (failed.state, failed.severity) == ("issue", "medium")
    assert outcome(ran("", "ERROR")).state == "error"
    assert outcome(ran("")).summary == "Measured; Deepchecks sets no condition."


def test_failures_become_states():
    unfit = [
        CheckRun("NewLabels", split, failure="irrelevant for TaskType.OTHER", expected=True) for split in ("a", "b")
    ]
    (found,) = outcomes_of(unfit)
    assert (found.state, found.summary) == ("not_applicable", "irrelevant for other")
    (found,) = outcomes_of([CheckRun("NewLabels", "", failure="KeyError")])
    assert (found.state, found.evidence) == ("error", ())
    labels = {"new_labels": {}, "all_labels_count": 5}
    (found,) = outcomes_of([CheckRun("NewLabels", "train", labels), CheckRun("NewLabels", "test", failure="boom")])
    assert found.state == "passed"
    assert "test: boom" in found.summary
    (found,) = outcomes_of([CheckRun("NewLabels", "", value="of no known form", conditions=(("FAIL", "c", "d"),))])
    assert found.state == "issue"
    assert "cannot be read" in found.summary


def test_results_of_unknown_checks_are_read_as_they_come():
    table = pd.DataFrame({"Metric": ["AUC\x1b[31m"], "Class Name": ["cat"], "Value": [0.25]})
    value = {"score": np.float32(0.5), "deep": {"a": 1, "b": float("nan")}, "table": table, "text": "x"}
    found = {item.name: item.value for item in evidence_of("NewCheck", {"": value})}
    assert found == {"score": 0.5, "deep, a": 1, "deep, b": None, "AUC [31m, cat": 0.25}
    many = {f"property {i}": {"Drift score": 0.1, "Method": "KS"} for i in range(40)}
    assert len(evidence_of("LabelDrift", {"train": many, "test": many})) == MAX_EVIDENCE


def test_outputs_are_matched_to_folders():
    ten = tuple(str(i) for i in range(10))
    assert shared_classes(InputSpec(), 10, ten, (*ten, "new")) == (*ten, "new")
    assert shared_classes(InputSpec(class_names=("b", "a")), 2, ("a", "b"), ("a",)) == ("b", "a")
    assert shared_classes(InputSpec(class_names=("a", "a")), 2, ("a", "b"), ()) == ("a", "b")
    assert shared_classes(InputSpec(), 10, ("1", "7"), ("1",)) == ten
    with pytest.raises(InputError, match="10 classes, but the training folder has 2"):
        shared_classes(InputSpec(), 10, ("cat", "dog"), ())
    with pytest.raises(InputError, match="'cat', the training folder has classes such as '0'"):
        shared_classes(InputSpec(class_names=("cat", "dog")), 2, ("0", "1"), ())
