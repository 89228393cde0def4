"""Suites of Deepchecks in a supervised child: a run on digits, results as outcomes, limits, and what goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from copilot.core.findings import number_evidence
from copilot.errors import ConfigError, InputError, JobCancelled, NotFoundError
from copilot.integrations.deepchecks.catalogue import CHECKS, SUITES
from copilot.integrations.deepchecks.evidence import MAX_EVIDENCE
from copilot.integrations.deepchecks_runner import SuiteResult, run_suite
from copilot.utils.config import DeepchecksSettings
from tests.integrations.deepchecks.made_sets import nearest_mean
from tests.integrations.deepchecks.shared import once

N_TRAIN, N_TEST = 250, 200
NOT_FOR_CLASSES = ["OVF507", "OVF508"]
PROMPT_S = 5.0  # from a limit to the result


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Digits as PNG folders, the test set darker, and predictions of a model that knows the training images' means."""
    folder = tmp_path_factory.mktemp("project")
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))[: N_TRAIN + N_TEST]
    pixels, labels = (digits.images[order] / 16 * 255).astype(np.uint8), digits.target[order]
    for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        target = folder / ("train" if i < N_TRAIN else "test") / str(label)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if i < N_TRAIN else image // 2).save(target / f"{i}.png")
    (folder / "test" / "3" / "broken.png").write_bytes(b"not an image")
    (folder / "test" / HOSTILE).mkdir()
    Image.fromarray(pixels[0]).save(folder / "test" / HOSTILE / "<script>alert(2)<svg>.png")
    nearest_mean(folder / "train", folder / "test")
    return folder


HOSTILE = "<img src=x onerror=alert(1)>"


def suite_of(project, suite="computer_vision", limits=None, **options):
    settings = DeepchecksSettings(custom_checks=["overfitting_analysis", "no_such_check"], **limits or {})
    files = (project / "train.npz", project / "test.npz")
    arguments = {"predictions": files, "suite": suite, "settings": settings} | options
    return run_suite(str(project / "train"), str(project / "test"), **arguments)


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
    expected = [CHECKS[name][0] for name in (*SUITES["computer_vision"], "OverfittingAnalysis")]
    assert codes[: len(expected)] == sorted(expected)
    assert len(set(codes)) == len(codes)
    assert not [outcome for outcome in result.outcomes if outcome.state == "error"]
    assert [outcome.code for outcome in result.outcomes if outcome.state == "not_applicable"] == NOT_FOR_CLASSES
    assert (result.n_train, result.n_test) == (N_TRAIN, N_TEST + 1)
    assert result.duration_s > 0
    assert told["imported"] is False  # its licence and its 15 s stay in the child


def test_the_numbers_are_those_of_the_images(project, by_code):
    scores = by_code["OVF502"]
    assert scores.value("train accuracy") > 0.8
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


def test_custom_checks_run_beside_the_suite_and_unknown_ones_are_skipped(by_code):
    gap = next(item for item in by_code["OVF541"].evidence if item.name == "accuracy, train minus test")
    scores = by_code["OVF502"]
    assert gap.value == pytest.approx(scores.value("train accuracy") - scores.value("test accuracy"), abs=1e-5)
    assert gap.low < gap.value < gap.high
    unknown = next(outcome for outcome in by_code.values() if "no_such_check" in outcome.title)
    assert (unknown.state, unknown.code[:4]) == ("skipped", "OVF5")
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
    assert "<script>alert" not in page
    assert "default-src 'none'" in page[:1000]


def test_progress_is_told_in_order(told):
    fractions = [fraction for fraction, _ in told["steps"]]
    assert fractions == sorted(fractions)
    assert len({text for _, text in told["steps"]}) >= 5
    assert fractions[-1] == 1.0


def test_an_unknown_suite_names_the_known_ones(project):
    with pytest.raises(InputError) as caught:
        suite_of(project, suite="computer-vision")
    assert "Did you mean computer_vision?" in caught.value.hint
    assert "model_evaluation" in caught.value.hint
    with pytest.raises(ConfigError, match="there is no check called 'LabelDrifts'") as caught:
        suite_of(project, suite="mine", limits={"suites": {"mine": ["LabelDrifts"]}})
    assert "Did you mean LabelDrift?" in caught.value.hint


def test_missing_folders_and_files_are_one_line(project, tmp_path):
    options = {"suite": "data_integrity", "settings": DeepchecksSettings()}
    with pytest.raises(NotFoundError, match="Images not found"):  # raised in the child, before Deepchecks is loaded
        run_suite(str(project / "train"), str(tmp_path / "nowhere"), **options)
    with pytest.raises(NotFoundError, match="There is no folder"):
        suite_of(project, html_path=tmp_path / "no" / "report.html")


def test_predictions_of_other_images_are_refused(project, tmp_path):
    (tmp_path / "0").mkdir()
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "0" / "0.png")
    with pytest.raises(InputError, match=r"speak of images that .* does not have"):
        run_suite(
            str(project / "train"),
            str(tmp_path),
            (project / "train.npz", project / "test.npz"),
            suite="computer_vision",
            settings=DeepchecksSettings(),
        )


def test_cancel_goes_through(project):
    def progress(fraction, text):
        if fraction > 0:
            raise JobCancelled("Stopped.")

    with pytest.raises(JobCancelled):
        suite_of(project, progress=progress)


def children():
    """The supervised children of this process."""
    found = []
    for process in psutil.Process().children():
        try:
            if "copilot.utils.supervise" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def ended_badly(result, *told):
    (outcome,) = [outcome for outcome in result.outcomes if outcome.state != "skipped"]
    assert (outcome.code, outcome.state, result.html_report) == ("OVF500", "error", None)
    for text in told:
        assert text in outcome.summary
    assert not children()


def test_too_much_time_is_an_error_at_once(project, tmp_path):
    begin = time.monotonic()
    result = suite_of(project, limits={"timeout_s": 1.0}, html_path=tmp_path / "report.html")
    late = time.monotonic() - begin - 1.0
    assert late < PROMPT_S, late
    ended_badly(result, "longer than its limit of 1 s", "deepchecks.timeout_s", "deepchecks.max_samples")


def test_too_much_memory_is_an_error_at_once(project):
    limit, over = 0.2, []

    def progress(fraction, text):
        if not over and sum(child.memory_info().rss for child in children()) > limit * 1024**3:
            over.append(time.monotonic())

    result = suite_of(project, limits={"memory_limit_gb": limit}, progress=progress)
    late = time.monotonic() - over[0] if over else 0.0
    assert late < PROMPT_S, late
    ended_badly(result, "more memory than its limit of 0.2 GB", "deepchecks.memory_limit_gb", "deepchecks.max_samples")


def test_a_kill_from_outside_is_an_error_at_once(project):
    killed = []

    def progress(fraction, text):
        if not killed and "Loading Deepchecks" in text:
            os.kill(children()[0].pid, signal.SIGKILL)
            killed.append(time.monotonic())

    result = suite_of(project, progress=progress)
    late = time.monotonic() - killed[0]
    assert late < PROMPT_S, late
    ended_badly(result, "killed by signal SIGKILL", "deepchecks.memory_limit_gb")
