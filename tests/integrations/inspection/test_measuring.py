"""Measuring image sets: once for each content, in order, in other processes too, and from the cache the second time."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.arrays import ImageArrays
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.inspection import measuring
from copilot.integrations.inspection.measuring import measured
from copilot.utils.config import ExecutorSettings


class Brightness:
    """Counts its calls in this process."""

    name = "brightness"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.calls = 0

    def __call__(self, image: np.ndarray) -> dict[str, object]:
        self.calls += 1
        return {"mean": float(image.mean()), "corner": image[:2, :2, 0]}


class Loaded:
    """Which heavy modules the process that measures has imported."""

    name = "loaded"
    version = "1"

    def __call__(self, image: np.ndarray) -> dict[str, object]:
        return {"heavy": sum(name in sys.modules for name in ("torch", "mlflow", "streamlit", "pandas"))}


def _pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 5, 3), dtype=np.uint8)


def _arrays(images: np.ndarray) -> ImageArrays:
    n = len(images)
    return ImageArrays("made", images, np.zeros(n, np.int64), ("a",), [f"image {i}" for i in range(n)])


def _folder(path: Path, images: np.ndarray) -> Path:
    (path / "a").mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(path / "a" / f"{i:03d}.png")
    return path


def test_rows_are_those_of_the_set():
    images = _pictures(40)
    found = measured(_arrays(images), [Brightness()])
    assert found["mean"] == pytest.approx(images.mean((1, 2, 3)))
    assert (found["corner"] == images[:, :2, :2, 0]).all()
    assert found["corner"].dtype == np.uint8
    assert found.readable.all()
    assert found.from_cache == 0


def test_the_second_time_nothing_is_measured(tmp_path: Path):
    folder, measure = _folder(tmp_path / "set", _pictures(20)), Brightness()
    first = measured(ImageFolder(folder), [measure])
    assert measure.calls == 20
    second = measured(ImageFolder(folder), [measure])
    assert measure.calls == 20
    assert second.from_cache == 20
    assert (second["mean"] == first["mean"]).all()
    assert (second["corner"] == first["corner"]).all()
    measured(ImageFolder(folder), [measure], refresh=True)
    assert measure.calls == 40


def test_a_second_revision_costs_its_changed_images(tmp_path: Path):
    folder = _folder(tmp_path / "one", _pictures(20))
    measured(ImageFolder(folder), [Brightness()])
    again = Path(shutil.copytree(folder, tmp_path / "two"))
    (again / "a" / "003.png").rename(again / "a" / "zzz.png")
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(again / "a" / "007.png")
    measure = Brightness()
    found = measured(ImageFolder(again), [measure])
    assert measure.calls == 1
    assert found["mean"][ImageFolder(again).names.index("a/007.png")] == 0


def test_another_version_is_measured_anew_and_a_new_measure_alone():
    images = _arrays(_pictures(5))
    old, new = Brightness(), Brightness("2")
    measured(images, [old])
    measured(images, [new])
    assert new.calls == 5
    measured(images, [old, Loaded()])
    assert old.calls == 5


def test_the_same_content_is_measured_once():
    images = _pictures(4)[[0, 1, 0, 2, 0]]
    measure = Brightness()
    found = measured(_arrays(images), [measure])
    assert measure.calls == 3
    assert found["mean"] == pytest.approx(images.mean((1, 2, 3)))


def test_images_that_cannot_be_read_are_told(tmp_path: Path):
    folder = _folder(tmp_path / "set", _pictures(4))
    (folder / "a" / "001.png").write_bytes(b"no image")
    images = ImageFolder(folder)
    found = measured(images, [Brightness()])
    assert found.readable.tolist() == [True, False, True, True]
    assert images.skipped == {"a/001.png": "not an image of a known format"}
    for name in ("000", "002", "003"):
        (folder / "a" / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"No image in .* can be read"):
        measured(ImageFolder(folder), [Brightness()])


def test_a_measure_that_fails_on_an_image_is_told():
    class Odd(Brightness):
        def __call__(self, image: np.ndarray) -> dict[str, object]:
            if image.mean() == 0:
                raise ZeroDivisionError("nothing there")
            return super().__call__(image)

    pictures = _pictures(3)
    pictures[1] = 0
    images = _arrays(pictures)
    assert measured(images, [Odd()]).readable.tolist() == [True, False, True]
    assert "ZeroDivisionError" in images.skipped["image 1"]


def test_processes_give_the_same_and_stay_light(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "ALONE_S", 0.0)
    monkeypatch.setattr(measuring, "CHUNK", 7)
    pictures = _pictures(50)
    lines: list[tuple[float, str]] = []
    found = measured(
        _arrays(pictures),
        [Brightness(), Loaded()],
        executor=ExecutorSettings(workers=2),
        progress=lambda share, line: lines.append((share, line)),
    )
    assert found["mean"] == pytest.approx(pictures.mean((1, 2, 3)))
    assert (found["heavy"][measuring.FIRST :] == 0).all()
    assert lines[-1] == (1.0, "50 of 50 images measured")


def test_cancelling_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "CHUNK", 4)
    monkeypatch.setattr(measuring, "WAVE", 1)

    class Cancelled(Exception):
        pass

    def cancel(share: float, line: str) -> None:
        if share > 0.8:
            raise Cancelled

    measure = Brightness()
    with pytest.raises(Cancelled):
        measured(_arrays(_pictures(40)), [measure], progress=cancel)
    before = measure.calls
    found = measured(_arrays(_pictures(40)), [measure])
    assert found.from_cache >= 28
    assert measure.calls - before == 40 - found.from_cache


def test_damaged_and_strange_cache_files_do_no_harm(home: Path):
    images, notes = _arrays(_pictures(6)), []
    measured(images, [Brightness()])
    (file,) = (home / "measures" / "brightness-1").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    measure = Brightness()
    assert measured(images, [measure], note=notes.append).from_cache == 0
    assert measure.calls == 6
    assert len(notes) == 1
    assert "damaged" in notes[0]


def test_measures_need_names_of_their_own():
    with pytest.raises(InputError, match="names of their own"):
        measured(_arrays(_pictures(2)), [Brightness(), Brightness()])
    strange = Brightness("../..")
    strange.name = "../x"
    with pytest.raises(InputError, match="names of their own"):
        measured(_arrays(_pictures(2)), [strange])
