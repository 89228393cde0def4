"""Two image sets compared: splits, and revisions of which only what is new is measured and judged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from copilot.core.data.set_comparison import SetComparison, image_changes, same_classes
from copilot.errors import InputError
from copilot.integrations.images.arrays import ImageArrays
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.images.subset import ImageSubset
from copilot.integrations.inspection.comparison import compare_sets
from copilot.integrations.inspection.embeddings import (
    CLASSICAL,
    Embedding,
    embedding_of,
    features_of,
    network_on_disk,
    sample_by_content,
)
from copilot.utils.config import DvcSettings

CLASSES = ("cat", "dog")


def _pictures(n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 16, 16, 3)).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in noise])
    level = np.random.default_rng(seed + 1).normal(128, 25, (n, 1, 1, 1))
    return np.clip(level + 30 * soft / soft.std(), 0, 255).astype(np.uint8)


def _set(images: np.ndarray, name: str = "made", labels: np.ndarray | None = None, first: int = 0) -> ImageArrays:
    n = len(images)
    labels = np.arange(n) % 2 if labels is None else labels
    return ImageArrays(name, images, labels, CLASSES, [f"{name}/{first + i}.png" for i in range(n)])


def _states(found: SetComparison) -> dict[str, str]:
    return {outcome.code: outcome.state for outcome in found.outcomes}


def test_alike_splits_pass():
    lines: list[float] = []
    train, val = _set(_pictures(120, 0)), _set(_pictures(90, 10))
    found = compare_sets(train, val, progress=lambda share, line: lines.append(share))
    assert _states(found) == {"OVF408": "passed", "OVF409": "passed", "OVF410": "passed"}
    assert (found.pictures, found.changes, found.n_measured) == ((), None, 210)
    assert (found.compared, found.n_compared) == (("training", "validation"), (120, 90))
    assert found.summary.endswith("Nothing that was looked at moved.")
    assert lines == sorted(lines)
    assert lines[-1] == 1.0
    assert compare_sets(train, val).n_measured == 0


def test_a_blurred_and_unbalanced_split_is_told_and_shown():
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in _pictures(90, 10)])
    found = compare_sets(_set(_pictures(120, 0)), _set(blurred, labels=(np.arange(90) % 6 == 0).astype(np.int64)))
    assert _states(found) == {"OVF408": "issue", "OVF409": "issue", "OVF410": "issue"}
    assert "blurrier" in found.summary
    assert [picture.finding_code for picture in found.pictures] == ["OVF408", "OVF409", "OVF410"]
    assert SetComparison.model_validate_json(found.model_dump_json()).n_compared == (120, 90)
    assert compare_sets(_set(_pictures(120, 0)), _set(blurred), pictures=False).pictures == ()


def test_copies_count_once():
    train, val = _pictures(200, 0), np.repeat(_pictures(60, 34), 8, axis=0)
    found = compare_sets(_set(train), _set(val, labels=np.repeat(np.arange(60) % 2, 8)))
    assert found.n_compared == (200, 60)
    assert "issue" not in _states(found).values()


def test_images_in_both_splits_are_counted():
    train, val = _pictures(100, 0), _pictures(60, 10)
    found = compare_sets(_set(train), _set(np.concatenate([val, train[:3]])))
    assert (found.n_shared, found.changes) == (3, None)
    assert found.summary.startswith("made holds 100 images, made 63. 3 of them are in the first set too.")


def test_of_revisions_what_is_new_is_compared_with_all_that_was():
    old = _pictures(150, 0)
    dark = (_pictures(60, 20) * 0.7).astype(np.uint8)
    found = compare_sets(_set(old), _set(np.concatenate([old, dark])), names=("v1", "v2"))
    assert (found.compared, found.n_compared) == (("v1", "what is new in v2"), (150, 60))
    assert found.n_measured == 150 + 60  # the others of v2 were known from v1
    assert (found.changes.n_added, found.changes.n_removed, found.changes.n_unchanged) == (60, 0, 150)
    assert _states(found)["OVF408"] == "issue"
    assert "The images of what is new in v2 differ from those of v1 of the same classes: " in found.summary


def test_of_revisions_with_nothing_new_what_is_gone_is_compared_with_what_stayed():
    old = _pictures(160, 0)
    kept = old.mean((1, 2, 3)) < 135
    found = compare_sets(_set(old), ImageSubset(_set(old), np.flatnonzero(kept)), names=("v1", "v2"), revisions=True)
    assert found.compared == ("what stayed of v1", "what is gone from v1")
    assert (found.changes.n_removed, found.changes.n_added) == ((~kept).sum(), 0)
    assert "brighter (brightness" in found.summary
    same = compare_sets(_set(old), _set(old), names=("v1", "v2"))
    assert _states(same) == {"OVF408": "not_applicable", "OVF409": "passed", "OVF410": "not_applicable"}
    assert same.n_compared == (160, 0)


def test_only_changed_images_of_a_dvc_revision_are_measured(tmp_path: Path, monkeypatch):
    pytest.importorskip("dvc")
    from copilot.integrations.images.dvc_images import DvcImages
    from tests.integrations.test_dvc_manager import commit, put, start, track

    for name in ("DVC_SYSTEM_CONFIG_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "dvc-own"))
    repo = start(tmp_path / "project")
    put(repo, "train", "cat", range(30))
    put(repo, "train", "dog", range(100, 130))
    track(repo, push=False)
    commit(repo, "First images", "v1")
    put(repo, "train", "dog", range(200, 225))
    (repo / "images" / "train" / "cat" / "000.png").rename(repo / "images" / "train" / "cat" / "moved.png")
    track(repo, push=False)
    commit(repo, "More dogs", "v2")
    settings = DvcSettings(repo=str(repo))
    v1, v2 = (DvcImages(rev, "images/train", settings) for rev in ("v1", "v2"))
    assert compare_sets(v1, v1, names=("v1", "v1")).n_measured == 60
    found = compare_sets(v1, v2, names=("v1", "v2"))
    assert found.n_measured == 25
    changes = found.changes
    assert (changes.n_added, changes.n_removed, changes.n_moved, changes.n_changed) == (26, 1, 1, 0)
    assert changes.removed == ("cat/000.png",)
    assert found.n_compared == (60, 25)
    assert found.summary.startswith("From dvc:v1:images/train to dvc:v2:images/train: 26 images added (1 only moved)")


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 10)):
        for label in CLASSES:
            (tmp_path / name / label).mkdir(parents=True)
        for i, image in enumerate(_pictures(60, seed)):
            Image.fromarray(image).save(tmp_path / name / CLASSES[i % 2] / f"{i:02d}.png")
    (tmp_path / "b" / "cat" / "00.png").write_bytes(b"no image")
    found = compare_sets(ImageFolder(tmp_path / "a"), ImageFolder(tmp_path / "b"))
    assert found.n_compared == (60, 59)
    assert (found.b.n_images, found.b.n_readable) == (60, 59)
    assert "issue" not in _states(found).values()


def test_a_model_is_asked_and_one_that_cannot_answer_leaves_the_rest():
    train, val = _set(_pictures(80, 0)), _set(_pictures(80, 10))
    shapes = []

    def means(images: np.ndarray) -> np.ndarray:
        shapes.append(images.shape)
        return images.reshape(len(images), -1, 3).mean(1)

    found = compare_sets(train, val, model=means)
    assert found.outcomes[2].value("features") == "the features of the given model"
    assert shapes[:2] == [(1, 16, 16, 3), (79, 16, 16, 3)]
    fails = compare_sets(train, val, model=Embedding("grey ones", means, channels=1, size=(4, 4)))
    assert fails.outcomes[2].state == "not_applicable"  # 16 pixels are no rows of three
    assert "The model fails on these images: ValueError" in fails.outcomes[2].summary
    bad = compare_sets(train, val, model=lambda images: np.full((len(images), 2), np.nan))
    assert _states(bad) == {"OVF408": "passed", "OVF409": "passed", "OVF410": "not_applicable"}
    assert "finite numbers" in bad.outcomes[2].summary
    with pytest.raises(InputError, match="str gives no features"):
        compare_sets(train, val, model="resnet")


class _Model:
    name = "tiny"

    class spec:
        channels = 1
        size = (8, 8)

    def predict(self, images: np.ndarray) -> np.ndarray:
        light = images.mean((1, 2, 3))[:, None] / 255
        return np.concatenate([light, 1 - light], axis=1)


def test_a_loaded_model_gives_its_logits():
    embedding = embedding_of(_Model())
    assert (embedding.words, embedding.channels, embedding.size) == ("the outputs of tiny", 1, (8, 8))
    images = _set(_pictures(5, 0))
    found = features_of(images, np.array([3, 1]), embedding)
    assert found.shape == (2, 2)
    assert np.exp(found).sum(1) == pytest.approx([1, 1])


def test_weights_on_disk_are_used_if_they_are_whole_and_never_unpickled(tmp_path: Path, monkeypatch):
    torch, torchvision = pytest.importorskip("torch"), pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert embedding_of() is CLASSICAL
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), folder / "made.pth")
    digest = hashlib.sha256((folder / "made.pth").read_bytes()).hexdigest()[:8]
    (folder / "resnet18-00000000.pth").write_bytes(b"cut short")
    assert network_on_disk() is None
    (folder / "made.pth").rename(folder / f"resnet18-{digest}.pth")
    found = features_of(_set(_pictures(3, 0)), np.arange(3), embedding_of())
    assert found.shape == (3, 512)
    assert np.ptp(found, axis=0).max() > 0
    odd = folder / f"resnet18-{hashlib.sha256(b'odd').hexdigest()[:8]}.pth"
    odd.write_bytes(b"odd")
    next(folder.glob(f"resnet18-{digest}*")).unlink()
    with pytest.raises(InputError, match="no weights of a ResNet-18"):
        embedding_of()


def test_a_sample_by_content_is_that_of_another_revision():
    keys = [f"md5:{i}" for i in range(1000)]
    first = sample_by_content(keys, np.arange(1000), 100)
    second = sample_by_content(["md5:new", *keys[:900]], np.arange(901), 100)
    assert len(first) == len(second) == 100
    assert len({keys[i] for i in first} & {keys[i - 1] for i in second if i}) > 75
    assert sample_by_content(keys, np.arange(5), 100).tolist() == [0, 1, 2, 3, 4]


def test_classes_go_by_name():
    names, a, b = same_classes(["cat", "dog"], np.array([0, 1, -1]), ["dog", "owl"], np.array([0, 1, -1]))
    assert names == ("cat", "dog", "owl")
    assert a.tolist() == [0, 1, -1]
    assert b.tolist() == [1, 2, -1]


def test_changes_are_by_name_and_content():
    found = image_changes(["a", "b", "c", "d"], ["1", "2", "3", ""], ["a", "b", "x", "d", "y"], ["1", "9", "3", "", ""])
    assert (found.n_added, found.n_removed, found.n_changed, found.n_moved, found.n_unchanged) == (2, 1, 1, 1, 2)
    assert (found.added, found.removed, found.changed) == (("x", "y"), ("c",), ("b",))


def test_a_subset_is_read_as_its_images():
    whole = _set(_pictures(6, 0))
    part = ImageSubset(whole, [4, 1])
    assert part.names == ("made/4.png", "made/1.png")
    assert part.labels.tolist() == [0, 1]
    assert (part.read([0])[0] == whole.read([4])[0]).all()
    assert part.content_key(1) == whole.content_key(1)
    assert part.fingerprint() != whole.fingerprint()
