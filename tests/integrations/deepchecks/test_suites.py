"""Every suite for every task, in one child: made boxes and masks, MNIST and CIFAR-10, own suites, limits, reports."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from copilot.core.findings import Outcome, number_evidence
from copilot.integrations.deepchecks.catalogue import CHECKS, CUSTOM_CHECKS, NEED_PREDICTIONS, SUITES
from copilot.integrations.deepchecks.plan import planned, thresholds_of
from copilot.utils.config import DeepchecksSettings
from copilot.utils.supervise import run_supervised
from tests.conftest import REPOSITORY
from tests.integrations.deepchecks.made_sets import nearest_mean, write_annotated, write_classes
from tests.integrations.deepchecks.shared import once

TASKS = ("detection", "segmentation")
PICTURES = ("mnist", "cifar10")
N_TRAIN, N_TEST = 40, 30
OURS = list(CUSTOM_CHECKS)
NOT_FOR = {
    "classification": {"MeanAveragePrecisionReport", "MeanAverageRecallReport", "LabelPropertyOutliers"},
    "detection": {"SimpleModelComparison"},
    "segmentation": {
        "SimpleModelComparison",
        "ConfusionMatrixReport",
        "MeanAveragePrecisionReport",
        "MeanAverageRecallReport",
        "NewLabels",
        "PropertyLabelCorrelation",
        "PropertyLabelCorrelationChange",
    },
}


def case(sides, files, suite, **options):
    settings = DeepchecksSettings(**{"custom_checks": OURS} | options)
    return {
        "train": str(sides[0]),
        "test": str(sides[1]),
        "images": {},
        "predictions": [str(file) for file in files] if files else None,
        "suite": suite,
        "checks": planned(suite, settings),
        "thresholds": thresholds_of(settings),
        "max_samples": settings.max_samples,
        "seed": 0,
        "html": None,
    }


def made_cases(folder):
    cases = {}
    for task in TASKS:
        sides = [folder / task / side for side in ("train", "test")]
        files = [
            write_annotated(sides[0], task, N_TRAIN, 0, error=0.02),
            write_annotated(sides[1], task, N_TEST, 1, error=0.35, dark=True),
        ]
        cases |= {f"{task} {suite}": case(sides, files, suite) for suite in SUITES}
        cases[f"{task} alone"] = case(sides, None, "full")
    sides, files = [folder / "detection" / side for side in ("train", "test")], [folder / "detection" / "train.npz"] * 2
    own = {"mine": ["LabelDrift", {"ConfusionMatrixReport": {"iou_threshold": 0.05}}, "TrainTestPredictionDrift"]}
    limits = {
        "LabelDrift": {"max_allowed_numeric_score": 0.0},
        "MeanAverageRecallReport": {"test_average_recall_greater_than": 0.99},
        "MeanAveragePrecisionReport": {"mean_average_precision_greater_than": 0.99, "min_score": 0.0},
        "overfitting_analysis": {"max_gap": 1.0, "confidence_gap_less_than": 0.9},
        "data_drift_detection": {"drift_less_than": {"max_ks": 1.0, "max_psi": 1e6}},
    }
    cases["detection full"]["html"] = str(folder / "detection.html")
    given = cases["detection full"]["predictions"]
    cases["limits"] = case(sides, given, "mine", suites=own, thresholds=limits)
    cases["usual limits"] = case(sides, given, "mine", suites=own)
    cases["recall limits"] = case(sides, given, "model_evaluation", thresholds=limits)
    cases["no such limit"] = case(sides, given, "mine", suites=own, thresholds={"LabelDrift": {"max_allowed": 1}})
    cases["no such parameter"] = case(sides, given, "bad", suites={"bad": [{"LabelDrift": {"min_sample": 1}}]})
    wrong = {"SimpleModelComparison": {"min_allowed_gain": "much"}}
    cases["of a wrong kind"] = case(sides, given, "computer_vision", thresholds=wrong)
    cases["another set"] = case(sides, [files[0], folder / "segmentation" / "test.npz"], "mine", suites=own)
    return cases


def in_one_child(cases, timeout_s=400):
    with pytest.MonkeyPatch.context() as patch:
        steps = Path(__file__).parent
        folder = Path(next(iter(cases.values()))["train"]).parents[1]
        (folder / "sitecustomize.py").write_text(f"import copilot\ncopilot.__path__.append({str(steps)!r})\n")
        patch.setenv("PYTHONPATH", str(folder))
        return run_supervised("copilot.steps:run", {"cases": cases}, timeout_s=timeout_s, memory_limit_gb=6)


def picture_cases(folder, data_folder):
    """All suites on a few hundred images of MNIST and CIFAR-10."""
    cases = {}
    for name, file in (("mnist", "mnist.npz"), ("cifar10", "cifar10_small.npz")):
        with np.load(data_folder / file) as data:
            for side, n in (("train", 250), ("test", 150)):
                write_classes(folder / name / side, data[f"x_{side}"][:n], data[f"y_{side}"][:n])
        sides = [folder / name / side for side in ("train", "test")]
        files = nearest_mean(*sides)
        cases |= {f"{name} {suite}": case(sides, files, suite) for suite in SUITES}
    return cases


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    def run():
        folder, given = tmp_path_factory.mktemp("made"), REPOSITORY.parent / "shared" / "data" / "images"
        cases = made_cases(folder)
        if (given / "mnist.npz").is_file():
            cases |= picture_cases(folder, given)
        return {"folder": str(folder), "answers": in_one_child(cases)}

    return once(tmp_path_factory, "made_suites", run)


@pytest.fixture(scope="module")
def answers(made):
    return made["answers"]


@pytest.fixture(scope="module")
def pictures(answers):
    if "mnist full" not in answers:
        pytest.skip("MNIST and CIFAR-10 are not here")
    return answers


def states(answer):
    return {outcome["code"]: outcome["state"] for outcome in answer["outcomes"]}


def expected(suite, task):
    """Codes of a suite's checks and of ours, and which of them do not apply."""
    names = [*SUITES[suite], *CUSTOM_CHECKS.values()]
    return sorted(CHECKS[n][0] for n in names), {CHECKS[n][0] for n in names if n in NOT_FOR[task]}


