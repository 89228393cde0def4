"""The verbs and commands about data on real images: leaks, wrong labels, drift, descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copilot import CopilotAnalyzer, Settings
from copilot.cli.main import main
from copilot.core.data import BUILT_IN
from copilot.errors import ConfigError, InputError, JobCancelled, NotFoundError
from tests.runs_folder import RUNS, write_runs
from tests.small_models import CLASSES, write_project

CODES = [check.code for check in BUILT_IN]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Validation holds five training images again, and one file that is no image; the third class has few images."""
    made = write_project(tmp_path_factory.mktemp("project"), n_train=120, n_val=90)
    for number in range(5):
        image = Image.open(made.train / "bright" / f"{3 * number:03}.png")
        image.save(made.val / "bright" / f"again-{number}.jpg", quality=95)
    (made.val / "dark" / "broken.png").write_bytes(b"no image")
    return made


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_COPILOT_HOME", str(tmp_path_factory.mktemp("kept")))
        yield


@pytest.fixture(scope="module")
def analyzer(kept):
    made = CopilotAnalyzer(Settings(executor={"workers": 1}))
    yield made
    made.close()


@pytest.fixture(scope="module")
def inspected(project, analyzer):
    return analyzer.inspect_data(str(project.train), str(project.val))


def test_every_check_appears_once_and_none_fails(inspected):
    assert [f.code for f in inspected.findings] == CODES
    assert [f.summary for f in inspected.findings if f.state == "error"] == []
    assert inspected.subject.kind == "data"
    assert inspected.summary.startswith("Inconclusive. Only the images were looked at")


def test_images_in_both_sets_lead_what_to_do(inspected):
    leak = inspected.analysis.finding("OVF402")
    assert leak.state == "issue"
    assert "5" in leak.summary
    assert inspected.recommendations[0].id == "purge-duplicates"
    assert any(p.finding_code == "OVF402" for p in inspected.analysis.pictures)


def test_duplicates_alone(project, analyzer):
    found = analyzer.duplicates(str(project.train), str(project.val))
    assert found.outcome.code == "OVF402"
    assert found.outcome.state == "issue"
    assert found.pictures
    clean = analyzer.duplicates(str(project.train / ".." / "train"), str(project.val / ".." / "train"))
    assert clean.outcome.severity == "high"  # a set against itself


def test_a_description_counts_and_names_what_cannot_be_read(project, analyzer):
    found = analyzer.describe_data(str(project.val)).description
    assert (found.n_images, found.n_readable, found.n_corrupt) == (96, 95, 1)
    assert {c.name for c in found.corrupt} == {"dark/broken.png"}
    assert {t.name for t in found.classes} == set(CLASSES)
    assert analyzer.describe_data(str(project.val)).pictures


def test_drift_says_what_moved(project, analyzer, tmp_path):
    darker = tmp_path / "darker"
    for file in project.train.rglob("*.png"):
        place = darker / file.relative_to(project.train)
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((np.asarray(Image.open(file)) * 0.7).astype(np.uint8)).save(place)
    found = analyzer.data_drift(str(project.train), str(darker))
    assert [o.code for o in found.outcomes] == ["OVF408", "OVF409", "OVF410"]
    states = {o.code: o.state for o in found.outcomes}
    assert (states["OVF408"], states["OVF409"]) == ("issue", "passed")
    assert "bright" in found.outcomes[0].summary
    assert found.pictures


def test_findings_stand_beside_the_curves_of_a_run(project, kept, tmp_path):
    analyzer = CopilotAnalyzer(Settings(mlflow={"tracking_uri": str(write_runs(tmp_path / "runs"))}))
    result = analyzer.inspect_data(str(project.train), str(project.val), run_id=RUNS["climbing"])
    assert result.diagnosis.verdict == "overfitting"
    leakage = next(c for c in result.diagnosis.causes if c.cause == "leakage")
    assert leakage.finding_codes == ("OVF402",)
    with pytest.raises(NotFoundError):
        analyzer.inspect_data(str(project.train), str(project.val), run_id="f" * 32)
    with pytest.raises(InputError, match="datasets"):
        analyzer.inspect_data(run_id=RUNS["steady"])


def test_a_second_look_measures_nothing(project, analyzer, inspected):
    lines = []
    analyzer.inspect_data(str(project.train), str(project.val), progress=lambda f, line: lines.append(line))
    assert analyzer.data_drift(str(project.train), str(project.val)).n_measured <= 1  # the file that is no image
    assert lines


def test_cancel_ends_it(project, analyzer):
    def progress(fraction, line):
        raise JobCancelled("Stopped.")

    with pytest.raises(JobCancelled):
        analyzer.inspect_data(str(project.train), str(project.val), progress=progress)


def test_thresholds_and_mutes_of_data_checks_are_settings(project, kept):
    with pytest.raises(ConfigError, match=r"detection\.checks\.OVF402\.near_shar"):
        CopilotAnalyzer(Settings(detection={"checks": {"OVF402": {"near_shar": 0.1}}})).data_checks  # noqa: B018
    muted = CopilotAnalyzer(Settings(detection={"ignore": {"OVF402": "known leaks"}}))
    found = muted.inspect_data(str(project.train), str(project.val))
    assert found.analysis.finding("OVF402").state == "ignored"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["describe", "{val}"], 0, "95"),
        (["duplicates", "{train}", "{val}", "--fail-on", "high"], 1, "OVF402"),
        (["drift", "{train}", "{val}", "--format", "markdown"], 0, "**OVF408"),
        (["check", "--train", "{train}", "--val", "{val}", "--format", "json"], 0, '"OVF407"'),
        (["describe", "nowhere"], 2, "nowhere"),
        (["check", "--train", "{train}"], 2, "Image sets are missing"),
    ],
)
def test_the_commands(project, kept, capsys, arguments, code, told):
    places = {"train": project.train, "val": project.val}
    with pytest.raises(SystemExit) as ended:
        main(["data", *(argument.format(**places) for argument in arguments)])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    assert told in out + err


def test_sheets_are_written_where_asked(project, kept, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["data", "duplicates", str(project.train), str(project.val), "--pictures", str(tmp_path / "sheets")])
    (sheet,) = sorted(Path(tmp_path / "sheets").iterdir())
    assert sheet.name.startswith("01-OVF402.")
    assert Image.open(sheet).width > 100
    assert f"Wrote {sheet}" in capsys.readouterr().err


def test_documents_are_json_that_reads_back(project, analyzer):
    from copilot.core.data.documents import DuplicatedData

    found = analyzer.duplicates(str(project.train), str(project.val))
    assert DuplicatedData.model_validate_json(found.model_dump_json()) == found
    assert json.loads(found.model_dump_json())["outcome"]["code"] == "OVF402"
