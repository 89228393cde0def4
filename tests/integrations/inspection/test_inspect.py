"""All data checks on two image sets on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cleanlab")
from copilot.core.data import BUILT_IN, load_data_checks
from copilot.core.data.class_balance import ClassBalance
from copilot.core.data.group_names import given_groups
from copilot.core.findings import Outcome
from copilot.errors import InputError
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.images.yolo import YoloImages
from copilot.integrations.inspection import inspect as inspection
from copilot.integrations.inspection import label_noise, noise_estimate
from copilot.integrations.inspection.inspect import inspect_sets
from copilot.integrations.predictions import Predictions


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_estimate, "_LANDMARKS", 40)
    monkeypatch.setattr(label_noise, "REFITS", 1)


def _pictures(n: int, seed: int) -> list[np.ndarray]:
    noise = np.random.default_rng(seed).normal(size=(n, 32, 32, 3)).astype(np.float32)
    soft = [cv2.GaussianBlur(one, (0, 0), 2) for one in noise]
    return [np.clip(128 + 45 * one / one.std(), 0, 255).astype(np.uint8) for one in soft]


def _write(folder: Path, images: list[np.ndarray], patient: int) -> ImageFolder:
    """Ten images a patient, classes in turn; a class is told by its colour."""
    for i, image in enumerate(images):
        name = ("cat", "dog")[i % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        image = image.copy()
        image[..., i % 2] //= 2
        Image.fromarray(image).save(folder / name / f"patient{patient + i // 10}_slice{i:03d}.png")
    return ImageFolder(folder)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[ImageFolder, ImageFolder]:
    """Two of four patients of validation are in training; one image is there too, one is broken, one black."""
    first, second = _pictures(160, 0), _pictures(60, 1)
    second[4] = first[4]
    second[9] = second[9] // 20
    train, val = _write(tmp_path / "train", first, 1), _write(tmp_path / "val", second, 13)
    (tmp_path / "train" / "cat" / "patient1_slice000.png").write_bytes(b"no image")
    return train, val


def _by_code(found: list) -> dict[str, Outcome]:
    return {outcome.code: outcome for outcome, _ in found}


def test_every_check_speaks_once_in_order(sets: tuple[ImageFolder, ImageFolder]):
    told: list[float] = []
    found = inspect_sets(*sets, load_data_checks(), progress=lambda share, line: told.append(share))
    assert [outcome.code for outcome, _ in found] == [check.code for check in BUILT_IN]
    by_code = _by_code(found)
    assert by_code["OVF402"].value("duplicate_images") >= 1
    assert by_code["OVF403"].state == "passed"
    assert by_code["OVF404"].value("classes") == 2
    assert by_code["OVF405"].value("validation_images") == 60
    assert by_code["OVF406"].value("broken_train") == 1
    assert by_code["OVF406"].value("dark_val") == 1
    assert by_code["OVF407"].value("shared_share") == pytest.approx(40 / 60, abs=0.01)
    assert told == sorted(told)
    assert told[-1] == 1
    pictured = {picture.finding_code for _, pictures in found for picture in pictures}
    assert {"OVF402", "OVF406"} <= pictured


def test_each_image_is_measured_once(sets: tuple[ImageFolder, ImageFolder], monkeypatch: pytest.MonkeyPatch):
    calls = []
    real = inspection.measured
    monkeypatch.setattr(inspection, "measured", lambda images, *a, **k: calls.append(images) or real(images, *a, **k))
    inspect_sets(*sets, load_data_checks())
    assert calls == list(sets)


def test_one_check_that_fails_leaves_the_others(sets: tuple[ImageFolder, ImageFolder], monkeypatch):
    def fail(*given: object) -> None:
        raise RuntimeError("odd\ndata")

    monkeypatch.setitem(inspection._RUNNERS, ClassBalance, fail)
    by_code = _by_code(inspect_sets(*sets, load_data_checks()))
    assert by_code["OVF404"].state == "error"
    assert by_code["OVF404"].summary == "The check failed: RuntimeError: odd data"
    assert by_code["OVF405"].state == "issue"


def test_what_progress_raises_ends_the_work(sets: tuple[ImageFolder, ImageFolder]):
    def stop(share: float, line: str) -> None:
        if "Class balance" in line:
            raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        inspect_sets(*sets, load_data_checks(), progress=stop)


def test_predictions_give_scores_and_groups_may_be_given(sets: tuple[ImageFolder, ImageFolder]):
    train, val = sets
    said = np.full((60, 2), 0.1)
    said[np.arange(60), val.labels] = 0.9
    said[:6] = said[:6, ::-1]
    predictions = Predictions("classification", val.class_names, np.arange(60), val.labels, said)
    groups = given_groups(["x"] * len(train), ["y"] * len(val), "hospital")
    checks = [check for check in load_data_checks() if check.code in ("OVF402", "OVF405", "OVF407")]
    by_code = _by_code(inspect_sets(train, val, checks, predictions=predictions, groups=groups))
    assert by_code["OVF405"].value("val_score") == 0.9
    assert by_code["OVF402"].value("score") == 0.9
    assert by_code["OVF407"].state == "passed"
    assert by_code["OVF407"].value("groups_in_both") == 0


def test_objects_are_counted_of_detection(tmp_path: Path):
    sets = []
    for split, seed in (("train", 0), ("val", 1)):
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "labels").mkdir()
        for i, image in enumerate(_pictures(12, seed)):
            Image.fromarray(image).save(tmp_path / split / "images" / f"{i}.png")
            lines = ["0 0.5 0.5 0.2 0.2"] * 20 + (["1 0.5 0.5 0.2 0.2"] if i == 0 else [])
            (tmp_path / split / "labels" / f"{i}.txt").write_text("\n".join(lines))
        sets.append(YoloImages(tmp_path / split))
    by_code = _by_code(inspect_sets(*sets, load_data_checks()))
    assert by_code["OVF404"].value("imbalance_ratio") == 240
    assert by_code["OVF404"].severity == "high"
    assert by_code["OVF403"].state == "not_applicable"
    assert "error" not in {outcome.state for outcome in by_code.values()}


def test_muted_checks_are_not_run(sets: tuple[ImageFolder, ImageFolder]):
    outcome = inspect_sets(*sets, [ClassBalance()], ignore={"OVF404": "known"})[0][0]
    assert outcome.state == "ignored"


def test_arrays_of_other_images_are_refused(sets: tuple[ImageFolder, ImageFolder]):
    with pytest.raises(InputError, match="embeddings for"):
        inspect_sets(*sets, [], embeddings={"train": np.zeros((3, 2)), "val": np.zeros((60, 2))})
    other = Predictions("classification", ("a",), np.array([99]), np.array([0]), np.ones((1, 1)))
    with pytest.raises(InputError, match="other images"):
        inspect_sets(*sets, [], predictions=other)