def check_whole(answer, suite, task):
    codes, unfit = expected(suite, task)
    found = states(answer)
    assert [outcome["code"] for outcome in answer["outcomes"]] == codes  # each once, in order
    assert {code for code, state in found.items() if state == "not_applicable"} == unfit
    assert "error" not in found.values()
    assert all(outcome["summary"] for outcome in answer["outcomes"])
    outcomes = [Outcome.model_validate(outcome) for outcome in answer["outcomes"]]
    assert all(outcome.evidence for outcome in outcomes if outcome.state in ("passed", "issue"))
    findings, _ = number_evidence(outcomes)
    assert len(findings) == len(codes)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("task", TASKS)
def test_every_check_appears_once_for_boxes_and_masks(answers, task, suite):
    answer = answers[f"{task} {suite}"]
    check_whole(answer, suite, task)
    assert (answer["n_train"], answer["n_test"]) == (N_TRAIN, N_TEST)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("name", PICTURES)
def test_every_check_appears_once_on_published_images(pictures, name, suite):
    answer = pictures[f"{name} {suite}"]
    check_whole(answer, suite, "classification")
    assert (answer["n_train"], answer["n_test"]) == (250, 150)


@pytest.mark.parametrize("task", TASKS)
def test_without_predictions_the_data_is_still_checked(answers, task):
    outcomes = {outcome["code"]: outcome for outcome in answers[f"{task} alone"]["outcomes"]}
    codes, unfit = expected("full", task)
    assert sorted(outcomes) == codes
    needing = {CHECKS[name][0] for name in NEED_PREDICTIONS} & set(codes)
    assert {code for code, o in outcomes.items() if o["state"] == "not_applicable"} == unfit | needing
    assert all("no model was asked" in outcomes[code]["summary"] for code in needing)
    assert outcomes["OVF513"]["state"] == outcomes["OVF542"]["state"] == "issue"


def values(answer, code):
    outcome = next(outcome for outcome in answer["outcomes"] if outcome["code"] == code)
    return {item["name"]: item for item in outcome["evidence"]}


def test_numbers_of_boxes_are_those_of_the_set(answers):
    answer = answers["detection full"]
    precision = values(answer, "OVF507")
    assert precision["train mAP@.50, all objects"]["value"] == 1.0
    assert precision["test mAP@.50, all objects"]["value"] < 0.5
    assert not [name for name in precision if "large" in name]  # there is no large object
    gaps = values(answer, "OVF541")
    gap = gaps["recall, train minus test"]
    assert gap["low"] < gap["value"] < gap["high"]
    assert gap["value"] == pytest.approx(gaps["train recall"]["value"] - gaps["test recall"]["value"], abs=1e-5)
    assert values(answer, "OVF505")["train objects"]["unit"] == "objects"


