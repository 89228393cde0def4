"""Duplicates between image sets on disk, from files to the outcome and its picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.inspection import duplicates
from copilot.integrations.inspection.duplicates import fingerprints, judge_duplicates


def _set(folder: Path, images: list[np.ndarray], ending: str = "png") -> ImageFolder:
    (folder / "a").mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / "a" / f"{i:03d}.{ending}", **({"quality": 70} if ending == "jpg" else {}))
    return ImageFolder(folder)


def _pictures(n: int, seed: int) -> list[np.ndarray]:
    noise = np.random.default_rng(seed).normal(size=(n, 48, 60, 3)).astype(np.float32)
    soft = [cv2.GaussianBlur(one, (0, 0), 5) for one in noise]
    return [np.clip(128 + 45 * one / one.std(), 0, 255).astype(np.uint8) for one in soft]


def test_copies_in_another_format_are_found_and_unreadable_files_passed_over(tmp_path: Path, monkeypatch):
    shown = []
    monkeypatch.setattr(duplicates, "pair_sheet", lambda *given: shown.append(given) or ())
    train = _set(tmp_path / "train", _pictures(60, 0))
    (tmp_path / "train" / "a" / "000.png").write_bytes(b"no image")
    val = _set(tmp_path / "val", [*_pictures(60, 0)[10:15], *_pictures(20, 1)], "jpg")
    lines: list[float] = []
    outcome, _ = judge_duplicates(
        train, val, correct=np.arange(25) < 15, progress=lambda share, line: lines.append(share)
    )
    assert outcome.value("near_duplicates") == 5
    assert outcome.value("score_without_duplicates") == 0.5
    across = shown[0][4]
    assert [shown[0][2].names[i] for i in across.second] == [f"a/{i:03d}.png" for i in range(10, 15)]
    assert list(train.skipped) == ["a/000.png"]
    assert lines == sorted(lines)
    assert lines[-1] == 1.0


def test_pairs_are_shown(tmp_path: Path):
    pytest.importorskip("copilot.probes.sheets")
    train = _set(tmp_path / "train", _pictures(30, 0))
    val = _set(tmp_path / "val", [*_pictures(30, 0)[3:6], *_pictures(5, 1)])
    outcome, pictures = judge_duplicates(train, val)
    assert outcome.value("exact_duplicates") == 3
    assert [picture.finding_code for picture in pictures] == ["OVF402"]


def test_answers_have_to_fit(tmp_path: Path):
    images = _set(tmp_path / "set", _pictures(3, 0))
    with pytest.raises(InputError, match="2 answers for 3"):
        judge_duplicates(images, images, correct=np.zeros(2, bool))


def test_fingerprints_come_from_the_cache(tmp_path: Path):
    images = _set(tmp_path / "set", _pictures(4, 0))
    first, second = fingerprints(images), fingerprints(images)
    assert (first.coarse == second.coarse).all()
    assert second.thumb.dtype == np.uint8
