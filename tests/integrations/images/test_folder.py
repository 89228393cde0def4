"""Image folders: labels, lazy reading, sampling, and files that are broken or too large."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.folder import ImageFolder


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("cat", 3), ("dog", 5), ("empty", 0)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (6, 4), dtype=np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / ".git").mkdir()
    return tmp_path


def png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )


def test_labels_follow_the_sorted_class_folders(folder):
    images = ImageFolder(folder)
    assert images.class_names == ("cat", "dog", "empty")
    assert images.class_counts() == {"cat": 3, "dog": 5, "empty": 0}
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert images.names[3] == "dog/0.png"


def test_read_gives_the_pixels_of_the_file(folder):
    images = ImageFolder(folder)
    raw = np.asarray(Image.open(folder / "dog" / "4.png"))
    got = images.read([7])
    assert got.shape == (1, 6, 4, 1)
    assert got.dtype == np.uint8
    assert np.array_equal(got[0, ..., 0], raw)
    assert np.array_equal(images.image(7, channels=3)[..., 2], raw)


def test_read_resizes_and_changes_channels(folder):
    images = ImageFolder(folder, size=8)
    assert images.read([0, 1]).shape == (2, 8, 8, 1)
    assert images.read([0, 1], channels=3, size=(5, 7)).shape == (2, 5, 7, 3)
    assert images.read([], channels=3).shape == (0, 8, 8, 3)
    with pytest.raises(InputError, match="2 channels"):
        images.read([0], channels=2)


def test_images_of_different_sizes_need_a_size(folder):
    Image.new("RGB", (9, 9)).save(folder / "cat" / "big.jpg")
    images = ImageFolder(folder)
    with pytest.raises(InputError, match="differ in size"):
        images.read(range(len(images)))
    assert images.read(range(len(images)), channels=1, size=4).shape == (9, 4, 4, 1)


def test_sixteen_bit_images_keep_their_upper_bits(folder):
    Image.fromarray(np.array([[0, 256], [65535, 32768]], dtype=np.uint16)).save(folder / "empty" / "deep.png")
    images = ImageFolder(folder)
    assert images.image(images.names.index("empty/deep.png"))[..., 0].tolist() == [[0, 1], [255, 128]]


def test_sample_is_fixed_by_its_seed(folder):
    images = ImageFolder(folder)
    first = images.sample(5, seed=1)
    assert first.tolist() == ImageFolder(folder).sample(5, seed=1).tolist()
    assert len(set(first.tolist())) == 5
    assert first.tolist() != images.sample(5, seed=2).tolist()
    assert sorted(images.sample().tolist()) == list(range(8))


def test_broken_and_oversized_files_are_passed_over_and_listed(folder):
    whole = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "cut.png").write_bytes(whole[:-30])
    (folder / "dog" / "blank.png").write_bytes(b"")
    (folder / "dog" / "text\x1b[31m.jpg").write_text("hello")
    (folder / "dog" / "bomb.png").write_bytes(png_that_claims(60_000, 60_000))
    (folder / "dog" / "wide.png").write_bytes(png_that_claims(10_000, 9_000))
    (folder / "dog" / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n")
    (folder / "dog" / "gone.png").symlink_to(folder / "nowhere.png")
    images = ImageFolder(folder)
    indices = images.sample()
    assert len(indices) == 8
    assert images.read(indices).shape == (8, 6, 4, 1)
    assert len(images.skipped) == 7
    assert images.skipped["dog/wide.png"] == "10000 x 9000 pixels exceed the limit of 50,000,000"
    assert images.skipped["dog/gone.png"] == "No such file or directory"
    assert images.skipped["dog/script.png"] == "not an image of a known format"
    assert not any("\x1b" in name for name in images.skipped)
    with pytest.raises(InputError, match=r"cat/cut\.png cannot be read"):
        images.image(images.names.index("cat/cut.png"))


def test_missing_and_empty_folders_are_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="not found"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no images in class folders"):
        ImageFolder(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"no")
    with pytest.raises(InputError, match=r"a/x\.png: not an image"):
        ImageFolder(tmp_path).sample()


def test_a_pipe_with_the_name_of_an_image_is_not_waited_for(tmp_path):
    folder = tmp_path / "set" / "a"
    folder.mkdir(parents=True)
    Image.new("L", (4, 4)).save(folder / "fine.png")
    os.mkfifo(folder / "pipe.png")
    images = ImageFolder(tmp_path / "set")
    assert [images.names[i] for i in images.sample()] == ["a/fine.png"]
    assert images.skipped == {"a/pipe.png": "it is no regular file"}


def test_a_report_as_pdf_does_not_make_damaged_images_whole(tmp_path):
    from copilot.reporting.pdf import check_libraries

    check_libraries()
    (tmp_path / "set" / "a").mkdir(parents=True)
    Image.effect_noise((32, 32), 50).save(tmp_path / "set" / "a" / "fine.png")
    content = (tmp_path / "set" / "a" / "fine.png").read_bytes()
    (tmp_path / "set" / "a" / "cut.png").write_bytes(content[: len(content) // 2])
    images = ImageFolder(tmp_path / "set")
    images.sample()
    assert set(images.skipped) == {"a/cut.png"}