def test_pixels_without_a_class_count_for_no_class(answers):
    gaps = values(answers["segmentation full"], "OVF541")
    assert gaps["train dice"]["value"] == 1.0
    assert gaps["test dice"]["value"] < 0.9
    names = [i["name"] for outcome in answers["segmentation full"]["outcomes"] for i in outcome["evidence"]]
    assert not [name for name in names if "no class" in name]
    assert values(answers["segmentation computer_vision"], "OVF502")["train iou, mean of classes"]["value"] == 1.0


def test_our_checks_find_what_was_made(answers, pictures):
    for answer in (answers["detection full"], answers["segmentation full"]):
        assert states(answer)["OVF541"] == states(answer)["OVF542"] == "issue"
        assert values(answer, "OVF542")["drift of brightness (Kolmogorov-Smirnov)"]["value"] > 0.9
    assert states(pictures["mnist full"])["OVF542"] == "passed"
    loss = values(pictures["mnist full"], "OVF541")["loss, test minus train"]
    assert loss["unit"] == "nats"
    assert loss["low"] < loss["value"] < loss["high"]


def test_own_suites_and_limits_are_followed(answers):
    usual, limits = states(answers["usual limits"]), states(answers["limits"])
    assert sorted(limits) == sorted(CHECKS[n][0] for n in (
        "LabelDrift", "ConfusionMatrixReport", "TrainTestPredictionDrift", *CUSTOM_CHECKS.values()
    ))  # fmt: skip
    assert (usual["OVF512"], limits["OVF512"]) == ("passed", "issue")
    assert (usual["OVF541"], limits["OVF541"]) == ("issue", "passed")
    assert (usual["OVF542"], limits["OVF542"]) == ("issue", "passed")
    loose = values(answers["limits"], "OVF505")["test share of objects and boxes that match in place and class"]
    strict = values(answers["detection full"], "OVF505")[
        "test share of objects and boxes that match in place and class"
    ]
    assert loose["value"] > strict["value"]
    outcomes = {o["code"]: o for o in answers["recall limits"]["outcomes"]}
    for code in ("OVF507", "OVF508"):
        assert outcomes[code]["state"] == "issue"
        assert "greater than 0.99" in outcomes[code]["summary"]
        assert "greater than 0.3" not in outcomes[code]["summary"]


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (
            "no such limit",
            "ConfigError",
            "LabelDrift has no condition or limit 'max_allowed'. Did you mean max_allowed_",
        ),
        ("no such parameter", "ConfigError", "LabelDrift has no parameter 'min_sample'. Did you mean min_samples?"),
        ("of a wrong kind", "ConfigError", "SimpleModelComparison: gain_greater_than cannot take these values"),
        ("another set", "InputError", "The predictions are of segmentation, the images in"),
    ],
)
def test_what_does_not_fit_is_one_line(answers, name, kind, told):
    assert answers[name]["error"] == kind
    assert told in answers[name]["message"]


def test_the_report_fetches_nothing_and_runs_no_name(made):
    page = Path(made["folder"], "detection.html").read_text(encoding="utf-8")
    assert len(page) < 9e6  # plotly.js once
    assert "Overfitting Analysis" in page
    assert "red <b>" not in page
    assert "red _b_" in page
    assert re.search(r"Content-Security-Policy\"? content=\"default-src 'none'", page)
    assert not re.search(r"<(?:script|link|img|iframe|object|embed)\b[^>]*\b(?:src|href)\s*=\s*(?![\"']?data:)", page)
    assert not re.search(r"@import|url\(\s*[\"']?https?:", page.partition("<body")[0])


def test_the_catalogue_is_that_of_the_installed_deepchecks(answers):
    installed = answers["installed"]
    assert set(installed["checks"]) == set(CHECKS) - set(CUSTOM_CHECKS.values())
    for suite, checks in installed["suites"].items():
        assert set(checks) == set(SUITES[suite])
    theirs, ours = installed["suites"]["full"], installed["ours"]
    assert theirs.pop("ImageDatasetDrift") == []
    assert ours.pop("ImageDatasetDrift") == ["Drift score is less than 0.1"]
    assert ours == theirs


def test_our_checks_run_in_a_plain_suite_of_deepchecks(answers):
    plain = answers["plain"]
    assert plain["conditions"] == {"OverfittingAnalysis": ["FAIL", "PASS"], "DataDriftDetection": ["PASS"]}
    whole = plain["gaps"][0]
    assert (whole["Quantity"], whole["Class"], whole["train"], whole["test"]) == ("accuracy", "all classes", 1.0, 0.5)
    assert "The gap of accuracy (all classes) is 0.5" in plain["details"]
    assert {row["Quantity"] for row in plain["gaps"]} == {"accuracy", "loss", "confidence"}
    assert plain["properties"][-1] == "Labels"
    assert plain["hostile"] is False
