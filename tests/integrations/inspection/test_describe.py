"""A folder of images described, from files to the document and its sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copilot.core.data.description import MOST_CORRUPT, Description, Facts, describe_images, extremes
from copilot.errors import InputError
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.inspection.describe import describe


def _folder(path: Path) -> Path:
    """Cats in colour and PNG, the last one a copy of the first; dogs in grey and JPEG, one of another size."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (path / name).mkdir(parents=True)
    cats = [rng.integers(0, 60 + 40 * i, (12, 16, 3), dtype=np.uint8) for i in range(5)]
    for i, image in enumerate([*cats, cats[0]]):
        Image.fromarray(image).save(path / "cat" / f"{i}.png")
    for i in range(3):
        shape = (8, 8) if i else (9, 20)
        Image.fromarray(rng.integers(100, 200, shape, dtype=np.uint8)).save(path / "dog" / f"{i}.jpg")
    (path / "dog" / "broken.jpg").write_bytes(b"no image")
    return path


def test_a_folder_is_described(tmp_path: Path):
    folder = _folder(tmp_path / "set")
    lines: list[float] = []
    found, pictures = describe(ImageFolder(folder), progress=lambda share, line: lines.append(share))
    assert (found.n_images, found.n_readable, found.n_classes, found.n_corrupt) == (10, 9, 2, 1)
    assert [(tally.name, tally.count) for tally in found.classes] == [("cat", 6), ("dog", 4)]
    assert [(tally.name, tally.count) for tally in found.sizes] == [("16 x 12", 6), ("8 x 8", 2), ("20 x 9", 1)]
    assert [(tally.name, tally.count) for tally in found.formats] == [("png", 6), ("jpeg", 4)]
    assert {tally.name: tally.count for tally in found.channels} == {"colour": 6, "grey": 3}
    assert (found.corrupt[0].name, found.corrupt[0].reason) == ("dog/broken.jpg", "not an image of a known format")
    assert found.exact_duplicates == 1
    assert found.bytes == sum(file.stat().st_size for file in folder.rglob("*.*"))
    brightness = found.properties[0]
    assert brightness.label == "brightness"
    assert brightness.least <= brightness.q05 <= brightness.median <= brightness.q95 <= brightness.most
    assert "10 images of 2 classes, from 4 (dog) to 6 (cat)" in found.summary
    assert "1 cannot be read; 1 repeat another image exactly." in found.summary
    assert [picture.title for picture in pictures] == ["Images of each class", *["Extremes"] * (len(pictures) - 1)]
    assert len(pictures) == 4  # eleven kinds of extremes, four a sheet
    assert Description.model_validate_json(found.model_dump_json()) == found
    assert lines == sorted(lines)
    assert lines[-1] == 1.0
    assert describe(ImageFolder(folder), pictures=False)[1] == ()


def test_a_set_without_a_readable_image_is_told(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="can be read"):
        describe(ImageFolder(tmp_path))


def _values(n: int) -> dict[str, np.ndarray]:
    ones = {name: np.ones(n, np.float32) for name in ("width", "height", "stored", "grey", "contrast")}
    return ones | {"brightness": np.arange(n, dtype=np.float32)}


def test_lists_are_cut_and_hostile_reasons_cleaned():
    n = 400
    readable = np.arange(n) >= 100
    names = [f"{i}.png" for i in range(n)]
    reasons = dict.fromkeys(names, "bad\x1b[31m" + "x" * 500)
    facts = Facts("made", names, np.arange(n) % 300, [f"class {i}" for i in range(300)], reasons=reasons)
    found = describe_images(_values(n), readable, facts)
    assert (found.n_corrupt, len(found.corrupt), found.n_classes, len(found.classes)) == (100, MOST_CORRUPT, 300, 200)
    assert "\x1b" not in found.corrupt[0].reason
    assert len(found.corrupt[0].reason) <= 170
    assert found.exact_duplicates is None
    assert found.bytes is None
    assert [item.name for item in found.properties] == ["brightness", "contrast", "width", "height"]


def test_a_set_without_labels_is_described():
    facts = Facts("made", ["a", "b"], np.full(2, -1), ["person"], task="detection")
    found = describe_images(_values(2), np.ones(2, bool), facts)
    assert (found.classes, found.n_unlabelled) == ((), 0)
    assert "2 images for detection, 1 classes of objects; all 1 x 1 pixels; 100 % grey." in found.summary


def test_extremes_come_in_order_and_only_of_what_varies():
    readable = np.array([True, True, False, True])
    found = extremes(_values(4), readable, 2)
    assert {kind: places.tolist() for kind, places in found.items()} == {"darkest": [0, 1], "brightest": [3, 1]}
